package pebble

import (
	"errors"

	"github.com/thingwire/thingwire/internal/fault"
)

// Checkpoint makes dir, which is not there yet, a copy of the store as it is at one moment: everything that was
// acknowledged before the call is in it. Tables are hard links where the file system allows it, so it costs little time
// and room. A degraded store refuses.
func (s *Store) Checkpoint(dir string) error {
	l, err := s.enter()
	if err != nil {
		return err
	}
	defer l.leave()
	if err := l.error(); err != nil {
		return err
	}
	if err := l.db.Checkpoint(dir); err != nil {
		err = fault.Wrap(fault.Unavailable, err, "a copy of the store cannot be made in %s", dir)
		return errors.Join(err, s.opts.FS.RemoveAll(dir))
	}
	if err := l.error(); err != nil { // what was copied since may be a dream
		return errors.Join(err, s.opts.FS.RemoveAll(dir))
	}
	return nil
}
