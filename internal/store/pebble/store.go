package pebble

import (
	"io"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Store is an open store. Make one with Open.
type Store struct {
	store.LocalBus
	watchers store.Watchers

	opts Options
	lock io.Closer

	mu      sync.Mutex
	done    sync.Cond // the completer may have something to do, or a reader or a goroutine has left
	waiting []waiter  // committed and not yet in a flight
	head    int       // waiting[:head] are taken
	flights []*flight // in commit order: being built, applied, or syncing
	free    []*flight
	number  uint64 // of the newest flight
	life    *life  // the directory as it is open now
	closed  bool   // Close was called
	ended   bool   // the completer has left
	late    bool   // a goroutine refuses what was committed after that
	closing chan struct{}

	background sync.WaitGroup // menders and gravediggers

	once sync.Once
	err  error // of Close
}

// waiter is a batch on its way into a flight. It fails with err if that is not nil.
type waiter struct {
	batch *store.Batch
	size  int
	err   error
}

// flight is a group of batches that share one sync.
type flight struct {
	number  uint64
	life    *life
	began   time.Time
	waiters []waiter
	batch   *pebble.Batch
	state   state
	boarded bool      // it was given to pebble
	err     error     // all of it failed
	touched []touched // queues that got entries
	revs    []uint64  // of each document operation of the batches that did not fail, in order; for a deletion what it had
	olds    []uint64  // what the same documents had before, 0 for none
	keys    []string  // of the same documents
	landing *landing  // not nil if documents change
}

type touched struct {
	q    *queue
	mark mark
}

// state is how far a flight is.
type state uint8

const (
	building  state = iota // the committer reads the batches
	applying               // the committer reads them no more
	applied                // the completer may wait for the sync
	abandoned              // the completer has failed it while the committer hung with it
)

var _ store.Store = (*Store)(nil)

// Commit takes a batch; see store.Store. It costs the caller a lock and an append.
func (s *Store) Commit(b *store.Batch) *store.Ticket {
	ticket := b.Ticket()
	w := waiter{batch: b, size: size(b), err: b.Check()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		w.err = errClosed
	}
	s.waiting = append(s.waiting, w)
	switch {
	case s.life.idle:
		s.life.idle = false
		s.life.work.Signal()
	case s.life.over():
		s.done.Broadcast()
	}
	if s.ended && !s.late {
		s.late = true
		go s.refuseLate()
	}
	return ticket
}

// size is about what the batch adds to the log.
func size(b *store.Batch) int {
	n := 0
	for i := range b.Docs {
		n += len(b.Docs[i].Key) + len(b.Docs[i].Value) + 32
	}
	for i := range b.Appends {
		a := &b.Appends[i]
		if isShared(a) {
			n += len(a.Queues)*2*entryKeyLen + len(a.Body)
		} else {
			n += len(a.Queues) * (2*entryKeyLen + len(a.Body))
		}
	}
	return n + len(b.DropQueues)*2*idKeyLen
}

// refuseLate completes what was committed after Close.
func (s *Store) refuseLate() {
	for {
		s.mu.Lock()
		late := s.waiting[s.head:]
		s.waiting, s.head = nil, 0
		if len(late) == 0 {
			s.late = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for _, w := range late {
			w.batch.Complete(errClosed)
		}
	}
}

var (
	errClosed   error = fault.New(fault.Unavailable, "the store is closed")
	errReadOnly error = fault.New(fault.Unavailable, "the store was opened for reading only")
)

// enter lets a reader in, unless the store is closed. Close waits until all have left.
func (s *Store) enter() (*life, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	s.life.readers++
	return s.life, nil
}

func (l *life) leave() {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.readers--
	if l.readers == 0 && (l.s.closed || l.s.life != l) {
		l.s.done.Broadcast()
	}
}

// now is the life that the store has.
func (s *Store) now() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

// Close completes what was committed, writes the trims, waits for readers, and releases the directory. After an error
// that left pebble with its locks held, it cannot release the directory: the process has to end for that.
func (s *Store) Close() error {
	s.once.Do(func() { s.err = s.close() })
	return s.err
}
