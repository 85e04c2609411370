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
	if s.enter() != nil {
		return
	}
	defer s.leave()
	q, err := s.queue(id)
	if err != nil {
		s.log.Warn("a queue cannot be trimmed", slog.Uint64("queue", uint64(id)), slog.Any("error", err))
		return
	}
	n, first := q.trim(seq)
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.trims
	if first {
		t.dirty = append(t.dirty, q)
	}
	if t.count += n; t.count >= maxTrims && s.idle {
		s.idle = false
		s.work.Signal()
	}
	if t.armed || s.closed {
		return
	}
	t.armed = true
	if t.timer == nil {
		t.timer = time.AfterFunc(trimDelay, s.ripen)
	} else {
		t.timer.Reset(trimDelay)
	}
}

// ripen is the timer's.
func (s *Store) ripen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trims.armed, s.trims.ripe = false, true
	s.work.Signal()
}

// trim moves the cursor in memory by n entries; first if it was up to date with the disk.
func (q *queue) trim(seq uint64) (n uint64, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seq = min(seq, q.durable.seq)
	if seq <= q.trimmed {
		return 0, false
	}
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
func (s *Store) chores(dirty []*queue) error {
	b := &s.builder
	for _, q := range dirty {
		if q.gone {
			continue
		}
		if err := b.setCursor(q); err != nil {
			return err
		}
		if s.count(q); q.manyDead() {
			b.file(q)
		}
	}
	if s.dead.Load() >= maxAllDead {
		s.fileAll()
	}
	return s.clearSome()
}

// count adds what became dead to the sum of all queues.
func (s *Store) count(q *queue) {
	trimmed, _ := q.view()
	s.dead.Add(int64(trimmed - q.counted))
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

func (s *Store) fileAll() {
	s.queues.mu.RLock()
	defer s.queues.mu.RUnlock()
	for _, q := range s.queues.by {
		// One that is being loaded has other things to tell than these; it is filed the next time.
		if trimmed, durable := q.view(); durable.seq > 0 && trimmed > q.deleted.seq {
			s.builder.file(q)
		}
	}
}

// clearSome deletes the dead entries of filed queues, as many as a turn may take.
func (s *Store) clearSome() error {
	b := &s.builder
	budget := maxCleared
	for len(b.sweep) > 0 && budget > 0 {
		q := b.sweep[0]
		cleared, finished, err := s.clear(q, budget)
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
