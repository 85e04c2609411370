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
	blocks []openBlock       // of the queues in flight.touched, in their order
	bodies []waitingBody     // of all blocks
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
	b.blocks = b.blocks[:0]
	clear(b.bodies)
	b.bodies = b.bodies[:0]
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
			if err := l.drop(f, id); err != nil {
				return err
			}
		}
		for j := range w.batch.Appends {
			if err := l.buildAppend(f, &w.batch.Appends[j]); err != nil {
				return err
			}
		}
	}
	return l.builder.writeBlocks(f)
}

// isShared decides where a body goes: into each entry, or once for all.
func isShared(a *store.Append) bool {
	return len(a.Queues) > inlineQueues && len(a.Body) >= inlineBytes
}

func (l *life) buildAppend(f *flight, a *store.Append) error {
	b := &l.builder
	e := entry{size: uint64(len(a.Body))}
	if isShared(a) {
		b.bodyID++
		e.shared, e.id = true, b.bodyID
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
		before := q.last
		e.bytesBefore, e.sharedBefore = before.bytes, before.shared
		q.last = e.behind(before.seq + 1)
		a.Seqs[i] = q.last.seq
		b.touch(f, q)
		var err error
		if e.shared {
			err = b.addShared(q, &e)
		} else {
			err = b.addInline(q, before, a.Body)
		}
		if err != nil {
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
	if err := l.builder.batch.Delete(idKey(kindDropped, uint64(id)), nil); err != nil {
		return nil, err
	}
	return q, l.builder.setCursor(q) // what was dropped must not come back with a restart
}

// touch notes how far the flight brings the queue.
func (b *builder) touch(f *flight, q *queue) {
	if q.flight != f.number {
		q.flight, q.slot = f.number, len(f.touched)
		f.touched = append(f.touched, touched{q: q})
		b.blocks = append(b.blocks, openBlock{})
	}
	f.touched[q.slot].mark = q.last
}

// addShared writes an entry that refers to a shared body, behind what waits for the queue.
func (b *builder) addShared(q *queue, e *entry) error {
	if err := b.writeBlock(q); err != nil {
		return err
	}
	return b.addEntry(q.id, q.last.seq, e)
}

func (b *builder) addEntry(id store.QueueID, seq uint64, e *entry) error {
	b.head = appendEntryHead(b.head[:0], e)
	op := b.batch.SetDeferred(entryKeyLen, len(b.head)+len(e.body))
	appendEntryKey(op.Key[:0], id, seq)
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
// now on, a moment before that is durable. What waits for it ends its block here, so that no block is half dropped.
func (l *life) drop(f *flight, id store.QueueID) error {
	q, err := l.queue(id)
	if err != nil || q.dropped {
		return err
	}
	if q.flight == f.number {
		if err := l.builder.writeBlock(q); err != nil {
			return err
		}
	}
	q.dropped = true
	l.builder.lastQ = nil // an append behind the drop has to see it
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
