package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// diary collects words from other goroutines.
type diary struct {
	mu    sync.Mutex
	words []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.words = append(d.words, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.words...)
}

func (d *diary) change(c store.Change) {
	if c.Deleted {
		d.note("-%s %d %v", c.Key, c.Rev, c.Value == nil)
		return
	}
	d.note("+%s %d %s", c.Key, c.Rev, c.Value)
}

var watchTests = []test{
	{"changes in commit order, before Then", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "early", "")))
		var d diary
		defer h.Watch("b", d.change)()
		first := doc(put("b", "x", "1"), put("other", "x", "no"), put("b", "y", "1"))
		first.Then = func(error) { d.note("then") }
		h.Commit(first)
		h.Commit(doc(put("b", "x", "2"), remove("absent")))
		h.Commit(doc(put("b", "z", "lost"), ifAbsent(put("b", "x", "3"))))
		h.must(doc(remove("x"), put("b", "x", "4")))
		wantEqual(t, d.read(), []string{"+x 1 1", "+y 1 1", "then", "+x 2 2", "-x 2 true", "+x 1 4"})
	}},
	{"several watchers, and an end", func(t *testing.T, h *harness) {
		var one, two diary
		stop := h.Watch("b", one.change)
		defer h.Watch("b", two.change)()
		h.must(doc(put("b", "k", "1")))
		stop()
		stop()
		h.must(doc(put("b", "k", "2")))
		wantEqual(t, one.read(), []string{"+k 1 1"})
		wantEqual(t, two.read(), []string{"+k 1 1", "+k 2 2"})
	}},
	{"the value is kept", func(t *testing.T, h *harness) {
		var got store.Change
		defer h.Watch("b", func(c store.Change) { got = c })()
		value := []byte("before")
		h.must(doc(store.DocOp{Bucket: "b", Key: "k", Value: value}))
		copy(value, "after!")
		if string(got.Value) != "before" {
			t.Fatalf("got %q", got.Value)
		}
	}},
	{"a document that is told can be read", func(t *testing.T, h *harness) {
		told := make(chan store.Change, 100)
		defer h.Watch("b", func(c store.Change) { told <- c })()
		for i := range 100 {
			h.Commit(doc(put("b", "k", entryBody(i))))
		}
		for i := range 100 {
			c := <-told
			got, err := h.Get(t.Context(), "b", "k")
			if err != nil || got.Rev < c.Rev || c.Rev != uint64(i+1) {
				t.Fatalf("told %d (%d-th), got %d, %v", c.Rev, i, got.Rev, err)
			}
		}
		if _, err := h.Get(t.Context(), "b", "other"); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}},
}
