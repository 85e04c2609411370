package store

import (
	"slices"
	"sync"
)

// Watchers is the list of those who watch buckets, for drivers. The zero value is ready.
type Watchers struct {
	mu sync.RWMutex
	by map[string][]*watcher // slices are replaced, never changed
}

type watcher struct{ fn func(Change) }

// Watch adds fn; see Docs.Watch.
func (w *Watchers) Watch(bucket string, fn func(Change)) (stop func()) {
	me := &watcher{fn: fn}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = make(map[string][]*watcher)
	}
	w.by[bucket] = append(slices.Clip(w.by[bucket]), me)
	return func() { w.remove(bucket, me) }
}

func (w *Watchers) remove(bucket string, me *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := make([]*watcher, 0, len(w.by[bucket]))
	for _, other := range w.by[bucket] {
		if other != me {
			left = append(left, other)
		}
	}
	w.by[bucket] = left
	if len(left) == 0 {
		delete(w.by, bucket)
	}
}

// Watched reports whether anybody watches the bucket, so that a driver need not make a Change for nobody.
func (w *Watchers) Watched(bucket string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.by[bucket]) > 0
}

// Tell hands c to all watchers of the bucket on the caller's goroutine. No lock is held meanwhile, so that a watcher
// may end itself. The driver gives the value away: it is never written to again.
func (w *Watchers) Tell(bucket string, c Change) {
	w.mu.RLock()
	all := w.by[bucket]
	w.mu.RUnlock()
	for _, one := range all {
		one.fn(c)
	}
}
