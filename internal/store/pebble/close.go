package pebble

import (
	"errors"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	l := s.life // none follows
	l.trims.stop()
	l.idle = false
	l.work.Broadcast()
	close(s.closing)
	s.done.Broadcast()
	s.mu.Unlock()

	ended := s.await(l)
	s.LocalBus.Close()
	s.background.Wait()
	if !ended {
		return fault.New(fault.Unavailable, "the store in %s could not be closed after an error of the disk", s.opts.Dir).
			WithRemedy("end the process")
	}
	return errors.Join(l.close(), s.lock.Close())
}

// close closes the database of a life that nobody uses any more.
func (l *life) close() error {
	if l.error() != nil {
		return l.end()
	}
	close(l.dying)
	return l.db.Close()
}

// await returns when completer, committer and readers have left the life, after the store was closed or when it has
// another one; false if the committer hangs in a pebble that cannot write, or if pebble is beyond closing. The completer
// never hangs.
func (s *Store) await(l *life) bool {
	patient := true
	impatience := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		patient = false
		s.done.Broadcast()
	}
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.life == l && !s.ended || l.readers > 0 || !l.left && (patient || l.broken == nil) {
		if s.closed && timer == nil {
			timer = time.AfterFunc(stuckPause, impatience)
		}
		s.done.Wait()
	}
	return l.left && !l.stuck
}

// stuckPause is how long Close waits for a committer that hangs in a pebble which cannot write.
const stuckPause = time.Second
