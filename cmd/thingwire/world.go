package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/device/sensor"
	"github.com/thingwire/thingwire/internal/fault"
)

// world is all that a verb may touch of the process it runs in, so that a test can run verbs in its own.
type world struct {
	args           []string
	env            func(name string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        func(context.Context) (context.Context, context.CancelFunc) // ends when the process is asked to stop
	sensors        sensor.System

	mu sync.Mutex // verbs print from several goroutines; each call is whole
}

// thisProcess is the world as it is.
func thisProcess() *world {
	return &world{
		args: os.Args[1:], env: os.Getenv,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		signals: untilSignal,
	}
}

// untilSignal ends the context at the first signal; a second one ends the process the hard way.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// printf writes to stdout. That nobody reads it is no reason to stop.
func (w *world) printf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.stdout, format, args...)
}

// errorf writes to stderr.
func (w *world) errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.stderr, format, args...)
}

// printJSON writes one value as indented JSON to stdout.
func (w *world) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w.printf("%s\n", data)
	return nil
}

const dataDirHelp = "data directory of the server (default $THINGWIRE_DATA_DIR, else ~/.local/share/thingwire)"

// dataDirFlag adds --data-dir to a verb.
func dataDirFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("data-dir", "", dataDirHelp)
}

// dataDir is the data directory that a verb means: the flag, the environment, the usual place.
func (w *world) dataDir(flag string) (string, error) {
	dir := flag
	if dir == "" {
		dir = w.env("THINGWIRE_DATA_DIR")
	}
	if dir == "" {
		home := w.env("HOME")
		if home == "" {
			return "", fault.New(fault.Invalid, "there is no home directory to keep the data in").WithRemedy("say --data-dir DIR")
		}
		dir = filepath.Join(home, ".local", "share", "thingwire")
	}
	return filepath.Abs(dir)
}

// outputFlag adds --output to a verb.
func outputFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("output", "text", "how to print: text for people, json for programs")
}

// wantsJSON decides by the value of --output.
func wantsJSON(output string) (bool, error) {
	switch output {
	case "json":
		return true, nil
	case "text":
		return false, nil
	}
	return false, usage("--output is %q; use text or json", output)
}
