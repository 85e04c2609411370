package pebble

import (
	"encoding/binary"
	"errors"
	iofs "io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Open opens the store in a directory, or makes one. Only one process may have it open.
func Open(opts Options) (*Store, error) {
	s := &Store{
		dir:     opts.Dir,
		relaxed: opts.Relaxed,
		observe: opts.Observe,
		log:     opts.Log,
		closing: make(chan struct{}),
		docs:    landings{by: make(map[string]*landing)},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.work.L, s.done.L = &s.mu, &s.mu
	s.queues.by = make(map[store.QueueID]*queue)
	s.builder.fresh = make(map[string]uint64)
	s.builder.counts = make(map[uint64]uint64)
	if err := s.open(opts); err != nil {
		return nil, err
	}
	go s.commit()
	go s.complete()
	return s, nil
}

func (s *Store) open(opts Options) error {
	engine := s.engine(opts)
	lock, err := lockDir(opts.Dir, engine.FS)
	if err != nil {
		return err
	}
	engine.Lock = lock
	s.lock = lock
	s.db, err = pebble.Open(opts.Dir, engine)
	if err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the store in %s cannot be opened", opts.Dir)
		return errors.Join(err, lock.Close())
	}
	err = s.prepare()
	s.serving.Store(true)
	if err == nil {
		err = s.Degraded()
	}
	if err != nil {
		close(s.closing)
		return errors.Join(err, s.db.Close(), lock.Close())
	}
	return nil
}

// prepare reads what has to be known before the first commit.
func (s *Store) prepare() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	last, err := s.lastBody()
	if err != nil {
		return err
	}
	s.builder.bodyID = last
	return s.resumeDrops()
}

// checkFormat reads the version of the layout, or writes it if the database is new. What is newer is refused.
func (s *Store) checkFormat() error {
	v, closer, err := s.db.Get([]byte{kindFormat})
	if errors.Is(err, pebble.ErrNotFound) {
		return s.initFormat()
	}
	if err != nil {
		return err
	}
	version, err := decodeNumber(v)
	if err := errors.Join(err, closer.Close()); err != nil {
		return err
	}
	if version != formatVersion {
		return fault.New(fault.Unsupported, "the store in %s has format %d, this program knows format %d", s.dir, version, formatVersion).
			WithRemedy("use the version of thingwire that wrote it, or a newer one")
	}
	return nil
}

func (s *Store) initFormat() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !it.First()
	if err := it.Close(); err != nil {
		return err
	}
	if !empty {
		return fault.New(fault.Unsupported, "the database in %s was not written by thingwire", s.dir).
			WithRemedy("give another directory")
	}
	return s.db.Set([]byte{kindFormat}, binary.AppendUvarint(nil, formatVersion), pebble.Sync)
}

// lastBody is the highest id of a shared body.
func (s *Store) lastBody() (id uint64, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindBody}, UpperBound: []byte{kindBody + 1}})
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
func (s *Store) resumeDrops() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindDropped}, UpperBound: []byte{kindDropped + 1}})
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	for it.First(); it.Valid(); it.Next() {
		_, id, ok := decodeIDKey(it.Key())
		if !ok {
			return errCorrupt
		}
		q, err := s.queue(store.QueueID(id))
		if err != nil {
			return err
		}
		s.builder.file(q)
	}
	return it.Error()
}

// lockDir makes the directory and takes its lock, which ends with the process at the latest.
func lockDir(dir string, fs vfs.FS) (*pebble.Lock, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the data directory %s cannot be made", dir)
	}
	lock, err := pebble.LockDirectory(dir, fs)
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
