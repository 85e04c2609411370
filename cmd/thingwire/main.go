// Command thingwire is the open AWS IoT Core in one binary: `thingwire serve` runs the server, every other verb is a
// thin client of one. One file per verb; what a verb may touch of the process comes in through its world.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
)

func main() {
	os.Exit(run(context.Background(), thisProcess()))
}

// The exit codes are part of the contract with scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// run runs one command line in a world and answers its exit code. A failure is one line on stderr.
func run(ctx context.Context, w *world) int {
	ctx, stop := w.signals(ctx)
	defer stop()
	root := newRoot(w)
	root.SetArgs(w.args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	w.errorf("thingwire: %s\n", strings.Join(strings.Fields(err.Error()), " "))
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func newRoot(w *world) *cobra.Command {
	root := &cobra.Command{
		Use:   "thingwire",
		Short: "The open AWS IoT Core in one binary",
		Long: `Thingwire is the open AWS IoT Core in one binary: devices, SDKs and tools that work with AWS IoT Core work with
it, on your own machine.`,
		Example: `  thingwire demo --count 5          see it work: a server, a sensor and a subscriber
  thingwire serve                   run a server
  thingwire thing create lamp       a thing with certificate and policy, ready to connect
  eval "$(thingwire env)"           let the AWS CLI and SDKs of this shell talk to the server`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs, // needVerb has better words for them
		RunE:              needVerb,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see: %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newServe(w), newDemo(w), newThing(w), newPubsub(w), newPublish(w), newSubscribe(w), newWhy(w), newLogs(w),
		newSigfox(w), newEnv(w), newKey(w), newBackup(w), newRestore(w), newCheck(w), newVersion(w))
	return root
}

// needVerb is what a command does that only holds others.
func needVerb(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s has no verb %q; see: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return usage("say what to do; see: %s --help", cmd.CommandPath())
}

// usageError is a mistake in the command line itself: nothing was tried.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }

func (u *usageError) Unwrap() error { return u.err }

func usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// exactly is cobra.ExactArgs with our words and exit code.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("use it as: %s %s; see: %s --help", cmd.CommandPath(), strings.Join(names, " "), cmd.CommandPath())
		}
		return nil
	}
}

// none refuses arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, not %q; see: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// asUsage makes a refusal of what the user typed a usage error, and leaves other errors alone.
func asUsage(err error) error {
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Unsupported) {
		return &usageError{err}
	}
	return err
}
