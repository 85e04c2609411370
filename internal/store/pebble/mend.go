package pebble

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/fault"
)

// mend opens the directory anew as soon as the disk can be written again. Until then the life that is over can be
// read. It ends with success or with Close.
func (s *Store) mend(l *life) {
	began := time.Now()
	pause, said := s.opts.Retry, ""
	for s.rest(pause) {
		next, err := s.reopen(l)
		if err == nil {
			s.goOn(l, next, time.Since(began))
			return
		}
		if text := err.Error(); text != said {
			said = text
			s.opts.Log.Warn("the store stays degraded", slog.Any("error", err))
		}
		pause = min(2*pause, 16*s.opts.Retry)
	}
}

// rest waits; false when the store is being closed.
func (s *Store) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}

// reopen makes a life that can follow l.
func (s *Store) reopen(l *life) (*life, error) {
	if err := s.settled(l); err != nil {
		return nil, err
	}
	l.guard.asleep()
	if err := s.probe(); err != nil {
		return nil, err
	}
	next, err := s.begin(l)
	if err != nil {
		return nil, err
	}
	return next, s.adopt(next)
}

// settled waits until all that was on its way when l broke has failed: from then on l.lost is complete.
func (s *Store) settled(l *life) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.inFlight(l) && !s.closed {
		s.done.Wait()
	}
	switch {
	case s.closed:
		return errClosed
	case s.opts.Relaxed && !l.left:
		return fault.New(fault.Unavailable, "what a relaxed store has acknowledged cannot be taken over while its writer hangs")
	}
	return nil
}

func (s *Store) inFlight(l *life) bool {
	for _, f := range s.flights {
		if f.life == l && (f.state == building || f.batch != nil) {
			return true
		}
	}
	return false
}

const (
	probeFile  = "probe.tmp"
	probeBytes = 1 << 20
	spareBytes = 4 << 20
)

// probe asks the disk whether it can be written. Opening replays the logs into tables, so there has to be room for as
// much again: an opening that fails for want of room would use up what somebody has just freed.
func (s *Store) probe() error {
	logs, err := logBytes(s.opts)
	if err != nil {
		return err
	}
	usage, err := s.opts.FS.GetDiskUsage(s.opts.Dir)
	if need := logs + spareBytes; err == nil && usage.AvailBytes < need {
		return fault.New(fault.Unavailable, "the disk of %s has %d bytes left, %d are needed", s.opts.Dir, usage.AvailBytes, need)
	}
	if err != nil && !errors.Is(err, vfs.ErrUnsupported) {
		return err
	}
	path := s.opts.FS.PathJoin(s.opts.Dir, probeFile)
	return errors.Join(writeProbe(s.opts.FS, path), s.opts.FS.Remove(path))
}

func writeProbe(fs vfs.FS, path string) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

func logBytes(opts Options) (bytes uint64, err error) {
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if !isLog(name) {
			continue
		}
		info, err := opts.FS.Stat(opts.FS.PathJoin(opts.Dir, name))
		if err != nil {
			return 0, err
		}
		bytes += uint64(info.Size())
	}
	return bytes, nil
}

// goOn lets next take what waits, and buries the life before.
func (s *Store) goOn(l, next *life, took time.Duration) {
	changes, err := next.changes(l.lost)
	if err == nil {
		err = next.carry(l) // what was trimmed since it began
	}
	if err != nil {
		next.degrade(err)
	}
	for _, c := range changes {
		s.watchers.Tell(c.bucket, c.Change)
	}
	go next.commit()
	s.opts.Log.Info("the store goes on", slog.Duration("degraded", took))
	s.bury(l)
}

// bury closes a life when its last reader and its committer have left.
func (s *Store) bury(l *life) {
	close(l.dying) // a committer that hangs waits for a flush, which goes on in its dream
	if !s.await(l) {
		s.opts.Log.Warn("an old view of the store stays in memory: pebble cannot close it")
		return
	}
	if err := l.db.Close(); err != nil {
		s.opts.Log.Debug("old view of the store", slog.Any("error", err))
	}
}
