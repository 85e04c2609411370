package documents

import (
	"maps"
	"slices"
	"sync"

	"github.com/thingwire/thingwire/internal/store"
)

// News carries changes of documents from the store's goroutine, which may neither wait nor read, to one of its own, which
// finds out whom they concern and tells those who asked. C is a change as it waits, T what listeners are told.
type News[C comparable, T any] struct {
	concerns func(change C, tell func(T))
	stops    []func()
	wake     chan struct{} // holds one: something is pending
	done     chan struct{}
	over     chan struct{}

	mu        sync.Mutex
	pending   []C
	queued    map[C]struct{} // what pending holds: what changes twice is told once
	listeners map[*listener[T]]struct{}
}

type listener[T any] struct{ fn func(T) }

// OpenNews starts a goroutine, which Close ends. On it concerns calls tell with each word that a change is worth; it may
// read the store.
func OpenNews[C comparable, T any](concerns func(change C, tell func(T))) *News[C, T] {
	n := &News[C, T]{
		concerns:  concerns,
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		over:      make(chan struct{}),
		queued:    map[C]struct{}{},
		listeners: map[*listener[T]]struct{}{},
	}
	go n.run()
	return n
}

// Watch follows a bucket until Close. hear is called on the store's goroutine, before anybody is told, with the key of a
// changed document; it makes the change of it, and must not wait.
func (n *News[C, T]) Watch(s store.Docs, bucket string, hear func(key string) C) {
	n.stops = append(n.stops, s.Watch(bucket, func(c store.Change) { n.add(hear(c.Key)) }))
}

// Close ends the watches and waits for the goroutine. A listener that runs is waited for.
func (n *News[C, T]) Close() {
	for _, stop := range n.stops {
		stop()
	}
	close(n.done)
	<-n.over
}

// Closed reports whether Close has begun: what a change concerns is of no interest any more.
func (n *News[C, T]) Closed() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// OnChange calls fn with each word, one call at a time, within milliseconds after the change became durable. fn must not
// wait for anything slow. stop ends it; a call that runs is not waited for.
func (n *News[C, T]) OnChange(fn func(T)) (stop func()) {
	l := &listener[T]{fn: fn}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[l] = struct{}{}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.listeners, l)
	}
}

func (n *News[C, T]) add(c C) {
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

func (n *News[C, T]) run() {
	defer close(n.over)
	for {
		select {
		case <-n.done:
			return
		case <-n.wake:
		}
		for _, c := range n.take() {
			if n.Closed() {
				return
			}
			n.concerns(c, n.tell)
		}
	}
}

func (n *News[C, T]) take() []C {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.pending
	n.pending = nil
	clear(n.queued)
	return all
}

func (n *News[C, T]) tell(word T) {
	if n.Closed() {
		return
	}
	n.mu.Lock()
	listeners := slices.Collect(maps.Keys(n.listeners))
	n.mu.Unlock()
	for _, l := range listeners {
		l.fn(word)
	}
}
