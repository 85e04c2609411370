package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

var commitTests = []test{
	{"an empty batch", func(t *testing.T, h *harness) {
		b := &store.Batch{}
		if !b.Empty() {
			t.Fatal("not empty")
		}
		h.must(b)
	}},
	{"Then in commit order", func(t *testing.T, h *harness) {
		const n = 500
		var order []int // Then is called by one goroutine at a time
		var last *store.Ticket
		for i := range n {
			b := appends(add("x", 1), add("y", 2))
			b.Then = func(err error) {
				if err != nil || b.Appends[0].Seqs[0] != uint64(i+1) || b.Appends[1].Seqs[0] != uint64(i+1) {
					t.Errorf("%d: %v, %v", i, b.Appends[0].Seqs, err)
				}
				order = append(order, i)
			}
			last = h.Commit(b)
		}
		if err := last.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(order) != n {
			t.Fatalf("%d calls", len(order))
		}
		for i := range order {
			if order[i] != i {
				t.Fatalf("the %d-th call was for %d", i, order[i])
			}
		}
	}},
	{"many committers: dense, in order, one Then at a time", testManyCommitters},
	{"Then before the ticket, with the error", func(t *testing.T, h *harness) {
		var got error
		b := doc(ifRev(put("b", "k", "v"), 7))
		b.Then = func(err error) { got = err }
		h.refused(fault.Conflict, b)
		if !fault.Is(got, fault.Conflict) {
			t.Fatalf("got %v", got)
		}
	}},
	{"Then may commit", func(t *testing.T, h *harness) {
		second := make(chan *store.Ticket, 1)
		b := appends(add("1", 1))
		b.Then = func(error) { second <- h.Commit(appends(add("2", 1))) }
		h.must(b)
		if err := (<-second).Wait(); err != nil {
			t.Fatal(err)
		}
		h.wantEntries(1, "1 1", "2 2")
	}},
	{"a batch is used again and again", func(_ *testing.T, h *harness) {
		b := &store.Batch{}
		for i := range 200 {
			b.Docs = append(b.Docs, put("b", "k", entryBody(i)))
			b.Appends = append(b.Appends, add(entryBody(i), 1))
			h.must(b)
			b.Reset()
		}
		h.wantDoc("b", "k", 200, entryBody(199))
		h.wantStats(1, 1, 200, 10*6+90*7+100*8)
	}},
	{"documents before appends", func(t *testing.T, h *harness) {
		const n = 300
		var watching sync.WaitGroup
		watching.Go(func() {
			for seen := uint64(0); seen < n; {
				st, err := h.QueueStats(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				if st.Last == seen {
					continue
				}
				seen = st.Last
				d, err := h.Get(t.Context(), "b", "k")
				if err != nil || d.Rev < seen {
					t.Errorf("entry %d is there, the document has revision %d (%v)", seen, d.Rev, err)
					return
				}
			}
		})
		for range n {
			h.Commit(&store.Batch{Docs: []store.DocOp{put("b", "k", "v")}, Appends: []store.Append{add("x", 1)}})
		}
		watching.Wait()
	}},
	{"everything at once", testEverythingAtOnce},
}

func testManyCommitters(t *testing.T, h *harness) {
	const committers, rounds, per = 16, 50, 5
	var inThen, next int // not guarded: the race detector checks the promise
	var all sync.WaitGroup
	for c := range committers {
		all.Go(func() {
			b := &store.Batch{}
			for round := range rounds {
				for i := range per {
					b.Appends = append(b.Appends, add(fmt.Sprintf("%d %d", c, round*per+i), 1))
				}
				b.Then = func(err error) {
					inThen++
					for _, a := range b.Appends {
						if next++; err != nil || inThen != 1 || a.Seqs[0] != uint64(next) {
							t.Errorf("got %d, want %d: %v", a.Seqs[0], next, err)
						}
					}
					inThen--
				}
				if err := h.Commit(b).Wait(); err != nil {
					t.Error(err)
					return
				}
				b.Reset()
			}
		})
	}
	all.Wait()
	h.wantStats(1, 1, committers*rounds*per, statsBytes(committers, rounds*per))
	wantEachInOrder(t, h.readAll(1), committers, rounds*per)
}

func statsBytes(committers, n int) (bytes int64) {
	for c := range committers {
		for i := range n {
			bytes += int64(len(fmt.Sprintf("%d %d", c, i)))
		}
	}
	return bytes
}

// wantEachInOrder checks that each committer's entries are all there, in the committer's own order.
func wantEachInOrder(t *testing.T, entries []string, committers, n int) {
	t.Helper()
	next := make([]int, committers)
	for _, e := range entries {
		var seq, c, i int
		if _, err := fmt.Sscanf(e, "%d %d %d", &seq, &c, &i); err != nil || next[c] != i {
			t.Fatalf("entry %q, want number %d of %d: %v", e, next[c], c, err)
		}
		next[c]++
	}
	for c := range next {
		if next[c] != n {
			t.Fatalf("committer %d: %d of %d entries", c, next[c], n)
		}
	}
}

func testEverythingAtOnce(t *testing.T, h *harness) {
	const rounds = 150
	var all sync.WaitGroup
	defer h.Watch("b", func(store.Change) {})()
	for w := range 4 {
		q := store.QueueID(w)
		all.Go(func() {
			b := &store.Batch{}
			for i := range rounds {
				b.Docs = append(b.Docs, put("b", fmt.Sprint(w, i%10), "v"))
				b.Appends = append(b.Appends, add("own", q), add("shared"+string(make([]byte, 300)), 0, 1, 2, 3, 9))
				if i%50 == 49 {
					b.DropQueues = append(b.DropQueues, 9)
				}
				if err := h.Commit(b).Wait(); err != nil {
					t.Error(err)
				}
				b.Reset()
			}
		})
		all.Go(func() {
			for range rounds {
				entries, err := h.Read(t.Context(), q, 0, 20, 1<<20, nil)
				if err != nil {
					t.Error(err)
				}
				for i, e := range entries {
					if i > 0 && e.Seq != entries[i-1].Seq+1 {
						t.Errorf("a hole before %d", e.Seq)
					}
				}
				if len(entries) > 0 {
					h.Trim(q, entries[len(entries)/2].Seq)
				}
				if st, err := h.QueueStats(t.Context(), q); err != nil || st.First > st.Last+1 || st.Bytes < 0 {
					t.Errorf("%+v, %v", st, err)
				}
			}
		})
		all.Go(func() {
			for range rounds / 5 {
				for _, err := range h.List(t.Context(), "b", "", "", 0) {
					if err != nil {
						t.Error(err)
					}
				}
				for _, err := range h.QueueIDs(t.Context()) {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	for q := range store.QueueID(4) {
		st, err := h.QueueStats(t.Context(), q)
		if err != nil || st.Last != 5*rounds {
			t.Errorf("queue %d: %+v, %v", q, st, err)
		}
	}
}
