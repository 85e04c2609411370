package gateway

import (
	"time"
)

// Back-pressure: after its batch a publisher may wait this long for a receiver that is over its high-water mark.
const maxPause = 50 * time.Millisecond

// pause waits for the receivers of the last batch that are over their high-water mark. It never waits for the
// connection itself, for a receiver whose own connection waits or commits (which breaks every circle), or for one that
// is slow.
func (c *conn) pause() {
	links := c.caller.Congested()
	if len(links) == 0 {
		return
	}
	c.paused.Store(true)
	defer c.paused.Store(false)
	for _, l := range links {
		o, ok := l.(*outbox)
		if !ok || o == &c.out || o.c.paused.Load() || o.c.publishing.Load() {
			continue
		}
		o.awaitRelief(c)
	}
}

// awaitRelief waits until the outbox is under its low-water mark. One that has freed nothing in maxPause is slow from
// then on, until it is half empty.
func (o *outbox) awaitRelief(by *conn) {
	o.mu.Lock()
	if !o.congested || o.slow || o.over {
		o.mu.Unlock()
		return
	}
	if o.relief == nil {
		o.relief = make(chan struct{})
	}
	relief, freed := o.relief, o.freed
	o.mu.Unlock()
	timer := time.NewTimer(maxPause)
	defer timer.Stop()
	select {
	case <-relief:
	case <-by.closed:
	case <-timer.C:
		o.mu.Lock()
		if o.freed == freed && o.congested {
			o.slow = true
			by.gateway.log.Warn("receiver does not read: publishers no longer wait for it",
				"client_id", o.c.clientID, "unsent_bytes", o.unsent)
		}
		o.mu.Unlock()
	}
}
