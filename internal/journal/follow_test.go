package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// collector gathers what a follower is told.
type collector struct {
	mu  sync.Mutex
	got []Entry
}

func (c *collector) take(e Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, e)
	return nil
}

// all waits until nothing moves any more.
func (c *collector) all() []Entry {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{Window: time.Minute})
		j.Record(Entry{EventType: Connect, ClientID: "lamp"})
		ctx, cancel := context.WithCancel(t.Context())
		var told collector
		done := make(chan error)
		go func() { done <- j.Follow(ctx, Query{ClientID: "lamp"}, told.take) }()
		expect(t, told.all(), "lamp Connect Success")
		j.Record(Entry{EventType: Connect, ClientID: "door"})
		for range 3 {
			j.Record(Entry{EventType: PublishIn, ClientID: "lamp", Reason: ReasonThrottled})
		}
		expect(t, told.all(), "lamp Connect Success", "lamp Publish-In Failure THROTTLED") // at once
		time.Sleep(2 * time.Minute)
		got := told.all()
		expect(t, got, "lamp Connect Success", "lamp Publish-In Failure THROTTLED", "lamp Publish-In Failure THROTTLED x3")
		if got[1].TraceID != got[2].TraceID {
			t.Error("the repeats have another trace id")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(j.followers) > 0 {
			t.Error("the follower is still there")
		}
	})
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{})
		broken := errors.New("the reader is gone")
		done := make(chan error, 2)
		go func() {
			done <- j.Follow(t.Context(), Query{}, func(Entry) error { return broken })
		}()
		synctest.Wait()
		j.Record(Entry{EventType: Connect})
		if err := <-done; !errors.Is(err, broken) {
			t.Errorf("the follower ended with %v", err)
		}
		go func() {
			done <- j.Follow(t.Context(), Query{}, func(Entry) error { return nil })
		}()
		synctest.Wait()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !fault.Is(err, fault.Unavailable) {
			t.Errorf("the follower ended with %v", err)
		}
		j.Record(Entry{EventType: Connect, ClientID: "late"}) // harmless
		expect(t, j.Query(Query{ClientID: "late"}))
	})
}

func TestSlowFollowerIsToldWhatItLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []Entry
		resume := make(chan struct{})
		done := make(chan error)
		go func() {
			done <- j.Follow(ctx, Query{}, func(e Entry) error {
				if len(got) == 0 {
					<-resume
				}
				got = append(got, e)
				return nil
			})
		}()
		synctest.Wait()
		for i := range followerEntries + 100 {
			j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint(i)})
			synctest.Wait()
		}
		close(resume)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		last := got[len(got)-1]
		if len(got)-1+last.Count != followerEntries+100 || last.Reason != ReasonFollowerSlow {
			t.Errorf("got %d entries, the last is %v", len(got), told(got[len(got)-1:]))
		}
	})
}
