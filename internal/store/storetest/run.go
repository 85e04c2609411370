package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// driver is what a test gets: a fresh store, and perhaps a way to close and open it again.
type driver struct {
	open   func(t *testing.T) store.Store
	reopen func(t *testing.T, s store.Store) store.Store
}

// Run holds the contract against a driver. open makes an empty store; Run closes it. reopen closes a store and opens
// it again with what was durable; it is nil for a driver that keeps nothing.
func Run(t *testing.T, open func(t *testing.T) store.Store, reopen func(t *testing.T, s store.Store) store.Store) {
	t.Helper()
	d := driver{open, reopen}
	groups := []struct {
		name  string
		tests []test
	}{
		{"Docs", docTests},
		{"List", listTests},
		{"Watch", watchTests},
		{"Queues", queueTests},
		{"Trim", trimTests},
		{"Commit", commitTests},
		{"Close", closeTests},
		{"Bus", busTests},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) { d.runAll(t, group.tests) })
	}
	if reopen != nil {
		t.Run("Reopen", func(t *testing.T) { d.runAll(t, reopenTests) })
	}
}

// test is one sentence of the contract.
type test struct {
	name string
	run  func(t *testing.T, h *harness)
}

func (d driver) runAll(t *testing.T, tests []test) {
	t.Helper()
	for _, one := range tests {
		t.Run(one.name, func(t *testing.T) {
			h := &harness{Store: d.open(t), t: t, driver: d}
			defer func() {
				if err := h.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			one.run(t, h)
		})
	}
}

// harness is a store with the words that tests speak in.
type harness struct {
	store.Store
	t      *testing.T
	driver driver
}

// again closes the store and opens it again.
func (h *harness) again() {
	h.t.Helper()
	h.Store = h.driver.reopen(h.t, h.Store)
}

// must commits a batch that succeeds.
func (h *harness) must(b *store.Batch) {
	h.t.Helper()
	if err := h.Commit(b).Wait(); err != nil {
		h.t.Fatalf("commit: %v", err)
	}
}

// refused commits a batch that must fail with a kind.
func (h *harness) refused(kind fault.Kind, b *store.Batch) {
	h.t.Helper()
	if err := h.Commit(b).Wait(); !fault.Is(err, kind) {
		h.t.Fatalf("commit: got error %v, want one of kind %v", err, kind)
	}
}

// put is an operation that always succeeds.
func put(bucket, key, value string) store.DocOp {
	return store.DocOp{Bucket: bucket, Key: key, Value: []byte(value)}
}

// remove deletes a document of the bucket b.
func remove(key string) store.DocOp {
	return store.DocOp{Bucket: "b", Key: key, Delete: true}
}

// doc is a batch of document operations.
func doc(ops ...store.DocOp) *store.Batch { return &store.Batch{Docs: ops} }

// add is an append of one body to some queues.
func add(body string, queues ...store.QueueID) store.Append {
	return store.Append{Queues: queues, Body: []byte(body), Seqs: make([]uint64, len(queues))}
}

func appends(all ...store.Append) *store.Batch { return &store.Batch{Appends: all} }

// fill commits n entries to a queue, in batches; their bodies are entryBody(first), entryBody(first+1)...
func (h *harness) fill(q store.QueueID, first, n int) {
	h.t.Helper()
	b := &store.Batch{}
	for i := range n {
		b.Appends = append(b.Appends, add(entryBody(first+i), q))
		if len(b.Appends) == 1000 || i == n-1 {
			h.must(b)
			b = &store.Batch{}
		}
	}
}

func entryBody(i int) string { return fmt.Sprintf("body %d", i) }

// wantDoc checks a document; rev 0 means that it is not there.
func (h *harness) wantDoc(bucket, key string, rev uint64, value string) {
	h.t.Helper()
	got, err := h.Get(context.Background(), bucket, key)
	if rev == 0 {
		if !fault.Is(err, fault.NotFound) {
			h.t.Fatalf("get %s/%s: got %v, error %v, want not found", bucket, key, got, err)
		}
		return
	}
	if err != nil {
		h.t.Fatalf("get %s/%s: %v", bucket, key, err)
	}
	if got.Key != key || got.Rev != rev || string(got.Value) != value {
		h.t.Fatalf("get %s/%s: got %q rev %d %q, want rev %d %q", bucket, key, got.Key, got.Rev, got.Value, rev, value)
	}
}

// read gets entries as "seq body" words.
func (h *harness) read(q store.QueueID, after uint64, limit, maxBytes int) []string {
	h.t.Helper()
	entries, err := h.Read(context.Background(), q, after, limit, maxBytes, nil)
	if err != nil {
		h.t.Fatalf("read: %v", err)
	}
	var words []string
	for _, e := range entries {
		words = append(words, fmt.Sprintf("%d %s", e.Seq, e.Body))
	}
	return words
}

// readAll gets all entries.
func (h *harness) readAll(q store.QueueID) []string {
	h.t.Helper()
	return h.read(q, 0, 1<<30, 1<<30)
}

func (h *harness) wantEntries(q store.QueueID, want ...string) {
	h.t.Helper()
	wantEqual(h.t, h.readAll(q), want)
}

func (h *harness) wantStats(q store.QueueID, first, last uint64, bytes int64) {
	h.t.Helper()
	got, err := h.QueueStats(context.Background(), q)
	if err != nil {
		h.t.Fatalf("stats: %v", err)
	}
	if want := (store.QueueStats{First: first, Last: last, Bytes: bytes}); got != want {
		h.t.Fatalf("stats: got %+v, want %+v", got, want)
	}
}

func (h *harness) queueIDs() []store.QueueID {
	h.t.Helper()
	var ids []store.QueueID
	for id, err := range h.QueueIDs(context.Background()) {
		if err != nil {
			h.t.Fatalf("queue ids: %v", err)
		}
		ids = append(ids, id)
	}
	return ids
}
