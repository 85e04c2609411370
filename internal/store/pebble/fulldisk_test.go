package pebble

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// quota is a disk that becomes full: writes fail once more than room bytes were written since it was set.
type quota struct{ room atomic.Int64 }

func (q *quota) String() string { return "quota" }

func (q *quota) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && q.room.Add(-4096) < 0 {
		return syscall.ENOSPC
	}
	return nil
}

// A disk that becomes full, and has room again.
func TestFullDisk(t *testing.T) {
	q := &quota{}
	q.room.Store(4 << 20)
	fullDisk(t, Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), q), Retry: time.Millisecond}, func() { q.room.Store(1 << 40) })
}

// fullDisk fills a disk through a store, makes room, and checks that the store has all that it acknowledged, and goes on.
func fullDisk(t *testing.T, opts Options, makeRoom func()) {
	s := mustOpen(t, opts)
	var all sync.WaitGroup
	var acknowledged atomic.Int64
	for range 4 {
		all.Go(func() {
			for {
				if err := s.Commit(one(1, 20_000)).Wait(); err != nil {
					if !fault.Is(err, fault.Unavailable) {
						t.Error(err)
					}
					return
				}
				acknowledged.Add(1)
			}
		})
	}
	all.Wait()
	want := acknowledged.Load()
	if s.Degraded() == nil || want == 0 {
		t.Errorf("degraded: %v, %d entries", s.Degraded(), want)
	}
	check := func() {
		st, err := s.QueueStats(t.Context(), 1)
		if err != nil || st.Last != uint64(want) || st.Bytes != want*20_000 {
			t.Errorf("%d were acknowledged, %+v are there, %v", want, st, err)
		}
	}
	check()
	makeRoom()
	for err := errClosed; err != nil; {
		if err = s.Commit(one(1, 20_000)).Wait(); err != nil && !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
	}
	want++
	check()
	if s.Degraded() != nil {
		t.Errorf("still degraded: %v", s.Degraded())
	}
	audit(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = mustOpen(t, opts)
	check()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// molasses is a disk whose log takes its time to sync.
type molasses struct {
	slow    atomic.Bool
	waiting chan struct{} // somebody syncs
	release chan struct{}
}

func (m *molasses) String() string { return "molasses" }

func (m *molasses) MaybeError(op errorfs.Op) error {
	if m.slow.Load() && isLog(op.Path) && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		m.waiting <- struct{}{}
		<-m.release
	}
	return nil
}

// A slow disk is not a broken one: whoever commits waits, reads go on, nothing is refused and nothing acknowledged too
// early. The operator is told.
func TestSlowDiskOnlyWaits(t *testing.T) {
	m := &molasses{waiting: make(chan struct{}, 100), release: make(chan struct{})}
	var log lines
	s := mustOpen(t, Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), m), Log: log.logger()})
	if err := s.Commit(one(1, 10)).Wait(); err != nil {
		t.Fatal(err)
	}
	m.slow.Store(true)
	var tickets []*store.Ticket
	for range 100 {
		tickets = append(tickets, s.Commit(one(1, 10)))
	}
	<-m.waiting
	if s.Degraded() != nil {
		t.Errorf("degraded: %v", s.Degraded())
	}
	if got, err := s.Read(t.Context(), 1, 0, 1000, 1<<20, nil); err != nil || len(got) != 1 {
		t.Errorf("%d entries can be read before they are durable: %v", len(got), err)
	}
	for i, ticket := range tickets {
		select {
		case <-ticket.Done():
			t.Errorf("%d is acknowledged and not synced: %v", i, ticket.Wait())
		default:
		}
	}
	m.slow.Store(false)
	close(m.release)
	for _, ticket := range tickets {
		if err := ticket.Wait(); err != nil {
			t.Error(err)
		}
	}
	s.notice(&flight{began: time.Now().Add(-2 * slow), waiters: make([]waiter, 1)})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(log.text(), []byte("the disk is slow")) {
		t.Errorf("the operator is not told:\n%s", log.text())
	}
}

// Damage does not go away by opening the store again: it stays degraded, and says what to do.
func TestDamageIsForGood(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem(), Retry: time.Millisecond})
	if err := s.Commit(one(1, 10)).Wait(); err != nil {
		t.Fatal(err)
	}
	s.now().degrade(fmt.Errorf("reading a cursor: %w", errCorrupt))
	if err := s.Commit(one(1, 10)).Wait(); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	s.background.Wait() // nobody mends
	if err := s.Degraded(); err == nil || !bytes.Contains([]byte(err.Error()), []byte("thingwire check")) {
		t.Errorf("degraded: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
