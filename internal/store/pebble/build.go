package pebble

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// builder is the committer's workbench: what it knows while it builds one pebble batch.
type builder struct {
	batch  *pebble.Batch
	head   []byte            // scratch for the head of an entry
	key    []byte            // scratch for a document's key
	fresh  map[string]uint64 // the revisions of documents that the batch changes, 0 for deleted
	undo   []undo            // of the documents of one store.Batch
	counts map[uint64]uint64 // of shared bodies that the batch changes
	sweep  []*queue          // queues with entries to clear
	bodyID uint64            // the newest
	goners []*queue          // queues that the batch removes
	lastQ  *queue            // of the last append: the next one is likely to go there, too
}

type undo struct {
	key   string
	rev   uint64
	known bool // the batch had changed it before
}

// begin clears the bench for a new pebble batch.
func (b *builder) begin(db *pebble.DB) {
	b.batch = db.NewBatch()
	b.lastQ = nil
	clear(b.fresh)
	clear(b.counts)
	b.goners = b.goners[:0]
}

// build writes the batches of f. An error is one of the disk: nothing of f can be committed. A batch that must be
// refused is marked and left out.
func (l *life) build(f *flight) error {
	for i := range f.waiters {
		w := &f.waiters[i]
		if w.err != nil {
			continue
		}
		refused, err := l.buildDocs(f, w.batch.Docs)
		if err != nil {
			return err
		}
		if refused != nil {
			w.err = refused
			continue
		}
		for _, id := range w.batch.DropQueues {
			if err := l.drop(id); err != nil {
				return err
			}
		}
		for j := range w.batch.Appends {
			if err := l.buildAppend(f, &w.batch.Appends[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isShared decides where a body goes: into each entry, or once for all.
func isShared(a *store.Append) bool {
	return len(a.Queues) > inlineQueues && len(a.Body) >= inlineBytes
}

func (l *life) buildAppend(f *flight, a *store.Append) error {
	b := &l.builder
	e := entry{size: uint64(len(a.Body)), body: a.Body}
	if isShared(a) {
		b.bodyID++
		e.shared, e.id, e.body = true, b.bodyID, nil
		if err := b.addBody(a.Body, uint64(len(a.Queues))); err != nil {
			return err
		}
	}
	for i, id := range a.Queues {
		q := b.lastQ
		if q == nil || q.id != id {
			var err error
			if q, err = l.queueForAppend(id); err != nil {
				return err
			}
			b.lastQ = q
		}
		e.bytesBefore, e.sharedBefore = q.last.bytes, q.last.shared
		q.last = e.behind(q.last.seq + 1)
		a.Seqs[i] = q.last.seq
		f.touch(q)
		if err := b.addEntry(q, &e); err != nil {
			return err
		}
	}
	return nil
}

// queueForAppend loads a queue. One that was dropped and not yet forgotten lives on behind its old numbers.
func (l *life) queueForAppend(id store.QueueID) (*queue, error) {
	q, err := l.queue(id)
	if err != nil || !q.dropped {
		return q, err
	}
	q.dropped = false
	if q.gone {
		q.gone = false
		return q, l.builder.setCursor(q)
	}
	return q, l.builder.batch.Delete(idKey(kindDropped, uint64(id)), nil)
}

// touch notes how far the flight brings the queue.
func (f *flight) touch(q *queue) {
	if q.flight != f.number {
		q.flight, q.slot = f.number, len(f.touched)
		f.touched = append(f.touched, touched{q: q})
	}
	f.touched[q.slot].mark = q.last
}

func (b *builder) addEntry(q *queue, e *entry) error {
	b.head = appendEntryHead(b.head[:0], e)
	op := b.batch.SetDeferred(entryKeyLen, len(b.head)+len(e.body))
	appendEntryKey(op.Key[:0], q.id, q.last.seq)
	copy(op.Value[copy(op.Value, b.head):], e.body)
	return op.Finish()
}

// addBody writes a shared body with its count.
func (b *builder) addBody(body []byte, count uint64) error {
	op := b.batch.SetDeferred(idKeyLen, len(body))
	appendIDKey(op.Key[:0], kindBody, b.bodyID)
	copy(op.Value, body)
	if err := op.Finish(); err != nil {
		return err
	}
	return b.batch.Set(idKey(kindCount, b.bodyID), binary.AppendUvarint(nil, count), nil)
}

// drop marks a queue as dropped, so that a later turn clears it, whatever happens in between. Reads see it empty from
// now on, a moment before that is durable.
func (l *life) drop(id store.QueueID) error {
	q, err := l.queue(id)
	if err != nil || q.dropped {
		return err
	}
	q.dropped = true
	if q.last.seq == 0 {
		l.builder.remove(q)
		return nil
	}
	q.mu.Lock()
	q.trimmed = q.last.seq
	q.mu.Unlock()
	l.builder.file(q)
	return l.builder.batch.Set(idKey(kindDropped, uint64(id)), nil, nil)
}

// remove has q forgotten when the batch is applied.
func (b *builder) remove(q *queue) {
	q.gone = true
	b.goners = append(b.goners, q)
}

// forgetGoners forgets the queues that were removed, after the batch was applied: a load in between would have seen
// the old state.
func (l *life) forgetGoners() {
	for _, q := range l.builder.goners {
		if q.gone {
			l.forget(q)
		}
	}
}
