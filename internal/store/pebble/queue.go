package pebble

import (
	"cmp"
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// queue is what the store knows about a queue without looking at its entries. It is loaded at first touch and stays in
// memory (some 200 bytes) until the queue is dropped.
type queue struct {
	id      store.QueueID
	loading sync.Once
	broken  error // of loading

	// The committer alone touches these once loaded. The counts begin anywhere: only differences mean something.
	last    mark   // behind the newest entry given
	deleted mark   // behind the last entry that is gone from the disk
	counted uint64 // entries up to this one are part of Store.dead
	spared  uint64 // of these, entries up to this one are not: they are deleted, or the block they are in still lives
	dropped bool   // to be removed when its entries are
	gone    bool   // was removed; whoever still holds it holds nothing
	filed   bool   // in Store.sweep
	flight  uint64 // the flight that has it in touched, at slot
	slot    int

	mu      sync.Mutex
	durable mark   // behind the newest durable entry
	trimmed uint64 // entries up to this one are forgotten
	asked   uint64 // the same, but only by Trim: a queue that is being dropped looks trimmed, too
	dirty   bool   // trimmed is ahead of the disk; in Store.trims.dirty
}

// mark is a place in a queue: the entry seq, and what the queue had up to and including it.
type mark struct{ seq, bytes, shared uint64 }

// queue finds or loads a queue. It reads from the disk at the first touch, on the caller's goroutine.
func (l *life) queue(id store.QueueID) (*queue, error) {
	l.queues.mu.RLock()
	q := l.queues.by[id]
	l.queues.mu.RUnlock()
	if q == nil {
		q = l.addQueue(id)
	}
	q.loading.Do(func() {
		if q.broken = l.load(q); q.broken != nil {
			l.forget(q)
		}
	})
	return q, q.broken
}

func (l *life) addQueue(id store.QueueID) *queue {
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	q := l.queues.by[id]
	if q == nil {
		q = &queue{id: id}
		l.queues.by[id] = q
	}
	return q
}

// forget removes q from memory; nothing of it is in flight.
func (l *life) forget(q *queue) {
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	if l.queues.by[q.id] == q {
		delete(l.queues.by, q.id)
	}
}

// load reads the cursor and looks at the first and the last entry. Nothing of q is in flight: whoever appends loads
// first, and the memory of a queue outlives its flights. So all that it sees is durable.
func (l *life) load(q *queue) error {
	c, err := l.readCursor(q.id)
	if err != nil {
		return err
	}
	q.dropped, err = l.has(idKey(kindDropped, uint64(q.id)))
	if err != nil {
		return err
	}
	first, last, err := l.ends(q.id, c.deleted)
	if err != nil {
		return err
	}
	q.mu.Lock() // not for the committer's fields; fileAll may look at them when it saw durable
	defer q.mu.Unlock()
	q.deleted = mark{c.deleted, first.bytes, first.shared}
	q.last = mark{max(c.last, last.seq), last.bytes, last.shared}
	q.durable, q.trimmed, q.counted, q.spared = q.last, c.trimmed, c.trimmed, c.deleted
	if q.dropped {
		q.trimmed = q.last.seq
	}
	l.dead.Add(int64(c.trimmed - c.deleted))
	return nil
}

func (l *life) readCursor(id store.QueueID) (cursor, error) {
	v, closer, err := l.db.Get(idKey(kindCursor, uint64(id)))
	if errors.Is(err, pebble.ErrNotFound) {
		return cursor{}, nil
	}
	if err != nil {
		return cursor{}, err
	}
	defer closer.Close() //nolint:errcheck // a read that succeeded
	return decodeCursor(v)
}

func (l *life) has(key []byte) (bool, error) {
	_, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

// ends gives the mark before the first entry behind deleted, and the mark behind the last entry; zero if there is none.
func (l *life) ends(id store.QueueID, deleted uint64) (first, last mark, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(id, deleted+1), UpperBound: entriesEnd(id)})
	if err != nil {
		return mark{}, mark{}, err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	if !it.First() {
		return mark{}, mark{}, it.Error()
	}
	r, err := runAt(it)
	if err != nil {
		return mark{}, mark{}, err
	}
	first = mark{deleted, r.bytesBefore, r.sharedBefore}
	if !it.Last() {
		return mark{}, mark{}, errors.Join(errCorrupt, it.Error())
	}
	if r, err = runAt(it); err != nil {
		return mark{}, mark{}, err
	}
	return first, r.behind(), nil
}

// behind is the mark behind the entry e, which has the number seq.
func (e *entry) behind(seq uint64) mark {
	m := mark{seq, e.bytesBefore + e.size, e.sharedBefore}
	if e.shared {
		m.shared++
	}
	return m
}

// runAt is what the iterator stands at, in its memory.
func runAt(it *pebble.Iterator) (run, error) {
	v, err := it.ValueAndErr()
	if err != nil {
		return run{}, err
	}
	_, r, err := decodeRun(it.Key(), v)
	return r, err
}

// before is the mark before the run that has the entry seq, which must be on disk, or behind the last one if seq is
// last+1. Only the committer may ask.
func (l *life) before(q *queue, seq uint64) (m mark, err error) {
	if seq == q.last.seq+1 {
		return q.last, nil
	}
	err = l.find(q.id, seq, func(r *run) { m = r.before(r.first()) })
	return m, err
}

// find shows the run that has the entry seq; pebble.ErrNotFound if there is none.
func (l *life) find(id store.QueueID, seq uint64, show func(r *run)) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(id, seq), UpperBound: entriesEnd(id)})
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	if !it.First() {
		return cmp.Or(it.Error(), pebble.ErrNotFound)
	}
	r, err := runAt(it)
	if err != nil {
		return err
	}
	if r.first() > seq {
		return pebble.ErrNotFound
	}
	show(&r)
	return nil
}

// view is the part of the queue that can be read now.
func (q *queue) view() (trimmed uint64, durable mark) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trimmed, q.durable
}

// landed makes the entries up to m readable.
func (q *queue) landed(m mark) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.durable = m
}
