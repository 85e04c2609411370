package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/store"
)

var queueTests = []test{
	{"dense numbers, one body to many queues", func(t *testing.T, h *harness) {
		b := appends(add("a", 1), add("b", 1, 2, 3), add("c", 3, 1, 3))
		h.must(b)
		wantEqual(t, [][]uint64{b.Appends[0].Seqs, b.Appends[1].Seqs, b.Appends[2].Seqs}, [][]uint64{{1}, {2, 1, 1}, {2, 3, 3}})
		h.must(appends(add("d", 2)))
		h.wantEntries(1, "1 a", "2 b", "3 c")
		h.wantEntries(2, "1 b", "2 d")
		h.wantEntries(3, "1 b", "2 c", "3 c")
		h.wantStats(1, 1, 3, 3)
		h.wantStats(2, 1, 2, 2)
	}},
	{"a queue that never was", func(t *testing.T, h *harness) {
		h.wantEntries(9)
		h.wantStats(9, 1, 0, 0)
		h.Trim(9, 5)
		h.must(&store.Batch{DropQueues: []store.QueueID{9}})
		h.wantStats(9, 1, 0, 0)
		wantEqual(t, h.queueIDs(), nil)
		h.must(appends(add("a", 9)))
		h.wantEntries(9, "1 a")
	}},
	{"the first and the last id", func(t *testing.T, h *harness) {
		last := ^store.QueueID(0)
		h.must(appends(add("a", 0), add("b", last), add("c", last-1)))
		h.wantEntries(0, "1 a")
		h.wantEntries(last, "1 b")
		wantEqual(t, h.queueIDs(), []store.QueueID{0, last - 1, last})
	}},
	{"bodies of all sizes to any number of queues", func(t *testing.T, h *harness) {
		for _, queues := range []int{1, 4, 5, 100} {
			for _, size := range []int{0, 1, 255, 256, 1 << 10, 150_000} {
				t.Run(fmt.Sprintf("%d bytes to %d", size, queues), func(*testing.T) {
					ids := make([]store.QueueID, queues)
					for i := range ids {
						ids[i] = store.NewQueueID()
					}
					body := strings.Repeat("x", size)
					h.must(appends(add(body, ids...), add("next", ids...)))
					for _, id := range ids {
						h.wantEntries(id, "1 "+body, "2 next")
						h.wantStats(id, 1, 2, int64(size+4))
					}
				})
			}
		}
	}},
	{"read after, limit and bytes", func(t *testing.T, h *harness) {
		for i := 1; i <= 6; i++ {
			h.must(appends(add(strings.Repeat("x", i), 1)))
		}
		h.Trim(1, 1)
		for _, c := range []struct {
			after           uint64
			limit, maxBytes int
			want            []int
		}{
			{0, 100, 100, []int{2, 3, 4, 5, 6}},
			{1, 2, 100, []int{2, 3}},
			{4, 100, 100, []int{5, 6}},
			{6, 100, 100, nil},
			{100, 100, 100, nil},
			{0, 0, 100, nil},
			{0, 100, 0, []int{2}},
			{0, 100, 2, []int{2}},
			{0, 100, 3, []int{2, 3}},
			{0, 100, 9, []int{2, 3, 4}},
			{0, 100, 10, []int{2, 3, 4, 5}},
		} {
			var want []string
			for _, seq := range c.want {
				want = append(want, fmt.Sprintf("%d %s", seq, strings.Repeat("x", seq)))
			}
			t.Run(fmt.Sprintf("after %d, %d, %d bytes", c.after, c.limit, c.maxBytes), func(t *testing.T) {
				wantEqual(t, h.read(1, c.after, c.limit, c.maxBytes), want)
			})
		}
	}},
	{"read appends to what is there", func(t *testing.T, h *harness) {
		h.must(appends(add("a", 1)))
		got, err := h.Read(t.Context(), 1, 0, 10, 10, []store.Entry{{Seq: 42}})
		if err != nil || len(got) != 2 || got[0].Seq != 42 || got[1].Seq != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
	}},
	{"bodies belong to the caller", func(t *testing.T, h *harness) {
		body := []byte(strings.Repeat("a", 300))
		want := "1 " + string(body)
		queues := []store.QueueID{1, 2, 3, 4, 5, 6}
		h.must(appends(store.Append{Queues: queues, Body: body, Seqs: make([]uint64, 6)}, add("next", 1)))
		clear(body)
		entries, err := h.Read(t.Context(), 1, 0, 10, 1000, nil)
		if err != nil || len(entries) != 2 {
			t.Fatal(entries, err)
		}
		clear(entries[0].Body)
		_ = append(entries[0].Body, "over the end"...)
		if string(entries[1].Body) != "next" {
			t.Fatalf("the next body became %q", entries[1].Body)
		}
		for _, q := range queues {
			if got := h.read(q, 0, 1, 1); !slices.Equal(got, []string{want}) {
				t.Fatalf("queue %d: %q", q, got)
			}
		}
	}},
	{"a long queue", func(t *testing.T, h *harness) {
		const n = 20_000
		h.fill(1, 1, n)
		var after uint64
		for want := uint64(1); want <= n; {
			entries, err := h.Read(t.Context(), 1, after, 1500, 1<<20, nil)
			if err != nil || len(entries) == 0 {
				t.Fatal(len(entries), err)
			}
			for _, e := range entries {
				if e.Seq != want || string(e.Body) != entryBody(int(want)) {
					t.Fatalf("got %d %q, want %d", e.Seq, e.Body, want)
				}
				want++
			}
			after = entries[len(entries)-1].Seq
		}
	}},
}
