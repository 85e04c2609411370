package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Ground is what a store stands on, in the hands of a test.
type Ground struct {
	Break func() // from now on nothing can be made durable
	Mend  func() // from now on it can
}

// RunResume holds a driver to what it promises when the ground under it fails and is mended: it refuses while it is
// degraded, goes on by itself, and then nobody can tell that what failed was ever tried, but from documents. open makes
// an empty store; RunResume closes it.
func RunResume(t *testing.T, open func(t *testing.T) (store.Store, Ground)) {
	t.Helper()
	for _, one := range resumeTests {
		t.Run(one.name, func(t *testing.T) {
			s, ground := open(t)
			h := &harness{Store: s, t: t}
			defer func() {
				if err := h.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			one.run(t, &shaken{h, ground})
		})
	}
}

// shaken is a harness whose ground can fail.
type shaken struct {
	*harness
	Ground
}

// fail breaks the ground and commits b, which is refused.
func (h *shaken) fail(b *store.Batch) {
	h.t.Helper()
	h.Break()
	h.refused(fault.Unavailable, b)
}

// recover mends the ground and commits until the store takes something.
func (h *shaken) recover() {
	h.t.Helper()
	h.Mend()
	for {
		err := h.Commit(doc(put("recover", "k", "v"))).Wait()
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unavailable) {
			h.t.Fatalf("commit: %v", err)
		}
	}
}

var resumeTests = []struct {
	name string
	run  func(t *testing.T, h *shaken)
}{
	{"it goes on where it was", func(_ *testing.T, h *shaken) {
		body := strings.Repeat("x", 300)
		h.fill(1, 1, 5)
		h.must(doc(put("b", "k", "1")))
		h.fail(appends(add("lost", 1, 2), add(body, 1, 2, 3, 4, 5, 6)))
		h.refused(fault.Unavailable, appends(add("lost", 1)))
		h.wantStats(1, 1, 5, statsOf(1, 5))
		h.wantStats(2, 1, 0, 0)
		h.wantDoc("b", "k", 1, "1")
		h.recover()
		h.wantStats(1, 1, 5, statsOf(1, 5))
		h.wantStats(2, 1, 0, 0)
		h.fill(1, 6, 1)
		h.must(appends(add(body, 1, 2, 3, 4, 5, 6)))
		h.wantStats(1, 1, 7, statsOf(1, 6)+300)
		h.wantEntries(2, "1 "+body)
		h.wantDoc("b", "k", 1, "1")
	}},
	{"what was trimmed stays trimmed", func(_ *testing.T, h *shaken) {
		h.fill(1, 1, 10)
		h.fill(2, 1, 10)
		h.Trim(1, 3)
		h.fail(appends(add("lost", 1)))
		h.Trim(2, 4)
		h.Trim(1, 11) // of which the last was never there
		h.recover()
		h.wantStats(1, 11, 10, 0)
		h.wantStats(2, 5, 10, statsOf(5, 10))
		h.fill(1, 11, 1)
		h.wantEntries(1, "11 body 11")
	}},
	{"a queue that could not be dropped can be dropped later", func(t *testing.T, h *shaken) {
		h.fill(1, 1, 3)
		h.fail(&store.Batch{DropQueues: []store.QueueID{1}})
		h.recover()
		h.must(&store.Batch{DropQueues: []store.QueueID{1}})
		h.wantEntries(1)
		wantEqual(t, h.queueIDs(), nil)
	}},
	{"a queue that came with what failed", func(t *testing.T, h *shaken) {
		h.fail(appends(add("lost", 9)))
		h.recover()
		h.wantStats(9, 1, 0, 0)
		wantEqual(t, h.queueIDs(), nil)
		h.fill(9, 1, 2)
		h.wantEntries(9, "1 body 1", "2 body 2")
	}},
	{"documents are what those who watch were told", func(t *testing.T, h *shaken) {
		told := map[string]uint64{}
		var mu sync.Mutex
		defer h.Watch("b", func(c store.Change) {
			mu.Lock()
			defer mu.Unlock()
			told[c.Key] = c.Rev
			if c.Deleted {
				told[c.Key] = 0
			}
		})()
		h.must(doc(put("b", "changed", "1"), put("b", "gone", "1"), put("b", "same", "1")))
		for range 5 {
			h.fail(doc(put("b", "changed", "2"), remove("gone"), put("b", "new", "1")))
			h.recover()
			for _, key := range []string{"changed", "gone", "new", "same"} {
				d, err := h.Get(t.Context(), "b", key)
				if err != nil && !fault.Is(err, fault.NotFound) {
					t.Fatal(err)
				}
				mu.Lock()
				if d.Rev != told[key] {
					t.Errorf("%s has revision %d, told was %d", key, d.Rev, told[key])
				}
				mu.Unlock()
			}
		}
	}},
	{"nothing acknowledged is lost, nothing that failed is there", testShaking},
}

