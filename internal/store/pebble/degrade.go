package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/fault"
)

// degrade is called at the first error of the disk; later ones are only its echo. The caller may hold locks of pebble.
//
// The store is broken before the dream begins: whoever has a sync of the dream and asks then must hear of it, or would
// acknowledge what is nowhere.
func (l *life) degrade(err error) {
	s := l.s
	s.mu.Lock()
	first := l.broken == nil
	if first {
		l.hopeless = errors.Is(err, errCorrupt) || pebble.IsCorruptionError(err)
		l.broken = l.refusal(err)
		if l.serving && !l.hopeless && !s.closed {
			s.background.Go(func() { s.mend(l) })
		}
	}
	l.guard.fallAsleep()
	l.work.Broadcast()
	s.done.Broadcast()
	first = first && l.serving
	s.mu.Unlock()
	if first {
		s.opts.Log.Error("store degraded: nothing that needs it is acknowledged", slog.Any("error", l.broken))
	}
}

// refusal is what all that waits is told.
func (l *life) refusal(err error) error {
	if l.hopeless {
		return fault.Wrap(fault.Unavailable, err, "the store in %s is damaged", l.s.opts.Dir).
			WithRemedy("stop the server, run thingwire check, and restore a backup")
	}
	return fault.Wrap(fault.Unavailable, err, "the store cannot write to %s", l.s.opts.Dir).
		WithRemedy("see to the disk: the store goes on by itself when it can be written again")
}

// Degraded gives the error that makes the store refuse commits, nil while all is well.
func (s *Store) Degraded() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.broken
}

// logger takes what pebble says. Its Fatalf must not end the process, as pebble's own would: the store is degraded
// instead, and pebble returns the error or goes on with something that nobody believes any more.
type logger struct{ l *life }

// Infof is chatter.
func (l logger) Infof(format string, args ...any) {
	l.l.s.opts.Log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

// Errorf is what pebble could live with.
func (l logger) Errorf(format string, args ...any) {
	l.l.s.opts.Log.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is what pebble would end the process for.
func (l logger) Fatalf(format string, args ...any) {
	fatal := &pebbleError{text: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			fatal.err = err
		}
	}
	l.l.degrade(fatal)
}

// pebbleError is what pebble wanted to end the process for.
type pebbleError struct {
	text string
	err  error // in the text; may be nil
}

func (e *pebbleError) Error() string { return e.text }

func (e *pebbleError) Unwrap() error { return e.err }

// retryPause slows down what pebble cannot do in its dream: it tries again at once, for ever.
const retryPause = time.Second

func (l *life) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: l.backgroundError,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.degrade(fmt.Errorf("%w: %s: %w", errCorrupt, info.Path, info.Details))
		},
		LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
			l.s.opts.Log.Warn("the disk is nearly full", slog.String("dir", l.s.opts.Dir), slog.Uint64("bytesLeft", info.AvailBytes))
		},
	}
}

// backgroundError is told of flushes and compactions that failed. What was acknowledged is safe in the log, but the
// next thing to fail is a commit, so this is the moment to stop.
func (l *life) backgroundError(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) {
		return
	}
	again := l.guard.state.dreaming.Load()
	l.degrade(err)
	if !again {
		return // in the dream a flush will succeed
	}
	pause := time.NewTimer(retryPause)
	defer pause.Stop()
	select {
	case <-l.dying:
	case <-pause.C:
	}
}
