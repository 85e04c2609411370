package pebble

import (
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// maxUnsettled is how many pebble batches a relaxed store leaves syncing.
const maxUnsettled = 32

// complete is the completer's goroutine: it finishes the flights in their order.
func (s *Store) complete() {
	var unsettled []*pebble.Batch
	for {
		f := s.nextFlight()
		if f == nil {
			break
		}
		unsettled = s.settle(f, unsettled)
		if s.observe != nil && f.err == nil && len(f.waiters) > 0 {
			s.observe(len(f.waiters), time.Since(f.began))
		}
		s.finish(f)
	}
	s.syncAll(unsettled)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.head < len(s.waiting) && !s.late { // committed between the last flight and this moment
		s.late = true
		go s.refuseLate()
	}
	s.done.Broadcast()
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
			if f.state == applying && s.broken != nil {
				f.state, f.err = abandoned, s.broken
				return f
			}
		} else if s.head < len(s.waiting) && (s.left || s.broken != nil) {
			f := s.newFlight()
			f.state, f.err = applied, s.broken
			if f.err == nil {
				f.err = errClosed
			}
			return f
		} else if s.closed && s.head == len(s.waiting) && (s.left || s.broken != nil) {
			return nil
		}
		s.done.Wait()
	}
}

// settle waits until the flight is durable, as far as the options ask for that.
func (s *Store) settle(f *flight, unsettled []*pebble.Batch) []*pebble.Batch {
	if f.err != nil {
		return unsettled
	}
	if !s.relaxed {
		f.err = s.sync(f.batch)
		return unsettled
	}
	unsettled = append(unsettled, f.batch)
	if len(unsettled) < maxUnsettled {
		return unsettled
	}
	s.syncAll(unsettled)
	clear(unsettled)
	return unsettled[:0]
}

// syncAll is for batches whose tickets are done: an error concerns those that come later.
func (s *Store) syncAll(unsettled []*pebble.Batch) {
	for _, b := range unsettled {
		if s.sync(b) != nil {
			return
		}
	}
}

// sync waits for the sync of an applied batch and gives it back to pebble. Whether it succeeded is for the guard to
// say, who was there before pebble.
func (s *Store) sync(b *pebble.Batch) error {
	err := b.SyncWait()
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		s.degrade(err)
	}
	return s.Degraded()
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
	s.docs.land(f)
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
// still hang with it.
func (s *Store) retire(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flights = slices.Delete(s.flights, 0, 1)
	if f.err == nil {
		f.reset()
		s.free = append(s.free, f)
	}
	s.work.Signal()
}

// reset empties f, keeping its memory.
func (f *flight) reset() {
	clear(f.waiters)
	clear(f.touched)
	clear(f.keys)
	*f = flight{waiters: f.waiters[:0], touched: f.touched[:0], revs: f.revs[:0], keys: f.keys[:0]}
}
