package pebble

import (
	"encoding/binary"
	"errors"
	iofs "io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Open opens the store in a directory, or makes one. Only one process may have it open.
func Open(opts Options) (*Store, error) {
	s := &Store{opts: opts.complete(), closing: make(chan struct{})}
	s.done.L = &s.mu
	if err := opts.check(); err != nil {
		return nil, err
	}
	s.lock = noLock{}
	if !opts.Locked {
		lock, err := lockDir(s.opts)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	l, err := s.begin(nil)
	if err == nil {
		err = s.adopt(l)
	}
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if opts.ReadOnly {
		l.left = true
	} else {
		go l.commit()
	}
	go s.complete()
	return s, nil
}

// begin opens the database for a life that follows old, which is nil at first.
func (s *Store) begin(old *life) (_ *life, err error) {
	l := s.newLife()
	defer func() {
		if err != nil {
			err = errors.Join(err, l.end())
		}
	}()
	if !s.opts.ReadOnly {
		if err := dropEmptyLogs(s.opts); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the store in %s cannot be opened", s.opts.Dir)
		}
	}
	if l.db, err = pebble.Open(s.opts.Dir, l.engine()); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the store in %s cannot be opened", s.opts.Dir)
	}
	return l, l.prepare(old)
}

// adopt makes l the life of the store, unless it is broken already.
func (s *Store) adopt(l *life) error {
	s.mu.Lock()
	err := l.broken
	if s.closed {
		err = errClosed
	}
	if err == nil {
		l.serving, s.life = true, l
		s.done.Broadcast()
	}
	s.mu.Unlock()
	if err != nil {
		err = errors.Join(err, l.end())
	}
	return err
}

// end closes the database; nothing of it reaches the disk any more.
func (l *life) end() error {
	l.guard.fallAsleep()
	l.guard.asleep()
	l.s.mu.Lock()
	l.trims.stop()
	stuck := l.stuck
	l.s.mu.Unlock()
	close(l.dying)
	if l.db == nil {
		return nil
	}
	if stuck {
		return fault.New(fault.Unavailable, "the store in %s could not be closed after an error of the disk", l.s.opts.Dir).
			WithRemedy("end the process")
	}
	return l.db.Close()
}

// dropEmptyLogs removes logs without a byte behind the last one that has some. An opening that was cut short left them,
// and pebble takes it for damage when the log before the last one ends in the middle of a batch.
func dropEmptyLogs(opts Options) error {
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".log") })
	slices.Sort(names) // their numbers have six digits, and more when there are more
	slices.SortStableFunc(names, func(a, b string) int { return len(a) - len(b) })
	for _, name := range slices.Backward(names) {
		path := opts.FS.PathJoin(opts.Dir, name)
		info, err := opts.FS.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			return nil
		}
		if err := opts.FS.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// prepare reads what has to be known before the first commit.
func (l *life) prepare(old *life) error {
	if err := l.checkFormat(); err != nil {
		return err
	}
	if old != nil {
		if err := l.takeOver(old); err != nil {
			return err
		}
	}
	last, err := l.lastBody()
	if err != nil {
		return err
	}
	l.builder.bodyID = last
	if err := l.resumeDrops(); err != nil || old == nil {
		return err
	}
	return l.carry(old)
}

// checkFormat reads the version of the layout, or writes it if the database is new. What is newer is refused. In a store of
// version 1 everything is as version 2 reads it, so that the migration is the number: it keeps programs away that do not
// know blocks.
func (l *life) checkFormat() error {
	v, closer, err := l.db.Get([]byte{kindFormat})
	if errors.Is(err, pebble.ErrNotFound) {
		return l.initFormat()
	}
	if err != nil {
		return err
	}
	version, err := decodeNumber(v)
	if err := errors.Join(err, closer.Close()); err != nil {
		return err
	}
	if version < oldestFormat || version > formatVersion {
		return fault.New(fault.Unsupported, "the store in %s has format %d, this program knows the formats %d to %d",
			l.s.opts.Dir, version, oldestFormat, formatVersion).
			WithRemedy("use the version of thingwire that wrote it, or a newer one")
	}
	if version == formatVersion || l.s.opts.ReadOnly {
		return nil
	}
	return l.setFormat()
}

func (l *life) setFormat() error {
	return l.db.Set([]byte{kindFormat}, binary.AppendUvarint(nil, formatVersion), pebble.Sync)
}

func (l *life) initFormat() error {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !it.First()
	if err := it.Close(); err != nil {
		return err
	}
	if !empty {
		return fault.New(fault.Unsupported, "the database in %s was not written by thingwire", l.s.opts.Dir).
			WithRemedy("give another directory")
	}
	return l.setFormat()
}

// lastBody is the highest id of a shared body.
func (l *life) lastBody() (id uint64, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindBody}, UpperBound: []byte{kindBody + 1}})
	if err != nil {
		return 0, err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	if it.Last() {
		_, id, _ = decodeIDKey(it.Key())
	}
	return id, it.Error()
}

// resumeDrops goes on clearing queues that were dropped before the last stop.
func (l *life) resumeDrops() error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindDropped}, UpperBound: []byte{kindDropped + 1}})
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	for it.First(); it.Valid(); it.Next() {
		_, id, ok := decodeIDKey(it.Key())
		if !ok {
			return errCorrupt
		}
		q, err := l.queue(store.QueueID(id))
		if err != nil {
			return err
		}
		l.builder.file(q)
	}
	return it.Error()
}

// lockDir makes the directory and takes its lock, which ends with the process at the latest.
func lockDir(opts Options) (*pebble.Lock, error) {
	dir := opts.Dir
	if opts.ReadOnly {
		if _, err := opts.FS.Stat(dir); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "there is no store in %s", dir)
		}
	} else if err := opts.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the data directory %s cannot be made", dir)
	}
	lock, err := pebble.LockDirectory(dir, opts.FS)
	if err == nil {
		return lock, nil
	}
	if strings.Contains(err.Error(), "lock held by current process") {
		return nil, fault.New(fault.Unavailable, "the store in %s is open already in this process", dir)
	}
	if _, ok := errors.AsType[*iofs.PathError](err); ok {
		return nil, fault.Wrap(fault.Unavailable, err, "the store in %s cannot be locked", dir)
	}
	refusal := fault.New(fault.Unavailable, "another thingwire serves the data directory %s", dir)
	if pid := lockHolder(filepath.Join(dir, "LOCK")); pid > 0 {
		refusal.Cause += " (process " + strconv.Itoa(pid) + ")"
	}
	return nil, refusal.WithRemedy("stop it, or give this one another directory")
}
