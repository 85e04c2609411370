package pebble

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

func wantRefusal(t *testing.T, opts Options, kind fault.Kind, words ...string) {
	t.Helper()
	s, err := Open(opts)
	if err == nil {
		t.Fatal("opened", s.Close())
	}
	if !fault.Is(err, kind) {
		t.Errorf("kind %v: %v", fault.KindOf(err), err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in %q", word, err)
		}
	}
}

// quiet is a logger of pebble that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func TestOpenRefusesOtherFormats(t *testing.T) {
	fs := vfs.NewMem()
	write := func(key, value string) {
		t.Helper()
		db, err := pebble.Open("data", &pebble.Options{FS: fs, Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte(key), []byte(value), pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := mustOpen(t, Options{Dir: "data", FS: fs}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, Options{Dir: "data", FS: fs}).Close(); err != nil {
		t.Fatal(err)
	}
	write("v", "\x07")
	wantRefusal(t, Options{Dir: "data", FS: fs}, fault.Unsupported, "format 7", "formats 1 to 2")
	fs = vfs.NewMem()
	write("something", "else")
	wantRefusal(t, Options{Dir: "data", FS: fs}, fault.Unsupported, "not written by thingwire")
}

// A store of format 1 becomes one of format 2 when it is opened, unless that is only for reading.
func TestOpenRaisesTheFormat(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "data", FS: fs})
	fillOne(t, s, 1, 1, 10)
	if err := errors.Join(s.now().db.Set([]byte{kindFormat}, []byte{1}, pebble.Sync), s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		readOnly bool
		want     string
	}{{true, "\x01"}, {false, "\x02"}, {true, "\x02"}, {false, "\x02"}} {
		s := mustOpen(t, Options{Dir: "data", FS: fs, ReadOnly: c.readOnly})
		audit(t, s)
		v, closer, err := s.now().db.Get([]byte{kindFormat})
		if err != nil || string(v) != c.want {
			t.Errorf("read only %v: format %x, %v, want %x", c.readOnly, v, err, c.want)
		}
		if got, err := s.Read(t.Context(), 1, 0, 10, 100, nil); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if err := errors.Join(closer.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	wantRefusal(t, Options{Dir: dir}, fault.Unavailable, "open already in this process", dir)
	// The refusal must not have released the lock: see lockHolder.
	if err := s.Commit(one(1, 1)).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// The other process is this test again, in a child that opens the directory and waits for its standard input to end.
func TestOpenInAnotherProcess(t *testing.T) {
	const variable = "THINGWIRE_TEST_STORE_DIR"
	if dir := os.Getenv(variable); dir != "" {
		s := mustOpen(t, Options{Dir: dir})
		os.Stdout.WriteString("open\n")      //nolint:errcheck // a test
		bufio.NewReader(os.Stdin).ReadByte() //nolint:errcheck // waits
		s.Close()                            //nolint:errcheck // a test
		return
	}
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpenInAnotherProcess$")
	child.Env = append(os.Environ(), variable+"="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, Options{Dir: dir}, fault.Unavailable, "another thingwire", "process "+strconv.Itoa(child.Process.Pid), dir)
	if err := errors.Join(in.Close(), child.Wait()); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
}

// Nothing is left of queues that were dropped, and of bodies that nobody refers to.
func TestNothingLeaks(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	fillQueues(t, s, 10, 10_000, 300)
	if entries, bodies := audit(t, s); entries != 100_000 || bodies != 10_000 {
		t.Fatalf("%d entries, %d bodies", entries, bodies)
	}
	for q := range store.QueueID(9) {
		s.Trim(q, 9000+uint64(q))
	}
	for q := range store.QueueID(10) {
		if err := s.Commit(&store.Batch{DropQueues: []store.QueueID{q}}).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, s)
	if entries, bodies := audit(t, s); entries != 0 || bodies != 0 {
		t.Fatalf("%d entries, %d bodies", entries, bodies)
	}
	if l := s.now(); l.dead.Load() != 0 || len(l.queues.by) != 0 {
		t.Fatalf("%d dead, %d queues in memory", l.dead.Load(), len(l.queues.by))
	}
}

// A commit must cost its caller a lock and an append, and the store next to nothing.
func TestCommitAllocations(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	const per = 100
	b := &store.Batch{}
	appends := make([]store.Append, per)
	for i := range appends {
		appends[i] = store.Append{Queues: []store.QueueID{1}, Body: make([]byte, 100), Seqs: make([]uint64, 1)}
	}
	n := testing.AllocsPerRun(200, func() {
		*b = store.Batch{Appends: appends}
		if err := s.Commit(b).Wait(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 8 {
		t.Errorf("%v allocations for %d appends", n, per)
	}
}
