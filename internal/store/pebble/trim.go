package pebble

import (
	"log/slog"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

const (
	// A trim waits in memory until trimDelay is over or maxTrims entries are trimmed. The delay ends with a sync; what is
	// written for the number alone is not synced, because on a busy store the next commit does that.
	trimDelay = 100 * time.Millisecond
	maxTrims  = 1000
)

// trims are the queues whose cursors are ahead of the disk; Store.mu guards them.
type trims struct {
	dirty []*queue
	count uint64 // of entries that were trimmed since the last writing
	timer *time.Timer
	armed bool // the timer runs
	ripe  bool // the timer has fired
}

// take gives what is to be written now, and whether to sync it.
func (t *trims) take(all bool) (dirty []*queue, sync bool) {
	if !t.ripe && !all && t.count < maxTrims {
		return nil, false
	}
	dirty, sync = t.dirty, t.ripe || all && (len(t.dirty) > 0 || t.armed)
	t.dirty, t.count, t.ripe = nil, 0, false
	if all {
		t.armed = false
	}
	return dirty, sync
}

func (t *trims) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// Trim forgets entries; see store.Queues. It is a cursor in memory, which a chore of the committer writes a little later.
func (s *Store) Trim(id store.QueueID, seq uint64) {
	for {
		l, err := s.enter()
		if err != nil {
			return
		}
		held := l.trim(id, seq)
		l.leave()
		if held {
			return
		} // else another life has begun meanwhile, and may not know of it
	}
}

// trim reports whether l is still the life of the store.
func (l *life) trim(id store.QueueID, seq uint64) (held bool) {
	s := l.s
	q, err := l.queue(id)
	if err != nil {
		s.opts.Log.Warn("a queue cannot be trimmed", slog.Uint64("queue", uint64(id)), slog.Any("error", err))
		return true
	}
	n, first := q.trim(seq)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 {
		l.trimmed(q, n, first)
	}
	return s.life == l
}

// trimmed has the cursor of q written, under Store.mu.
func (l *life) trimmed(q *queue, n uint64, first bool) {
	t := &l.trims
	if first {
		t.dirty = append(t.dirty, q)
	}
	if t.count += n; t.count >= maxTrims && l.idle {
		l.idle = false
		l.work.Signal()
	}
	if t.armed || l.s.closed {
		return
	}
	t.armed = true
	if t.timer == nil {
		t.timer = time.AfterFunc(trimDelay, l.ripen)
	} else {
		t.timer.Reset(trimDelay)
	}
}

// ripen is the timer's.
func (l *life) ripen() {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.trims.armed, l.trims.ripe = false, true
	l.work.Signal()
}

// trim moves the cursor in memory by n entries; first if it was up to date with the disk.
func (q *queue) trim(seq uint64) (n uint64, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seq = min(seq, q.durable.seq)
	if seq <= q.trimmed {
		return 0, false
	}
	q.asked = max(q.asked, seq)
	n, first = seq-q.trimmed, !q.dirty
	q.trimmed, q.dirty = seq, true
	return n, first
}

// written says that the cursor is about to be written as it is now.
func (q *queue) written() (trimmed uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dirty = false
	return q.trimmed
}

const (
	// The dead entries of a queue are deleted when there are this many of them, or about this many bytes of bodies.
	maxDead      = 1024
	maxDeadBytes = 4 << 20

	// When all queues together have this many dead entries, all of these are deleted.
	maxAllDead = 1 << 18

	// Deleting reads at most this many entries per turn, if it has to read.
	maxCleared = 4096

	// So few entries are deleted one by one: range deletions make reads slower until they are compacted.
	maxSingleDeletes = 8
)

// chores writes the cursors and deletes dead entries, in the batch that the committer is building.
func (l *life) chores(dirty []*queue) error {
	b := &l.builder
	for _, q := range dirty {
		if q.gone {
			continue
		}
		if err := b.setCursor(q); err != nil {
			return err
		}
		if l.count(q); q.manyDead() {
			b.file(q)
		}
	}
	if l.dead.Load() >= maxAllDead {
		l.fileAll()
	}
	return l.clearSome()
}

// count adds what became dead to the sum of all queues.
func (l *life) count(q *queue) {
	trimmed, _ := q.view()
	l.dead.Add(int64(trimmed - q.counted))
	q.counted = trimmed
}

func (b *builder) setCursor(q *queue) error {
	c := cursor{trimmed: q.written(), last: q.last.seq, deleted: q.deleted.seq}
	return b.batch.Set(idKey(kindCursor, uint64(q.id)), c.encode(), nil)
}

// manyDead estimates the bytes from the average body: near enough for a decision that is only about disk space.
func (q *queue) manyDead() bool {
	dead := q.counted - q.deleted.seq
	if dead == 0 {
		return false
	}
	bytes := (q.last.bytes - q.deleted.bytes) / (q.last.seq - q.deleted.seq) * dead
	return dead >= maxDead || bytes >= maxDeadBytes
}

// file has the dead entries of q deleted, now or in a later turn.
func (b *builder) file(q *queue) {
	if !q.filed {
		q.filed = true
		b.sweep = append(b.sweep, q)
	}
}

func (l *life) fileAll() {
	l.queues.mu.RLock()
	defer l.queues.mu.RUnlock()
	for _, q := range l.queues.by {
		// One that is being loaded has other things to tell than these; it is filed the next time.
		if trimmed, durable := q.view(); durable.seq > 0 && trimmed > q.spared {
			l.builder.file(q)
		}
	}
}

// clearSome deletes the dead entries of filed queues, as many as a turn may take.
func (l *life) clearSome() error {
	b := &l.builder
	budget := maxCleared
	for len(b.sweep) > 0 && budget > 0 {
		q := b.sweep[0]
		cleared, finished, err := l.clear(q, budget)
		if err != nil {
			return err
		}
		budget -= cleared
		if finished {
			q.filed = false
			b.sweep = slices.Delete(b.sweep, 0, 1)
		}
	}
	return b.setCounts()
}
