package mem

import "github.com/thingwire/thingwire/internal/fault"

// Hold keeps tickets from completing until Release: nothing committed from now on becomes durable. A batch that is
// just being completed still completes.
func (s *Store) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release ends Hold: what waited completes in its order.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.wake()
}

// Fail makes the store degraded, as a full or dying disk would: what waits (on Hold) and all later commits fail with
// fault.Unavailable around err. Reads go on. Fail(nil) ends it for later commits.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readable() != nil {
		return
	}
	if err == nil {
		s.refuse = nil
		return
	}
	s.refuse = fault.Wrap(fault.Unavailable, err, "the store is degraded")
	s.failWaiting(s.refuse)
}

// Waiting is how many batches were committed and have not begun to complete.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func (s *Store) failWaiting(err error) {
	for i := range s.waiting {
		s.waiting[i].err = err
	}
}

// Degraded gives the error that commits fail with, nil while all is well.
func (s *Store) Degraded() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}
