package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/device/sensor"
	"github.com/thingwire/thingwire/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The scripts run verbs in this process, each in a world of its own:
//
//	tw ARGS...                   runs a verb; with ! it must fail with exit code 1 and one line on stderr
//	usage ARGS...                runs a verb that must fail with exit code 2 and one line on stderr
//	start NAME LINE ARGS...      starts a verb and waits until it prints a line that matches
//	finish NAME                  waits for the end of a verb, which must succeed; its output is stdout
//	stop NAME                    asks a verb to stop, as SIGTERM does, and finishes it
//	credentials FILE             puts the access key in a JSON file into the AWS environment
//	until LINE ARGS...           runs a verb again and again until it prints a line that matches; its output is stdout
//	member NAME FILE MEMBER      puts a text of a JSON file into $NAME
//	ports NAME                   puts the port that the listener of the server in $DATA has into $NAME
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("DATA", e.WorkDir+"/data")
			e.Setenv("THINGWIRE_DATA_DIR", e.WorkDir+"/data")
			// Listeners on free ports of this machine; the other ones off.
			e.Setenv("LOCAL", "--listen-mqtts=127.0.0.1:0")
			e.Values["verbs"] = &verbs{running: map[string]*verb{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tw": cmdTW, "usage": cmdUsage, "start": cmdStart, "finish": cmdFinish, "stop": cmdStop, "ports": cmdPorts,
			"credentials": cmdCredentials, "until": cmdUntil, "member": cmdMember,
		},
	})
}

// verbs are those that a script has started.
type verbs struct{ running map[string]*verb }

// verb is one that runs beside the script.
type verb struct {
	stop   context.CancelFunc
	done   chan struct{}
	code   int
	out    lineBuffer
	stderr bytes.Buffer
}

// worldOf is a world without sensors, whose environment is the script's.
func worldOf(ts *testscript.TestScript, args []string, stdout, stderr io.Writer) *world {
	return &world{
		args: args, env: ts.Getenv, stdin: strings.NewReader(""), stdout: stdout, stderr: stderr,
		signals: context.WithCancel,
		sensors: sensor.System{Root: ts.MkAbs("root")},
	}
}

// shorthand fills in the listeners that a server in a script does not open.
func shorthand(args []string) []string {
	if len(args) == 0 || args[0] != "serve" {
		return args
	}
	given := strings.Join(args, " ")
	for _, name := range []string{"mqtts", "https", "api", "shared", "console"} {
		if !strings.Contains(given, "--listen-"+name) {
			args = append(args, "--listen-"+name+"=off")
		}
	}
	return args
}

func cmdTW(ts *testscript.TestScript, neg bool, args []string) {
	want := exitDone
	if neg {
		want = exitFailed
	}
	runVerb(ts, want, shorthand(args))
}

func cmdUsage(ts *testscript.TestScript, _ bool, args []string) { runVerb(ts, exitUsage, args) }

func runVerb(ts *testscript.TestScript, want int, args []string) {
	var stderr bytes.Buffer
	code := run(context.Background(), worldOf(ts, args, ts.Stdout(), &stderr))
	_, _ = ts.Stderr().Write(stderr.Bytes())
	if code != want {
		ts.Fatalf("exit code %d, want %d; stderr:\n%s", code, want, stderr.String())
	}
	if code != exitDone && (strings.Count(stderr.String(), "\n") != 1 || !strings.HasPrefix(stderr.String(), "thingwire: ")) {
		ts.Fatalf("a failure is not one line on stderr:\n%s", stderr.String())
	}
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: start NAME LINE ARGS...")
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &verb{stop: stop, done: make(chan struct{})}
	v.out.changed = sync.NewCond(&v.out.mu)
	w := worldOf(ts, shorthand(args[2:]), &v.out, &v.stderr)
	go func() {
		defer close(v.done)
		defer v.out.end()
		v.code = run(ctx, w)
	}()
	ts.Value("verbs").(*verbs).running[args[0]] = v
	ts.Defer(func() { stop(); <-v.done })
	if !v.out.await(regexp.MustCompile(args[1])) {
		<-v.done
		ts.Fatalf("%s ended with %d and without that line; stdout:\n%s\nstderr:\n%s", args[0], v.code, v.out.String(), v.stderr.String())
	}
}

func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	if v := ts.Value("verbs").(*verbs).running[args[0]]; v != nil {
		v.stop()
	}
	cmdFinish(ts, neg, args)
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	v := ts.Value("verbs").(*verbs).running[args[0]]
	if v == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	<-v.done
	_, _ = io.WriteString(ts.Stdout(), v.out.String())
	_, _ = ts.Stderr().Write(v.stderr.Bytes())
	if (v.code == exitDone) == neg {
		ts.Fatalf("%s ended with %d; stdout:\n%s\nstderr:\n%s", args[0], v.code, v.out.String(), v.stderr.String())
	}
}

// untilPatience is how long something may take that nobody tells of when it is done.
const untilPatience = 20 * time.Second

func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	line := regexp.MustCompile("(?m)" + args[0])
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), worldOf(ts, args[1:], &stdout, &stderr))
		if done := line.Match(stdout.Bytes()); done || code != exitDone || time.Since(began) > untilPatience {
			_, _ = ts.Stdout().Write(stdout.Bytes())
			_, _ = ts.Stderr().Write(stderr.Bytes())
			if !done {
				ts.Fatalf("no such line; exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout.String(), stderr.String())
			}
			return
		}
	}
}

func cmdMember(ts *testscript.TestScript, _ bool, args []string) {
	var all map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &all))
	value, ok := all[args[2]].(string)
	if !ok {
		ts.Fatalf("%s has no text %s", args[1], args[2])
	}
	ts.Setenv(args[0], value)
}

func cmdPorts(ts *testscript.TestScript, _ bool, args []string) {
	e, err := server.ReadEndpoints(ts.Getenv("DATA"))
	ts.Check(err)
	for _, name := range args {
		_, port, err := net.SplitHostPort(e.Addresses[name])
		ts.Check(err)
		ts.Setenv(name, port)
	}
}

func cmdCredentials(ts *testscript.TestScript, _ bool, args []string) {
	var key map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &key))
	for name, members := range map[string][]string{
		"AWS_ACCESS_KEY_ID": {"accessKeyId", "AWS_ACCESS_KEY_ID"}, "AWS_SECRET_ACCESS_KEY": {"secretAccessKey", "AWS_SECRET_ACCESS_KEY"},
	} {
		for _, member := range members {
			if value, ok := key[member].(string); ok {
				ts.Setenv(name, value)
			}
		}
	}
}

// lineBuffer is what a verb has printed, for somebody who waits for a line of it.
type lineBuffer struct {
	mu      sync.Mutex
	changed *sync.Cond
	buf     bytes.Buffer
	ended   bool
}

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed.Broadcast()
	return b.buf.Write(p)
}

func (b *lineBuffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.changed.Broadcast()
}

func (b *lineBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits for a line that matches; false when the verb ended without one.
func (b *lineBuffer) await(line *regexp.Regexp) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.has(line) {
		if b.ended {
			return false
		}
		b.changed.Wait()
	}
	return true
}

func (b *lineBuffer) has(line *regexp.Regexp) bool {
	in := bufio.NewScanner(bytes.NewReader(b.buf.Bytes()))
	for in.Scan() {
		if line.Match(in.Bytes()) {
			return true
		}
	}
	return false
}
