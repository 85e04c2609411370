package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/store"
)

var trimTests = []test{
	{"at once, forwards only, not beyond the end", func(_ *testing.T, h *harness) {
		h.fill(1, 1, 5)
		h.Trim(1, 2)
		h.wantStats(1, 3, 5, 18)
		h.wantEntries(1, "3 body 3", "4 body 4", "5 body 5")
		h.Trim(1, 1)
		h.wantStats(1, 3, 5, 18)
		h.Trim(1, 100)
		h.wantStats(1, 6, 5, 0)
		h.wantEntries(1)
		h.fill(1, 6, 2)
		h.wantEntries(1, "6 body 6", "7 body 7")
		h.wantStats(1, 6, 7, 12)
	}},
	{"a queue in motion", func(t *testing.T, h *harness) {
		const rounds, step = 60, 500
		for round := range rounds {
			h.fill(1, round*step+1, step)
			h.Trim(1, uint64(round*step))
			got := h.readAll(1)
			if want := fmt.Sprintf("%d %s", round*step+1, entryBody(round*step+1)); len(got) != step || got[0] != want {
				t.Fatalf("round %d: %d entries from %q, want %q", round, len(got), got[0], want)
			}
		}
	}},
	{"many small queues", func(_ *testing.T, h *harness) {
		const queues, rounds = 200, 20
		for range rounds {
			b := &store.Batch{}
			for q := range queues {
				b.Appends = append(b.Appends, add("x", store.QueueID(q)), add("y", store.QueueID(q)))
			}
			h.must(b)
			for q := range queues {
				h.Trim(store.QueueID(q), b.Appends[2*q].Seqs[0])
			}
		}
		for q := range queues {
			h.wantEntries(store.QueueID(q), fmt.Sprintf("%d y", 2*rounds))
		}
	}},
	{"a shared body lives as long as one queue has it", func(t *testing.T, h *harness) {
		body := strings.Repeat("b", 1000)
		queues := []store.QueueID{1, 2, 3, 4, 5, 6}
		const n = 10_000
		b := &store.Batch{}
		for range n {
			b.Appends = append(b.Appends, add(body, queues...))
		}
		h.must(b)
		h.must(&store.Batch{DropQueues: queues[:2]})
		for seq := uint64(1000); seq <= n; seq += 1000 {
			h.Trim(3, seq)
			h.Trim(4, seq)
			h.must(appends(add("more", 5)))
		}
		h.Trim(5, n)
		h.must(&store.Batch{DropQueues: []store.QueueID{4}})
		h.wantStats(3, n+1, n, 0)
		h.wantStats(6, 1, n, n*1000)
		got := h.readAll(6)
		if len(got) != n || got[0] != "1 "+body || got[n-1] != fmt.Sprintf("%d %s", n, body) {
			t.Fatalf("%d entries left", len(got))
		}
	}},
	{"dropping", func(t *testing.T, h *harness) {
		h.fill(1, 1, 3)
		h.fill(2, 1, 3)
		h.fill(3, 1, 3)
		h.Trim(3, 3)
		wantEqual(t, h.queueIDs(), []store.QueueID{1, 2, 3})
		h.must(&store.Batch{DropQueues: []store.QueueID{1, 1}})
		h.wantEntries(1)
		if st, err := h.QueueStats(t.Context(), 1); err != nil || st.First != st.Last+1 || st.Bytes != 0 {
			t.Fatal(st, err)
		}
		h.Trim(1, 5)
		h.wantEntries(2, "1 body 1", "2 body 2", "3 body 3")
		wantEqual(t, h.queueIDs(), []store.QueueID{2, 3})
	}},
	{"an append behind a drop makes an orphan that can be dropped", func(t *testing.T, h *harness) {
		for range 20 {
			h.fill(1, 1, 3)
			b := &store.Batch{DropQueues: []store.QueueID{1}, Appends: []store.Append{add("a", 1)}}
			h.must(b)
			h.wantEntries(1, fmt.Sprintf("%d a", b.Appends[0].Seqs[0]))
			h.Commit(&store.Batch{DropQueues: []store.QueueID{1}})
			b = appends(add("b", 1))
			h.must(b)
			h.wantEntries(1, fmt.Sprintf("%d b", b.Appends[0].Seqs[0]))
			wantEqual(t, h.queueIDs(), []store.QueueID{1})
			h.must(&store.Batch{DropQueues: []store.QueueID{1}})
			h.wantEntries(1)
			wantEqual(t, h.queueIDs(), nil)
		}
	}},
}
