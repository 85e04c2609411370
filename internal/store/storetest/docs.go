package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

func wantEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("got (+), want (-):\n%s", diff)
	}
}

func when(op store.DocOp, c store.Condition) store.DocOp {
	op.If = c
	return op
}

func ifAbsent(op store.DocOp) store.DocOp { return when(op, store.Condition{Absent: true}) }

func ifRev(op store.DocOp, rev uint64) store.DocOp { return when(op, store.Condition{Rev: rev}) }

var docTests = []test{
	{"a document's life", func(_ *testing.T, h *harness) {
		h.wantDoc("b", "k", 0, "")
		h.must(doc(put("b", "k", "one")))
		h.wantDoc("b", "k", 1, "one")
		h.must(doc(put("b", "k", "two")))
		h.wantDoc("b", "k", 2, "two")
		h.must(doc(remove("k")))
		h.wantDoc("b", "k", 0, "")
		h.must(doc(put("b", "k", "three")))
		h.wantDoc("b", "k", 1, "three")
	}},
	{"buckets and keys do not mix", func(_ *testing.T, h *harness) {
		h.must(doc(put("a", "bc", "1"), put("ab", "c", "2"), put("abc", "", "3"), put("a", "b\x00c", "4"), put("a", "\xff", "5")))
		h.wantDoc("a", "bc", 1, "1")
		h.wantDoc("ab", "c", 1, "2")
		h.wantDoc("abc", "", 1, "3")
		h.wantDoc("a", "b\x00c", 1, "4")
		h.wantDoc("a", "\xff", 1, "5")
		h.wantDoc("a", "b", 0, "")
	}},
	{"empty and large values", func(_ *testing.T, h *harness) {
		large := strings.Repeat("x", 1<<20)
		h.must(doc(put("b", "empty", ""), put("b", "large", large)))
		h.wantDoc("b", "empty", 1, "")
		h.wantDoc("b", "large", 1, large)
	}},
	{"conditions", testConditions},
	{"a conflict refuses the whole batch and nothing else", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "there", "1")))
		good := &store.Batch{Docs: []store.DocOp{put("b", "before", "x")}, Appends: []store.Append{add("before", 7)}}
		bad := &store.Batch{
			Docs:       []store.DocOp{put("b", "new", "x"), remove("there"), put("b", "before", "y"), ifAbsent(put("b", "there", "y")), ifRev(put("b", "there", "z"), 9)},
			DropQueues: []store.QueueID{7},
			Appends:    []store.Append{add("lost", 7, 8)},
		}
		after := &store.Batch{Docs: []store.DocOp{ifRev(put("b", "before", "z"), 1)}, Appends: []store.Append{add("after", 7, 8)}}
		tickets := []*store.Ticket{h.Commit(good), h.Commit(bad), h.Commit(after)}
		if err := tickets[0].Wait(); err != nil {
			t.Fatal(err)
		}
		if err := tickets[1].Wait(); !fault.Is(err, fault.Conflict) {
			t.Fatalf("got %v, want a conflict", err)
		}
		if err := tickets[2].Wait(); err != nil {
			t.Fatal(err)
		}
		h.wantDoc("b", "new", 0, "")
		h.wantDoc("b", "there", 1, "1")
		h.wantDoc("b", "before", 2, "z")
		h.wantEntries(7, "1 before", "2 after")
		h.wantEntries(8, "1 after")
	}},
	{"operations of one batch see those before them", func(_ *testing.T, h *harness) {
		h.must(doc(ifAbsent(put("b", "k", "1")), ifRev(put("b", "k", "2"), 1), ifRev(remove("k"), 2), ifAbsent(put("b", "k", "3"))))
		h.wantDoc("b", "k", 1, "3")
		h.must(doc(put("b", "k", "4"), put("b", "k", "5")))
		h.wantDoc("b", "k", 3, "5")
		h.must(doc(put("b", "k", "6"), remove("k")))
		h.wantDoc("b", "k", 0, "")
	}},
	{"a chain of revisions committed without waiting", func(t *testing.T, h *harness) {
		var tickets []*store.Ticket
		tickets = append(tickets, h.Commit(doc(ifAbsent(put("b", "k", "0")))))
		for rev := uint64(1); rev <= 200; rev++ {
			tickets = append(tickets, h.Commit(doc(ifRev(put("b", "k", "x"), rev))), h.Commit(doc(ifRev(put("b", "k", "y"), rev))))
		}
		for i, ticket := range tickets {
			err := ticket.Wait()
			if lost := i > 0 && i%2 == 0; fault.Is(err, fault.Conflict) != lost || !lost && err != nil {
				t.Fatalf("commit %d: %v", i, err)
			}
		}
		h.wantDoc("b", "k", 201, "x")
	}},
	{"a bucket has a name without NUL", func(_ *testing.T, h *harness) {
		h.refused(fault.Invalid, doc(put("", "k", "v")))
		h.refused(fault.Invalid, doc(put("a\x00b", "k", "v")))
	}},
	{"values belong to the caller", func(t *testing.T, h *harness) {
		value := []byte("before")
		b := doc(store.DocOp{Bucket: "b", Key: "k", Value: value})
		h.must(b)
		copy(value, "after!")
		h.wantDoc("b", "k", 1, "before")
		got, err := h.Get(context.Background(), "b", "k")
		if err != nil {
			t.Fatal(err)
		}
		copy(got.Value, "mine!!")
		h.wantDoc("b", "k", 1, "before")
		for got, err := range h.List(context.Background(), "b", "", "", 0) {
			if err != nil {
				t.Fatal(err)
			}
			copy(got.Value, "mine!!")
		}
		h.wantDoc("b", "k", 1, "before")
	}},
	{"a cancelled context ends a read", func(t *testing.T, h *harness) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := h.Get(ctx, "b", "k"); err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("get: %v", err)
		}
		if _, err := h.Read(ctx, 1, 0, 1, 1, nil); err == nil {
			t.Error("read went on")
		}
	}},
}

func testConditions(_ *testing.T, h *harness) {
	const there, absent = "there", "absent"
	h.must(doc(put("b", there, "1")))
	h.must(doc(put("b", there, "2")))
	for _, c := range []struct {
		op store.DocOp
		ok bool
	}{
		{ifAbsent(put("b", there, "x")), false},
		{ifRev(put("b", there, "x"), 1), false},
		{ifRev(put("b", there, "x"), 3), false},
		{ifRev(put("b", absent, "x"), 1), false},
		{ifAbsent(remove(there)), false},
		{ifRev(remove(there), 1), false},
		{ifRev(remove(absent), 1), false},
		{when(put("b", there, "x"), store.Condition{Absent: true, Rev: 2}), false},
		{remove(absent), true},
		{ifAbsent(remove(absent)), true},
		{ifAbsent(put("b", "new", "x")), true},
		{ifRev(put("b", there, "3"), 2), true},
		{ifRev(remove(there), 3), true},
	} {
		if c.ok {
			h.must(doc(c.op))
			continue
		}
		h.refused(fault.Conflict, doc(c.op))
		h.wantDoc("b", there, 2, "2")
		h.wantDoc("b", absent, 0, "")
	}
	h.wantDoc("b", "new", 1, "x")
	h.wantDoc("b", there, 0, "")
}
