package storetest

import (
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

var closeTests = []test{
	{"what was committed completes", func(t *testing.T, h *harness) {
		var tickets []*store.Ticket
		for range 100 {
			tickets = append(tickets, h.Commit(appends(add("x", 1))))
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		failed := false
		for i, ticket := range tickets {
			switch err := ticket.Wait(); {
			case err == nil && failed:
				t.Fatalf("%d succeeded behind one that failed", i)
			case err != nil && !fault.Is(err, fault.Unavailable):
				t.Fatal(err)
			case err != nil:
				failed = true
			}
		}
	}},
	{"a closed store refuses", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "k", "v")))
		h.must(appends(add("x", 1)))
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		b := doc(put("b", "k", "v"))
		called := 0
		b.Then = func(err error) {
			if called++; !fault.Is(err, fault.Unavailable) {
				t.Errorf("then: %v", err)
			}
		}
		h.refused(fault.Unavailable, b)
		h.refused(fault.Unavailable, appends(add("x", 1)))
		if called != 1 {
			t.Errorf("then was called %d times", called)
		}
		if _, err := h.Get(t.Context(), "b", "k"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("get: %v", err)
		}
		if _, err := h.Read(t.Context(), 1, 0, 1, 1, nil); !fault.Is(err, fault.Unavailable) {
			t.Errorf("read: %v", err)
		}
		if _, err := h.QueueStats(t.Context(), 1); !fault.Is(err, fault.Unavailable) {
			t.Errorf("stats: %v", err)
		}
		for _, err := range h.List(t.Context(), "b", "", "", 0) {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("list: %v", err)
			}
		}
		h.Trim(1, 1)
		h.Announce("s", nil)
		if err := h.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}},
	{"commits race with close", func(t *testing.T, h *harness) {
		done := make(chan error)
		for range 8 {
			go func() {
				for {
					if err := h.Commit(appends(add("x", 1))).Wait(); err != nil {
						done <- err
						return
					}
				}
			}()
		}
		h.must(appends(add("x", 1)))
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			if err := <-done; !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
		}
	}},
}
