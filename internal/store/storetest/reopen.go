package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

var reopenTests = []test{
	{"documents and their revisions", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "k", "1"), put("b", "k", "2"), put("b", "gone", "x")))
		h.must(doc(remove("gone")))
		h.again()
		h.wantDoc("b", "k", 2, "2")
		h.wantDoc("b", "gone", 0, "")
		h.refused(fault.Conflict, doc(ifRev(put("b", "k", "3"), 1)))
		h.must(doc(ifRev(put("b", "k", "3"), 2)))
		wantEqual(t, h.keys("b", "", "", 0), []string{"k"})
	}},
	{"queues go on with their numbers", func(t *testing.T, h *harness) {
		h.fill(1, 1, 5)
		h.Trim(1, 2)
		h.again()
		h.wantStats(1, 3, 5, 18)
		h.wantEntries(1, "3 body 3", "4 body 4", "5 body 5")
		h.fill(1, 6, 1)
		h.wantEntries(1, "3 body 3", "4 body 4", "5 body 5", "6 body 6")
		h.again()
		h.wantStats(1, 3, 6, 24)
		wantEqual(t, h.queueIDs(), []store.QueueID{1})
	}},
	{"numbers are not used twice after a trim to empty", func(_ *testing.T, h *harness) {
		for _, n := range []int{3, 10_000} {
			q := store.NewQueueID()
			last := 0
			for range 3 {
				h.fill(q, last+1, n)
				last += n
				h.Trim(q, uint64(last))
				h.again()
				h.wantStats(q, uint64(last+1), uint64(last), 0)
				h.wantEntries(q)
			}
			h.fill(q, last+1, 1)
			h.wantEntries(q, fmt.Sprintf("%d %s", last+1, entryBody(last+1)))
		}
	}},
	{"dropped queues are gone", func(t *testing.T, h *harness) {
		body := strings.Repeat("x", 500)
		for range 100 {
			h.must(appends(add(body, 1, 2, 3, 4, 5, 6), add("own", 7)))
		}
		h.must(&store.Batch{DropQueues: []store.QueueID{1, 2, 7}})
		h.again()
		for _, q := range []store.QueueID{1, 2, 7} {
			h.wantEntries(q)
		}
		wantEqual(t, h.queueIDs(), []store.QueueID{3, 4, 5, 6})
		h.must(&store.Batch{DropQueues: []store.QueueID{3, 4, 5}})
		h.again()
		h.wantStats(6, 1, 100, 50_000)
		if got := h.readAll(6); len(got) != 100 || got[99] != "100 "+body {
			t.Fatalf("%d entries", len(got))
		}
		wantEqual(t, h.queueIDs(), []store.QueueID{6})
	}},
	{"shared bodies made before and after", func(_ *testing.T, h *harness) {
		queues := []store.QueueID{1, 2, 3, 4, 5}
		one, two := strings.Repeat("1", 300), strings.Repeat("2", 300)
		h.must(appends(add(one, queues...)))
		h.again()
		h.must(appends(add(two, queues...)))
		h.Trim(1, 1)
		h.again()
		h.wantEntries(1, "2 "+two)
		for _, q := range queues[1:] {
			h.wantEntries(q, "1 "+one, "2 "+two)
			h.wantStats(q, 1, 2, 600)
		}
	}},
	{"a trim in the middle of what came together", func(t *testing.T, h *harness) {
		h.fill(1, 1, 2500)
		for _, seq := range []uint64{1, 700, 999, 1000, 1001, 2499} {
			h.Trim(1, seq)
			h.again()
			h.wantStats(1, seq+1, 2500, statsOf(seq+1, 2500))
			got := h.read(1, seq+100, 3, 1<<20)
			if want := max(0, min(3, 2500-int(seq)-100)); len(got) != want || want > 0 && got[0] != fmt.Sprintf("%d %s", seq+101, entryBody(int(seq)+101)) {
				t.Fatalf("trimmed to %d: %d entries: %q", seq, len(got), got)
			}
			wantEqual(t, h.read(1, 0, 1, 1), []string{fmt.Sprintf("%d %s", seq+1, entryBody(int(seq)+1))})
		}
	}},
	{"a clean close loses no trim", func(_ *testing.T, h *harness) {
		for q := range store.QueueID(50) {
			h.fill(q, 1, 10)
			h.Trim(q, uint64(q)%10)
		}
		h.again()
		for q := range store.QueueID(50) {
			h.wantStats(q, uint64(q)%10+1, 10, statsOf(uint64(q)%10+1, 10))
		}
	}},
}

func statsOf(first, last uint64) (bytes int64) {
	for i := first; i <= last; i++ {
		bytes += int64(len(entryBody(int(i))))
	}
	return bytes
}
