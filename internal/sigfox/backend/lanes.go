package backend

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bounds of what is under way at the same time.
const (
	// directPerLane and storedPerLane are deliveries of one callback: new ones from memory, and those that were read from
	// the store. A callback that hangs with all of its old ones still takes new ones.
	directPerLane = 32
	storedPerLane = 32
	// wellAtOnce are deliveries of all callbacks whose last use succeeded, sickAtOnce those of the others: however many
	// hang, the ones that answer have their places.
	wellAtOnce = 256
	sickAtOnce = 128
	// readAhead is how many debts a lane reads at a time.
	readAhead = 128
)

// lanes are the ways out, one per callback that is owed something.
type lanes struct {
	b          *Backend
	well, sick chan struct{}

	mu     sync.Mutex
	by     map[string]*lane
	closed bool
	work   sync.WaitGroup // pulls and deliveries
}

func openLanes(b *Backend) *lanes {
	return &lanes{b: b, by: map[string]*lane{}, well: make(chan struct{}, wellAtOnce), sick: make(chan struct{}, sickAtOnce)}
}

// of is the lane of a callback, made at its first use.
func (s *lanes) of(callback string) *lane {
	if l := s.peek(callback); l != nil {
		return l
	}
	made := &lane{b: s.b, all: s, callback: callback, stored: make(chan struct{}, storedPerLane), busy: map[string]struct{}{}}
	if state, err := s.b.loadCallbackState(s.b.ctx, callback); err == nil { // only its lane writes it
		made.state = *state
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.by[callback]; l != nil {
		return l
	}
	s.by[callback] = made
	return made
}

// peek is the lane of a callback, nil if it has none.
func (s *lanes) peek(callback string) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[callback]
}

// forget drops the lane of a callback that is gone, unless it is owed something. One that gets a debt at this moment pays it
// all the same.
func (s *lanes) forget(callback string) {
	if l := s.peek(callback); l != nil && s.owed(callback) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.by, callback)
	}
}

// owed is how many deliveries a callback waits for.
func (s *lanes) owed(callback string) int {
	l := s.peek(callback)
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.debts
}

// restore finds the callbacks that are owed something, with one look at the store for each of them, and counts their debts.
func (s *lanes) restore(ctx context.Context) error {
	after := ""
	for {
		found := ""
		for d, err := range s.b.cfg.Store.List(ctx, dueBucket, "", after, 1) {
			if err != nil {
				return err
			}
			found = d.Key
		}
		callback, _, ok := dueOf(found)
		switch {
		case found == "":
			return nil
		case !ok:
			after = found // check names it
			continue
		}
		l := s.of(callback)
		for _, err := range s.b.cfg.Store.List(ctx, dueBucket, callback+"/", "", 0) {
			if err != nil {
				return err
			}
			l.debts++
		}
		s.b.counts.Pending.Add(int64(l.debts))
		after = callback + "/\xff"
	}
}

// start lets all look at what they owe.
func (s *lanes) start() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.by))
	s.mu.Unlock()
	for _, l := range all {
		l.expect("", time.Time{})
	}
}

// begin takes part in the work unless the backend is closing; who took part says so with s.work.Done.
func (s *lanes) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Add(1)
	}
	return !s.closed
}

// close lets no more begin, gives what is under way some time, and waits for its end.
func (s *lanes) close(patience time.Duration, cancel func()) {
	s.mu.Lock()
	s.closed = true
	all := slices.Collect(maps.Values(s.by))
	s.mu.Unlock()
	for _, l := range all {
		l.mu.Lock()
		if l.timer != nil {
			l.timer.Stop()
		}
		l.mu.Unlock()
	}
	stop := time.AfterFunc(patience, cancel) // what is cancelled stays owed
	defer stop.Stop()
	s.work.Wait()
}
