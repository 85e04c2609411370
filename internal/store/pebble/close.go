package pebble

import (
	"errors"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	s.trims.stop()
	close(s.closing)
	s.idle = false
	s.work.Broadcast()
	s.done.Broadcast()
	s.mu.Unlock()

	stuck := !s.waitForGoroutines()
	s.LocalBus.Close()
	if stuck {
		return fault.New(fault.Unavailable, "the store in %s could not be closed after an error of the disk", s.dir).
			WithRemedy("end the process")
	}
	return errors.Join(s.db.Close(), s.lock.Close())
}

// waitForGoroutines returns when completer, committer and readers have left; false if the committer hangs in a pebble
// that cannot write, or if pebble is beyond closing. The completer never hangs.
func (s *Store) waitForGoroutines() bool {
	patient := true
	timer := time.AfterFunc(stuckPause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		patient = false
		s.done.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended || s.readers > 0 || !s.left && (patient || s.broken == nil) {
		s.done.Wait()
	}
	return s.left && !s.stuck
}
