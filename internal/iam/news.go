package iam

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/thingwire/thingwire/internal/store"
)

// Change says what changed: one access key, or a user with all its keys and sessions. The other field is "".
type Change struct {
	AccessKeyID string
	User        string // names are not distinguished by case
}

// Concerns reports whether an identity may be another one, or over, after the change.
func (c Change) Concerns(id *Identity) bool {
	if c.AccessKeyID != "" {
		return c.AccessKeyID == id.AccessKeyID
	}
	return strings.EqualFold(c.User, id.Name)
}

// news carries changes from the store's goroutine, which may not wait, to a goroutine of the directory, which tells
// those who asked.
type news struct {
	stops []func()
	wake  chan struct{} // holds one: something is pending
	done  chan struct{}
	over  chan struct{}

	mu        sync.Mutex
	pending   []Change
	queued    map[Change]struct{} // what pending holds: what changes twice is told once
	listeners map[*listener]struct{}
}

type listener struct{ fn func(Change) }

func openNews(s store.Store, c *cache) *news {
	n := &news{
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		over:      make(chan struct{}),
		queued:    map[Change]struct{}{},
		listeners: map[*listener]struct{}{},
	}
	hear := func(about Change) {
		c.forget(about)
		n.add(about)
	}
	n.stops = []func(){
		s.Watch(keysBucket, func(change store.Change) { hear(Change{AccessKeyID: change.Key}) }),
		s.Watch(usersBucket, func(change store.Change) { hear(Change{User: change.Key}) }),
	}
	go n.run()
	return n
}

func (n *news) close() {
	for _, stop := range n.stops {
		stop()
	}
	close(n.done)
	<-n.over
}

// OnChange calls fn after each durable change of an access key, a user or its policies. By then the cache has
// forgotten, so Again in fn sees the change. It comes within milliseconds, one call at a time, on a goroutine of the
// directory: fn may ask the directory but must not wait for anything slow. The end of a session is no change: whoever
// keeps one looks at Identity.Expires. stop ends it; a call that runs is not waited for.
func (d *Directory) OnChange(fn func(Change)) (stop func()) {
	l := &listener{fn: fn}
	n := d.news
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[l] = struct{}{}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.listeners, l)
	}
}

func (n *news) add(c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.queued[c]; ok || len(n.listeners) == 0 {
		return
	}
	n.queued[c] = struct{}{}
	n.pending = append(n.pending, c)
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *news) run() {
	defer close(n.over)
	for {
		select {
		case <-n.done:
			return
		case <-n.wake:
		}
		changes, listeners := n.take()
		for _, c := range changes {
			for _, l := range listeners {
				l.fn(c)
			}
		}
	}
}

func (n *news) take() ([]Change, []*listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	changes := n.pending
	n.pending = nil
	clear(n.queued)
	return changes, slices.Collect(maps.Keys(n.listeners))
}