// testShaking commits from several goroutines while the ground fails again and again.
func testShaking(t *testing.T, h *shaken) {
	const committers, rounds, queues = 4, 4, 6
	l := &ledger{entries: map[store.QueueID][]string{}, revs: map[string]uint64{}}
	var working sync.WaitGroup
	for range rounds {
		for c := range committers {
			working.Go(func() { l.work(t, h, c) }) // until it is refused
		}
		for i := range 50 {
			h.must(appends(add(fmt.Sprint("before the shock ", i), queues)))
		}
		for !h.refuses() {
		}
		working.Wait()
		h.recover()
	}
	for q := range store.QueueID(queues) {
		got := h.readAll(q)
		if !slices.Equal(got, l.entries[q]) {
			t.Errorf("queue %d: %d entries were acknowledged, %d are there", q, len(l.entries[q]), len(got))
			wantEqual(t, got, l.entries[q])
		}
	}
	for key, rev := range l.revs {
		if d, err := h.Get(t.Context(), "b", key); err != nil || d.Rev < rev {
			t.Errorf("document %s: revision %d was acknowledged, now %d, %v", key, rev, d.Rev, err)
		}
	}
}

// refuses breaks the ground and reports whether that has reached the store.
func (h *shaken) refuses() bool {
	h.Break()
	return fault.Is(h.Commit(doc(put("refuses", "k", "v"))).Wait(), fault.Unavailable)
}

// ledger is what was acknowledged; Then alone writes to it, so it has no lock and the race detector watches.
type ledger struct {
	entries map[store.QueueID][]string
	revs    map[string]uint64
}

// work commits and reads until a commit is refused, and reads a little more.
func (l *ledger) work(t *testing.T, h *shaken, c int) {
	key := fmt.Sprintf("k%d", c)
	var err error
	for i := 0; !fault.Is(err, fault.Unavailable); i++ {
		ids := []store.QueueID{0, 1, 2, 3, 4, 5}[:1+(c+i)%6]
		b := appends(add(fmt.Sprintf("%d %d %s", c, i, strings.Repeat("x", i%500)), ids...), add("own", store.QueueID(c)))
		d, missing := h.Get(t.Context(), "b", key)
		if missing == nil || fault.Is(missing, fault.NotFound) {
			b.Docs = []store.DocOp{ifRev(put("b", key, "v"), d.Rev)}
		}
		b.Then = func(err error) {
			if err == nil {
				l.note(b, key, d.Rev+1)
			}
		}
		err = h.Commit(b).Wait()
		if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Conflict) {
			t.Error(err)
			return
		}
		lookAround(t, h, store.QueueID(c))
	}
	for range 20 {
		lookAround(t, h, store.QueueID(c))
	}
}

func (l *ledger) note(b *store.Batch, key string, rev uint64) {
	for _, a := range b.Appends {
		for i, q := range a.Queues {
			l.entries[q] = append(l.entries[q], fmt.Sprintf("%d %s", a.Seqs[i], a.Body))
		}
	}
	if len(b.Docs) > 0 {
		l.revs[key] = max(l.revs[key], rev)
	}
}

// lookAround reads: what it gets is whole, or the store says that it is unavailable.
func lookAround(t *testing.T, h *shaken, q store.QueueID) {
	check := func(err error) {
		if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.NotFound) {
			t.Errorf("a read failed: %v", err)
		}
	}
	stats, err := h.QueueStats(context.Background(), q)
	check(err)
	after := max(stats.Last, 5) - 5
	entries, err := h.Read(context.Background(), q, after, 10, 1<<20, nil)
	check(err)
	for i, e := range entries {
		if e.Seq != after+uint64(i)+1 {
			t.Errorf("queue %d: entry %d follows %d", q, e.Seq, after)
		}
	}
	for _, err := range h.List(context.Background(), "b", "", "", 0) {
		check(err)
	}
}
