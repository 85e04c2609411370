package registry

import (
	"sync"

	"github.com/thingwire/thingwire/internal/store"
)

// news carries changes from the store's goroutine, which may neither wait nor read, to the registry's own, which finds
// out whom they concern and tells those who asked.
type news struct {
	r     *Registry
	stops []func()
	wake  chan struct{} // holds one: something is pending
	done  chan struct{}
	over  chan struct{}

	mu        sync.Mutex
	pending   []document
	queued    map[document]struct{} // what pending holds: a document that changes twice is told once
	listeners map[*listener]struct{}
}

type listener struct{ fn func(certificateID string) }

func openNews(r *Registry) *news {
	n := &news{
		r:         r,
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		over:      make(chan struct{}),
		queued:    map[document]struct{}{},
		listeners: map[*listener]struct{}{},
	}
	for _, bucket := range []string{certificatesBucket, policiesBucket, thingsBucket, groupsBucket} {
		n.stops = append(n.stops, r.cfg.Store.Watch(bucket, func(c store.Change) {
			r.cache.forget(bucket, c.Key)
			n.add(document{bucket, c.Key})
		}))
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

// OnChange calls fn after each durable change that may alter what Identify answers for a certificate: its status, its
// attachments, its policies and their versions, the attributes of its things, their groups and the policies of these. By then the cache has forgotten, so an
// Identify in fn sees the change. It comes within milliseconds, one call at a time, on a goroutine of the registry:
// fn may call the registry but must not wait for anything slow. stop ends it; a call that runs is not waited for.
func (r *Registry) OnChange(fn func(certificateID string)) (stop func()) {
	l := &listener{fn: fn}
	n := r.news
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[l] = struct{}{}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.listeners, l)
	}
}

func (n *news) add(d document) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.queued[d]; ok || len(n.listeners) == 0 {
		return
	}
	n.queued[d] = struct{}{}
	n.pending = append(n.pending, d)
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
		for _, d := range n.take() {
			n.tell(d)
		}
	}
}

func (n *news) take() []document {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.pending
	n.pending = nil
	clear(n.queued)
	return all
}

// tell tells the listeners of each certificate that d concerns. Reads fail only when the store closes or breaks, and
// then nothing connects any more.
func (n *news) tell(d document) {
	switch d.bucket {
	case certificatesBucket:
		n.tellOne(d.key)
	case thingsBucket:
		n.each(thingCertsBucket, d.key, n.tellOne)
	case groupsBucket:
		n.tellGroup(d.key)
	case policiesBucket:
		n.each(policyTargetsBucket, d.key+"/"+certificateKind, n.tellOne)
		n.each(policyTargetsBucket, d.key+"/"+groupKind, n.tellGroup)
	}
}

// tellGroup tells of the things in a group and in all groups below, which have its policies too.
func (n *news) tellGroup(group string) {
	n.each(groupThingsBucket, group, func(thing string) { n.each(thingCertsBucket, thing, n.tellOne) })
	n.each(groupChildrenBucket, group, n.tellGroup)
}

// each calls fn with what an index bucket holds below a key.
func (n *news) each(bucket, key string, fn func(string)) {
	if n.closed() {
		return
	}
	names, _, err := n.r.keysOf(n.r.background, bucket, key+"/", Page{})
	if err != nil {
		return
	}
	for _, name := range names {
		fn(name)
	}
}

func (n *news) tellOne(certificateID string) {
	if n.closed() {
		return
	}
	n.mu.Lock()
	listeners := make([]*listener, 0, len(n.listeners))
	for l := range n.listeners {
		listeners = append(listeners, l)
	}
	n.mu.Unlock()
	for _, l := range listeners {
		l.fn(certificateID)
	}
}

func (n *news) closed() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}
