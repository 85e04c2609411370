package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/store"
)

func TestTicket(t *testing.T) {
	failed := errors.New("failed")
	for _, want := range []error{nil, failed} {
		var b store.Batch
		var then []error
		b.Then = func(err error) { then = append(then, err) }
		ticket := b.Ticket()
		early := ticket.Done()
		select {
		case <-early:
			t.Fatal("done before it began")
		default:
		}
		b.Complete(want)
		<-early
		<-ticket.Done()
		if err := ticket.Wait(); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if len(then) != 1 || !errors.Is(then[0], want) {
			t.Errorf("then: %v", then)
		}
	}
}

// The ticket once had a mutex. Whoever waited could reset the batch, and the mutex with it, before Complete had
// unlocked it.
func TestResetWhileCompleteReturns(t *testing.T) {
	var b store.Batch
	work := make(chan struct{})
	var completer sync.WaitGroup
	completer.Go(func() {
		for range work {
			b.Complete(nil)
		}
	})
	for range 10_000 {
		ticket := b.Ticket()
		work <- struct{}{}
		if err := ticket.Wait(); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	close(work)
	completer.Wait()
}

func TestResetKeepsMemoryAndForgetsContents(t *testing.T) {
	b := store.Batch{
		Docs:       make([]store.DocOp, 3),
		Appends:    []store.Append{{Body: []byte("x")}},
		DropQueues: []store.QueueID{1},
		Then:       func(error) {},
	}
	appends := b.Appends
	b.Reset()
	if !b.Empty() || b.Then != nil || appends[0].Body != nil || cap(b.Docs) != 3 {
		t.Errorf("%+v, %v", &b, appends)
	}
}

func TestWaitAllocatesOnce(t *testing.T) {
	var b store.Batch
	if n := testing.AllocsPerRun(100, func() {
		b.Complete(nil)
		if err := b.Ticket().Wait(); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}); n != 0 {
		t.Errorf("a ticket that is done before anybody asks costs %v allocations", n)
	}
}
