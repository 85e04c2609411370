package mem_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
	"github.com/thingwire/thingwire/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return mem.New() }, nil)
}

func batch() *store.Batch {
	return &store.Batch{
		Docs:    []store.DocOp{{Bucket: "b", Key: "k", Value: []byte("v")}},
		Appends: []store.Append{{Queues: []store.QueueID{1}, Body: []byte("x"), Seqs: make([]uint64, 1)}},
	}
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		s.Hold()
		one, two := s.Commit(batch()), s.Commit(batch())
		time.Sleep(time.Hour) // of the bubble
		select {
		case <-one.Done():
			t.Fatal("completed while held")
		case <-two.Done():
			t.Fatal("completed while held")
		default:
		}
		if _, err := s.Get(t.Context(), "b", "k"); !fault.Is(err, fault.NotFound) {
			t.Fatalf("the document can be read: %v", err)
		}
		if st, err := s.QueueStats(t.Context(), 1); err != nil || st.Last != 0 {
			t.Fatalf("the entry can be read: %+v, %v", st, err)
		}
		if s.Waiting() != 2 {
			t.Fatalf("%d wait", s.Waiting())
		}
		s.Release()
		if err := errors.Join(one.Wait(), two.Wait()); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStats(t.Context(), 1); err != nil || st.Last != 2 {
			t.Fatalf("%+v, %v", st, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		if err := s.Commit(batch()).Wait(); err != nil {
			t.Fatal(err)
		}
		full := errors.New("no space left on device")
		s.Hold()
		waiting := s.Commit(batch())
		s.Fail(full)
		s.Release()
		later := s.Commit(batch())
		for _, ticket := range []*store.Ticket{waiting, later} {
			if err := ticket.Wait(); !fault.Is(err, fault.Unavailable) || !errors.Is(err, full) {
				t.Fatalf("got %v", err)
			}
		}
		if d, err := s.Get(t.Context(), "b", "k"); err != nil || d.Rev != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
		s.Fail(nil)
		if err := s.Commit(batch()).Wait(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseFailsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		s.Hold()
		ticket := s.Commit(batch())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ticket.Wait(); !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
	})
}

// A commit must cost its caller nothing: the ticket is the batch's own.
func TestCommitAllocatesNothing(t *testing.T) {
	const runs = 100
	s := mem.New()
	s.Hold()
	batches := make([]store.Batch, 2*runs+2)
	next := 0
	commit := func() {
		s.Commit(&batches[next])
		next++
	}
	for range runs + 1 {
		commit() // so that the waiting list has its size
	}
	if n := testing.AllocsPerRun(runs, commit); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestResume(t *testing.T) {
	storetest.RunResume(t, func(*testing.T) (store.Store, storetest.Ground) {
		s := mem.New()
		return s, storetest.Ground{
			Break: func() { s.Fail(errors.New("no space left on device")) },
			Mend:  func() { s.Fail(nil) },
		}
	})
}
