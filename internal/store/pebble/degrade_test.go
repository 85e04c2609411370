package pebble

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// breaker makes a disk fail when told to: what writes to files with part in their path, or what begins such files.
type breaker struct {
	broken atomic.Bool
	err    error
	part   string
	begin  bool
	sync   bool // only syncs fail: what is written is there
}

func (b *breaker) String() string { return "breaker" }

func (b *breaker) MaybeError(op errorfs.Op) error {
	if !b.broken.Load() || !strings.Contains(op.Path, b.part) || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if b.begin && op.Kind != errorfs.OpCreate && op.Kind != errorfs.OpReuseForWrite {
		return nil
	}
	if b.sync && op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData {
		return nil
	}
	return b.err
}

func one(q store.QueueID, size int) *store.Batch {
	return &store.Batch{Appends: []store.Append{{Queues: []store.QueueID{q}, Body: make([]byte, size), Seqs: make([]uint64, 1)}}}
}

// degradations are the ways in which a disk fails.
var degradations = []struct {
	name  string
	part  string
	begin bool
	sync  bool
	err   error
}{
	{"the log cannot be written", ".log", false, false, syscall.EIO},
	{"the log cannot be synced", ".log", false, true, syscall.EIO},
	{"a new log cannot be made", ".log", true, false, syscall.ENOSPC},
	{"the disk is full", "", false, false, syscall.ENOSPC},
	{"tables cannot be written", ".sst", false, false, syscall.ENOSPC},
	{"the manifest cannot be written", "MANIFEST", false, false, syscall.EIO},
}

// A disk that fails never makes a false success: committers get fault.Unavailable for ever, reads of what is durable
// go on, Then keeps its order, and the process lives.
func TestDegrade(t *testing.T) {
	for _, c := range degradations {
		t.Run(c.name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			brk := &breaker{part: c.part, begin: c.begin, sync: c.sync, err: c.err}
			s := mustOpen(t, Options{Dir: "data", FS: errorfs.Wrap(disk, brk)})
			if err := s.Commit(one(1, 10)).Wait(); err != nil {
				t.Fatal(err)
			}
			acknowledged := degradeRun(t, s, brk)
			degradedStore(t, s)
			after := disk.CrashClone(vfs.CrashCloneCfg{})
			// Close may fail, when pebble is beyond it; it must not hang.
			t.Logf("close: %v", s.Close())
			again := mustOpen(t, Options{Dir: "data", FS: after})
			audit(t, again)
			if st, err := again.QueueStats(t.Context(), 1); err != nil || st.Last < acknowledged {
				t.Errorf("%d were acknowledged, %+v are there, %v", acknowledged, st, err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The dream in which every sync succeeds does not begin before everybody can know that the store is broken.
func TestNoDreamBeforeItIsKnown(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	l := s.now()
	s.mu.Lock()
	done := make(chan struct{})
	go func() {
		l.degrade(syscall.EIO)
		close(done)
	}()
	for range 1000 {
		runtime.Gosched() // as far as it gets without the lock
	}
	if l.broken == nil && l.guard.state.dreaming.Load() {
		t.Error("pebble dreams and nobody knows")
	}
	s.mu.Unlock()
	<-done
	if l.error() == nil || !l.guard.state.dreaming.Load() {
		t.Error("not degraded")
	}
	t.Logf("close: %v", s.Close())
}

// degradeRun commits from some goroutines until all fail, and breaks the disk meanwhile.
func degradeRun(t *testing.T, s *Store, brk *breaker) (acknowledged uint64) {
	t.Helper()
	var all sync.WaitGroup
	next, failed := uint64(2), false // Then is one call at a time
	for c := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				b := one(1, 50_000)
				b.Then = func(err error) {
					if err != nil {
						failed = true
						return
					}
					if failed || b.Appends[0].Seqs[0] != next {
						t.Errorf("success with %d, want %d (failed before: %v)", b.Appends[0].Seqs[0], next, failed)
					}
					acknowledged = next
					next++
				}
				err := s.Commit(b).Wait()
				if err == nil {
					if c == 0 && i == 20 {
						brk.broken.Store(true)
					}
					continue
				}
				if !fault.Is(err, fault.Unavailable) || !errors.Is(err, brk.err) {
					t.Errorf("got %v", err)
				}
				return
			}
		})
	}
	all.Wait()
	return acknowledged
}

func degradedStore(t *testing.T, s *Store) {
	t.Helper()
	if s.Degraded() == nil {
		t.Error("not degraded")
	}
	for range 3 {
		if err := s.Commit(one(2, 10)).Wait(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a later commit: %v", err)
		}
	}
	got, err := s.Read(t.Context(), 1, 0, 1, 1, nil)
	if err != nil || len(got) != 1 || len(got[0].Body) != 10 {
		t.Errorf("read: %v, %v", got, err)
	}
	if st, err := s.QueueStats(t.Context(), 2); err != nil || st.Last != 0 {
		t.Errorf("an entry that failed can be read: %+v, %v", st, err)
	}
	s.Trim(1, 1)
}

// A document that is visible in pebble but failed to become durable must not be read.
func TestNoReadOfWhatFailed(t *testing.T) {
	brk := &breaker{part: ".log", err: syscall.EIO}
	s := mustOpen(t, Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), brk)})
	put := func(value string) error {
		return s.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: "b", Key: "k", Value: []byte(value)}}}).Wait()
	}
	if err := put("good"); err != nil {
		t.Fatal(err)
	}
	brk.broken.Store(true)
	if err := put("bad"); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if d, err := s.Get(t.Context(), "b", "k"); err == nil && string(d.Value) != "good" {
		t.Errorf("got %q", d.Value)
	}
	for d, err := range s.List(t.Context(), "b", "", "", 0) {
		if err == nil && string(d.Value) != "good" {
			t.Errorf("listed %q", d.Value)
		}
	}
	t.Logf("close: %v", s.Close())
}
