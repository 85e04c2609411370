package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/fault"
)

var errClosed error = fault.New(fault.Unavailable, "the store is closed")

// degrade is called at the first error of the disk; later ones are only its echo. The caller may hold locks of pebble.
func (s *Store) degrade(err error) {
	s.mu.Lock()
	first := s.broken == nil
	if first {
		s.broken = fault.Wrap(fault.Unavailable, err, "the store cannot write to %s", s.dir).
			WithRemedy("see to the disk, then restart the server")
		s.degraded.Store(true)
	}
	s.work.Broadcast()
	s.done.Broadcast()
	s.mu.Unlock()
	if first {
		s.log.Error("store degraded: nothing is acknowledged until the server is restarted", slog.Any("error", err))
	}
}

// Degraded gives the error that made the store refuse commits, nil while all is well.
func (s *Store) Degraded() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// logger takes what pebble says. Its Fatalf must not end the process, as pebble's own would: the store is degraded
// instead, and pebble returns the error or goes on with something that nobody believes any more.
type logger struct{ s *Store }

// Infof is chatter.
func (l logger) Infof(format string, args ...any) {
	l.s.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

// Errorf is what pebble could live with.
func (l logger) Errorf(format string, args ...any) {
	l.s.log.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is what pebble would end the process for.
func (l logger) Fatalf(format string, args ...any) {
	fatal := &pebbleError{text: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			fatal.err = err
		}
	}
	l.s.degrade(fatal)
}

// pebbleError is what pebble wanted to end the process for.
type pebbleError struct {
	text string
	err  error // in the text; may be nil
}

func (e *pebbleError) Error() string { return e.text }

func (e *pebbleError) Unwrap() error { return e.err }

// retryPause slows down pebble's flushes and compactions after an error: it repeats them at once, for ever.
const retryPause = time.Second

func (s *Store) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.backgroundError,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.degrade(fmt.Errorf("%s is corrupt: %w", info.Path, info.Details))
		},
		LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
			s.log.Warn("the disk is nearly full", slog.String("dir", s.dir), slog.Uint64("bytesLeft", info.AvailBytes))
		},
	}
}

// backgroundError is told of flushes and compactions that failed. What was acknowledged is safe in the log, but the
// next thing to fail is a commit, so this is the moment to stop.
func (s *Store) backgroundError(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) {
		return
	}
	s.degrade(err)
	pause := time.NewTimer(retryPause)
	defer pause.Stop()
	select {
	case <-s.closing:
	case <-pause.C:
	}
}
