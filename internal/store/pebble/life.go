package pebble

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// life is the directory from one opening to the next: pebble, and what is known of its contents. The first error of
// the disk ends it. It can still be read until the next one has begun.
type life struct {
	s     *Store
	guard guard
	db    *pebble.DB

	// Store.mu guards these.
	work      sync.Cond // the committer may have something to do
	broken    error     // degraded
	serving   bool      // it is, or was, the life of the store
	hopeless  bool      // opening the directory anew would not help
	idle      bool      // the committer waits for work
	left      bool      // the committer has left
	stuck     bool      // pebble panicked with its locks held and cannot be closed
	readers   int
	docs      landings
	trims     trims
	lost      []*flight       // that failed; some of them may be on the disk
	unsettled []*pebble.Batch // of a relaxed store: applied, their tickets done, and not known to be on the disk
	dying     chan struct{}   // closed when nobody needs this life any more

	queues struct {
		mu sync.RWMutex
		by map[store.QueueID]*queue
	}
	dead    atomic.Int64 // entries that are trimmed and still on disk
	builder builder      // the committer's
}

func (s *Store) newLife() *life {
	l := &life{s: s, docs: landings{by: make(map[string]*landing)}, dying: make(chan struct{})}
	l.work.L = &s.mu
	l.queues.by = make(map[store.QueueID]*queue)
	l.builder.fresh = make(map[string]uint64)
	l.builder.counts = make(map[uint64]uint64)
	l.guard = newGuard(s.opts.FS, l)
	return l
}

// over says that nobody commits any more. Under Store.mu.
func (l *life) over() bool { return l.broken != nil || l.left }

// error is what l was broken by, nil while it is well.
func (l *life) error() error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.broken
}
