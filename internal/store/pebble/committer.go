package pebble

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxFlights is how many groups are on their way at once: one syncs, the next is applied. More would only make the
	// groups smaller.
	maxFlights = 2

	// maxFlightBytes ends a group. A megabyte takes the disk a millisecond; larger groups would not be faster.
	maxFlightBytes = 1 << 20
)

// job is what the committer does in one turn: a group of batches, and chores that ride along.
type job struct {
	flight *flight // nil if there are only chores, and they need no sync
	trims  []*queue
	sync   bool // even if nothing is written
}

// commit is the committer's goroutine.
func (s *Store) commit() {
	for {
		j, ok := s.take()
		if !ok {
			break
		}
		if err := s.turn(j); err != nil {
			s.degrade(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	s.done.Broadcast()
}

// take waits for something to do. It is the moment that gives a group its place in the order. It ends when the store
// is degraded, or closed and everything is written.
func (s *Store) take() (job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.broken == nil {
		if j, ok := s.nextJob(); ok {
			return j, true
		}
		if s.closed && len(s.flights) < maxFlights {
			return job{}, false
		}
		s.idle = len(s.flights) < maxFlights
		s.work.Wait()
		s.idle = false
	}
	return job{}, false
}

// nextJob finds something to do, the caller holds the lock. Chores that ask for a sync get a flight without batches.
func (s *Store) nextJob() (j job, ok bool) {
	if len(s.flights) == maxFlights {
		return job{}, false
	}
	j.trims, j.sync = s.trims.take(s.closed)
	if j.sync || s.head < len(s.waiting) {
		j.flight = s.newFlight()
	}
	return j, j.flight != nil || len(j.trims) > 0 || len(s.builder.sweep) > 0 && !s.closed
}

// newFlight takes what waits into a new flight, the caller holds the lock.
func (s *Store) newFlight() *flight {
	var f *flight
	if n := len(s.free); n > 0 {
		f, s.free = s.free[n-1], s.free[:n-1]
	} else {
		f = &flight{}
	}
	s.builder.flights++
	f.number, f.began = s.builder.flights, time.Now()
	bytes := 0
	for s.head < len(s.waiting) && bytes < maxFlightBytes {
		w := &s.waiting[s.head]
		f.waiters = append(f.waiters, *w)
		bytes += w.size
		*w = waiter{}
		s.head++
	}
	if s.head == len(s.waiting) {
		s.waiting, s.head = s.waiting[:0], 0
	}
	s.flights = append(s.flights, f)
	return f
}

// turn builds one pebble batch and applies it. An error is one of the disk.
func (s *Store) turn(j job) error {
	s.builder.begin(s.db)
	err := s.chores(j.trims)
	if j.flight == nil {
		if err != nil {
			return err
		}
		return s.applyChores()
	}
	f := j.flight
	if err == nil {
		err = s.build(f)
	}
	f.batch = s.builder.batch
	if err == nil && j.sync && f.batch.Empty() {
		err = f.batch.LogData(nil, nil) // so that there is something to wait for
	}
	if err == nil && s.board(f) {
		err = s.apply(f.batch)
	}
	s.land(f, err)
	return err
}

// board says that the committer is done reading the batches of f, and that its documents are about to change. If the
// store is degraded f is not to be applied any more: false.
func (s *Store) board(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		f.err = s.broken
		return false
	}
	s.docs.board(f)
	f.state = applying
	return true
}

// land hands f over to the completer. That may have failed it already, if the store was degraded while pebble hung.
func (s *Store) land(f *flight, err error) {
	if err != nil {
		s.degrade(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.state == abandoned {
		return
	}
	if err != nil {
		f.err = s.broken
	}
	f.state = applied
	s.done.Broadcast()
}

// applyChores applies a batch that nobody waits for and that needs no sync.
func (s *Store) applyChores() (err error) {
	defer s.catch(&err)
	if err := s.db.Apply(s.builder.batch, pebble.NoSync); err != nil {
		return err
	}
	s.forgetGoners()
	return s.builder.batch.Close()
}

// apply hands the batch to pebble: into its log, on the way to the disk, and visible.
func (s *Store) apply(b *pebble.Batch) (err error) {
	defer s.catch(&err)
	if err := s.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return err
	}
	s.forgetGoners()
	// Pebble returns nil after it told the logger of a fatal error, and the sync would never come.
	return s.Degraded()
}

// catch turns a panic of pebble into an error. Pebble panics when it cannot write its log or begin a new one, and holds
// the locks of its commits from then on.
func (s *Store) catch(err *error) {
	r := recover()
	if r == nil {
		return
	}
	s.mu.Lock()
	s.stuck = true
	s.mu.Unlock()
	if cause, ok := r.(error); ok {
		*err = fmt.Errorf("pebble gave up: %w", cause)
		return
	}
	*err = fmt.Errorf("pebble gave up: %v", r)
}
