package pebble

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxFlights is how many groups are on their way at once. A second one, applied while the first syncs, was measured:
	// it takes away the few batches that came first and so makes both groups smaller and the syncs more, which costs a
	// third of the rate (docs/performance.md).
	maxFlights = 1

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
func (l *life) commit() {
	for {
		j, ok := l.take()
		if !ok {
			break
		}
		if err := l.turn(j); err != nil {
			l.degrade(err)
		}
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.left = true
	l.s.done.Broadcast()
}

// take waits for something to do. It is the moment that gives a group its place in the order. It ends when the life is
// over, or the store is closed and everything is written.
func (l *life) take() (job, bool) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for l.broken == nil {
		if j, ok := l.nextJob(); ok {
			return j, true
		}
		if s.closed && len(s.flights) < maxFlights {
			return job{}, false
		}
		l.idle = len(s.flights) < maxFlights
		l.work.Wait()
		l.idle = false
	}
	return job{}, false
}

// nextJob finds something to do, the caller holds the lock. Chores that ask for a sync get a flight without batches; so
// do all chores of a relaxed store, which has to know their place in the order.
func (l *life) nextJob() (j job, ok bool) {
	s := l.s
	if len(s.flights) == maxFlights {
		return job{}, false
	}
	j.trims, j.sync = l.trims.take(s.closed)
	chores := len(j.trims) > 0 || len(l.builder.sweep) > 0 && !s.closed
	if j.sync || s.head < len(s.waiting) || chores && s.opts.Relaxed {
		j.flight = s.newFlight(l)
	}
	return j, j.flight != nil || chores
}

// newFlight takes what waits into a new flight, the caller holds the lock.
func (s *Store) newFlight(l *life) *flight {
	var f *flight
	if n := len(s.free); n > 0 {
		f, s.free = s.free[n-1], s.free[:n-1]
	} else {
		f = &flight{}
	}
	s.number++
	f.number, f.life, f.began = s.number, l, time.Now()
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
func (l *life) turn(j job) error {
	l.builder.begin(l.db)
	err := l.chores(j.trims)
	if j.flight == nil {
		if err != nil {
			return err
		}
		return l.applyChores()
	}
	f := j.flight
	if err == nil {
		err = l.build(f)
	}
	f.batch = l.builder.batch
	if err == nil && f.batch.Empty() && (j.sync || l.s.opts.Relaxed) {
		err = f.batch.LogData(nil, nil) // so that there is something to wait for
	}
	if err == nil && l.board(f) {
		err = l.apply(f.batch)
	}
	l.land(f, err)
	return err
}

// board says that the committer is done reading the batches of f, and that its documents are about to change. If the
// store is degraded f is not to be applied any more: false.
func (l *life) board(f *flight) bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.broken != nil {
		f.err = l.broken
		return false
	}
	l.docs.board(f)
	f.state, f.boarded = applying, true
	return true
}

// land hands f over to the completer. That may have failed it already, if the store was degraded while pebble hung.
func (l *life) land(f *flight, err error) {
	if err != nil {
		l.degrade(err)
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if f.state == abandoned {
		return
	}
	if err != nil {
		f.err = l.broken
	}
	f.state = applied
	l.s.done.Broadcast()
}

// applyChores applies a batch that nobody waits for and that needs no sync.
func (l *life) applyChores() (err error) {
	defer l.catch(&err)
	if err := l.db.Apply(l.builder.batch, pebble.NoSync); err != nil {
		return err
	}
	l.forgetGoners()
	return l.builder.batch.Close()
}

// apply hands the batch to pebble: into its log, on the way to the disk, and visible.
func (l *life) apply(b *pebble.Batch) (err error) {
	defer l.catch(&err)
	if err := l.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return err
	}
	l.forgetGoners()
	// Pebble returns nil after it told the logger of a fatal error, and the sync would never come.
	return l.error()
}

// catch turns a panic of pebble into an error. Pebble panics when it cannot write its log or begin a new one, and holds
// the locks of its commits from then on.
func (l *life) catch(err *error) {
	r := recover()
	if r == nil {
		return
	}
	l.s.mu.Lock()
	l.stuck = true
	l.s.mu.Unlock()
	if cause, ok := r.(error); ok {
		*err = fmt.Errorf("pebble gave up: %w", cause)
		return
	}
	*err = fmt.Errorf("pebble gave up: %v", r)
}
