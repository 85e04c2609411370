package mem

import (
	"sync"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Store is a store in memory. Make one with New.
type Store struct {
	store.LocalBus
	watchers store.Watchers

	mu      sync.Mutex
	idle    sync.Cond // running became false
	running bool      // a completion goroutine is at work
	held    bool
	refuse  error // what later commits fail with, nil while all is well
	waiting []entry

	buckets map[string]*bucket
	queues  map[store.QueueID]*queue
}

// entry is a batch that waits for its completion; it fails with err if that is not nil.
type entry struct {
	batch *store.Batch
	err   error
}

var _ store.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store {
	s := &Store{buckets: make(map[string]*bucket), queues: make(map[store.QueueID]*queue)}
	s.idle.L = &s.mu
	return s
}

// Commit takes a batch; see store.Store.
func (s *Store) Commit(b *store.Batch) *store.Ticket {
	ticket := b.Ticket()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, entry{b, s.refuse})
	s.wake()
	return ticket
}

// wake starts the completion goroutine if there is something to do; the caller holds the lock.
func (s *Store) wake() {
	if s.running || s.held || len(s.waiting) == 0 {
		return
	}
	s.running = true
	go s.complete()
}

// complete finishes batches in the order of their commits until there is none, or they are held.
func (s *Store) complete() {
	var changes []change
	for {
		e, ok := s.next()
		if !ok {
			return
		}
		changes = changes[:0]
		if e.err == nil {
			changes, e.err = s.apply(e.batch, changes)
		}
		for _, c := range changes {
			s.watchers.Tell(c.bucket, c.Change)
		}
		e.batch.Complete(e.err)
	}
}

func (s *Store) next() (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held || len(s.waiting) == 0 {
		s.running = false
		s.idle.Broadcast()
		return entry{}, false
	}
	e := s.waiting[0]
	s.waiting[0] = entry{}
	s.waiting = s.waiting[1:]
	return e, true
}

// apply checks a batch and does what it says, all or nothing.
func (s *Store) apply(b *store.Batch, changes []change) ([]change, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := s.applyDocs(b.Docs, changes)
	if err != nil {
		return nil, err
	}
	for _, q := range b.DropQueues {
		delete(s.queues, q)
	}
	for i := range b.Appends {
		s.append(&b.Appends[i])
	}
	return changes, nil
}

// Watch tells fn of each change in a bucket; see store.Docs.
func (s *Store) Watch(bucket string, fn func(store.Change)) (stop func()) {
	return s.watchers.Watch(bucket, fn)
}

// Close completes what waits (what is held fails) and waits for the store's goroutines. Documents and queues cannot be
// read afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.held {
		s.failWaiting(errClosed)
		s.held = false
	}
	s.refuse = errClosed
	s.wake()
	for s.running {
		s.idle.Wait()
	}
	s.mu.Unlock()
	s.LocalBus.Close()
	return nil
}

// errClosed is the refusal of a store that was closed.
var errClosed error = fault.New(fault.Unavailable, "the store is closed")

// readable is the error that reads answer with, the caller holds the lock. A store that fails its commits can still
// be read, a closed one cannot.
func (s *Store) readable() error {
	if s.refuse == errClosed { //nolint:errorlint // identity is meant
		return errClosed
	}
	return nil
}
