package store

import (
	"slices"
	"sync"
)

// maxNews is how much news waits for one slow listener before the newest is lost.
const maxNews = 4096

// LocalBus is the Bus of a single node, for drivers: a loop in memory. The zero value is ready. A goroutine runs per
// listener while there is news for it, and none otherwise.
type LocalBus struct {
	mu      sync.Mutex
	by      map[string][]*listener
	closed  bool
	running sync.WaitGroup
}

type listener struct {
	fn      func(body []byte)
	news    [][]byte
	running bool
	stopped bool
}

// Announce hands a copy of body to every listener of subject; see Bus.
func (b *LocalBus) Announce(subject string, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.by[subject]
	if b.closed || len(all) == 0 {
		return
	}
	body = slices.Clone(body)
	for _, l := range all {
		if len(l.news) == maxNews {
			continue
		}
		l.news = append(l.news, body)
		if !l.running {
			l.running = true
			b.running.Go(func() { b.tell(l) })
		}
	}
}

// Listen adds fn; see Bus. A call that is under way when stop is called ends in its own time.
func (b *LocalBus) Listen(subject string, fn func(body []byte)) (stop func()) {
	l := &listener{fn: fn}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = make(map[string][]*listener)
	}
	b.by[subject] = append(b.by[subject], l)
	return func() { b.remove(subject, l) }
}

func (b *LocalBus) remove(subject string, l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.stopped, l.news = true, nil
	b.by[subject] = slices.DeleteFunc(b.by[subject], func(other *listener) bool { return other == l })
	if len(b.by[subject]) == 0 {
		delete(b.by, subject)
	}
}

// tell runs while l has news.
func (b *LocalBus) tell(l *listener) {
	for {
		b.mu.Lock()
		news := l.news
		l.news = nil
		if len(news) == 0 {
			l.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		for _, body := range news {
			if b.silenced(l) {
				break
			}
			l.fn(body)
		}
	}
}

func (b *LocalBus) silenced(l *listener) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return l.stopped || b.closed
}

// Close drops news that nobody heard yet and waits for calls under way.
func (b *LocalBus) Close() {
	b.mu.Lock()
	b.closed = true
	for _, all := range b.by {
		for _, l := range all {
			l.news = nil
		}
	}
	b.mu.Unlock()
	b.running.Wait()
}
