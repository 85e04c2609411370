package pebble

import (
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// maxUnsettled is how many pebble batches a relaxed store leaves syncing.
const maxUnsettled = 32

// complete is the completer's goroutine: it finishes the flights in their order, of one life after the other.
func (s *Store) complete() {
	for {
		f := s.nextFlight()
		if f == nil {
			break
		}
		f.life.settle(f)
		s.notice(f)
		s.finish(f)
	}
	s.now().syncAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.head < len(s.waiting) && !s.late { // committed between the last flight and this moment
		s.late = true
		go s.refuseLate()
	}
	s.done.Broadcast()
}

// slow is how long a group may take before the operator is told.
const slow = time.Second

// notice tells who observes, and the operator of a disk that is slow.
func (s *Store) notice(f *flight) {
	if f.err != nil || len(f.waiters) == 0 {
		return
	}
	took := time.Since(f.began)
	if s.opts.Observe != nil {
		s.opts.Observe(len(f.waiters), took)
	}
	if took > slow {
		s.opts.Log.Warn("the disk is slow", slog.String("dir", s.opts.Dir), slog.Duration("sync", took), slog.Int("batches", len(f.waiters)))
	}
}

// nextFlight waits for a flight that can be finished. In a degraded store that is one that the committer hangs with,
// too, and everything that waits. It returns nil after Close, when there is nothing left.
func (s *Store) nextFlight() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if len(s.flights) > 0 {
			f := s.flights[0]
			if f.state == applied {
				return f
			}
			if f.state == applying && f.life.broken != nil {
				f.state, f.err = abandoned, f.life.broken
				return f
			}
		} else if s.life.over() && s.head < len(s.waiting) {
			f := s.newFlight(s.life)
			f.state, f.err = applied, s.refusal()
			return f
		} else if s.life.over() && s.closed {
			return nil
		}
		s.done.Wait()
	}
}

// refusal is what is committed fails with while nobody commits.
func (s *Store) refusal() error {
	switch {
	case s.life.broken != nil:
		return s.life.broken
	case s.opts.ReadOnly && !s.closed:
		return errReadOnly
	}
	return errClosed
}

// settle waits until the flight is durable, as far as the options ask for that.
func (l *life) settle(f *flight) {
	if f.err != nil {
		return
	}
	if !l.s.opts.Relaxed {
		f.err = l.sync(f.batch)
		return
	}
	l.unsettled = append(l.unsettled, f.batch)
	if len(l.unsettled) >= maxUnsettled {
		l.syncAll()
	}
}

// syncAll is for batches whose tickets are done. Those that cannot be synced stay: the next life gets them.
func (l *life) syncAll() {
	for i, b := range l.unsettled {
		if l.sync(b) != nil {
			l.unsettled = l.unsettled[i:]
			return
		}
	}
	clear(l.unsettled)
	l.unsettled = l.unsettled[:0]
}

// sync waits for the sync of an applied batch and gives it back to pebble. Whether it succeeded is for the guard to
// say, who was there before pebble.
func (l *life) sync(b *pebble.Batch) error {
	if err := b.SyncWait(); err != nil {
		l.degrade(err)
	}
	if err := l.error(); err != nil {
		return err
	}
	return b.Close()
}

// finish makes a durable flight readable, tells the watchers and completes the tickets, or completes all with the
// flight's error.
func (s *Store) finish(f *flight) {
	if f.err == nil {
		for i := range f.touched {
			f.touched[i].q.landed(f.touched[i].mark)
		}
	}
	s.mu.Lock()
	f.life.docs.land(f)
	s.mu.Unlock()

	revs := f.revs
	for _, w := range f.waiters {
		if f.err != nil {
			w.err = f.err
		}
		if w.err == nil {
			s.tell(w.batch.Docs, revs)
			revs = revs[len(w.batch.Docs):]
		}
		w.batch.Complete(w.err)
	}
	s.retire(f)
}

// tell the watchers what a batch changed.
func (s *Store) tell(ops []store.DocOp, revs []uint64) {
	for i := range ops {
		op := &ops[i]
		if revs[i] == 0 || !s.watchers.Watched(op.Bucket) {
			continue
		}
		c := store.Change{Doc: store.Doc{Key: op.Key, Rev: revs[i]}, Deleted: op.Delete}
		if !op.Delete {
			c.Value = append([]byte{}, op.Value...)
		}
		s.watchers.Tell(op.Bucket, c)
	}
}

// retire takes the first flight out and lets the committer go on. A failed one is not used again: the committer may
// still hang with it, and the next life has to know of it.
func (s *Store) retire(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := f.life
	s.flights = slices.Delete(s.flights, 0, 1)
	if f.err == nil {
		f.reset()
		s.free = append(s.free, f)
	} else if f.boarded {
		f.waiters = nil
		l.lost = append(l.lost, f)
	}
	s.life.work.Signal()
	if l.over() {
		s.done.Broadcast()
	}
}

// reset empties f, keeping its memory.
func (f *flight) reset() {
	clear(f.waiters)
	clear(f.touched)
	clear(f.keys)
	*f = flight{waiters: f.waiters[:0], touched: f.touched[:0], revs: f.revs[:0], olds: f.olds[:0], keys: f.keys[:0]}
}
