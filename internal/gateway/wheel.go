package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// wheel looks after every connection with one timer. A connection stands in the slot of the second at which it is to
// be looked at next: for its keep-alive, however often it is heard in between, or for what it has not acknowledged.
type wheel struct {
	g    *Gateway
	quit chan struct{}
	done chan struct{}
	tick atomic.Uint32 // seconds since the wheel began to turn

	mu    sync.Mutex
	slots [wheelSlots]*spoke // the first of each list
}

// spoke is a connection's place on the wheel: it has one for each reason to look at it. All but c and why are under
// wheel.mu.
type spoke struct {
	c          *conn
	why        reason
	slot       int // 0 is free: slots are counted from 1 here
	prev, next *spoke
	off        bool // the connection is closed
}

// reason is why the wheel looks at a connection.
type reason uint8

const (
	keepAlive      reason = iota
	unacknowledged        // messages that the client should have acknowledged
	lifetime              // of a WebSocket
)

// wheelSlots is more seconds than one and a half times the longest keep-alive, 1,200 s.
const wheelSlots = 2048

func newWheel(g *Gateway) *wheel {
	w := &wheel{g: g, quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *wheel) close() {
	close(w.quit)
	<-w.done
}

// seconds is a clock that costs nothing to read.
func (w *wheel) seconds() uint32 { return w.tick.Load() }

// add looks after a connection's keep-alive, and the end of its WebSocket, until remove.
func (w *wheel) add(c *conn) {
	w.put(&c.alive, c.patience())
	if c.ws != nil {
		w.put(&c.ws.life, time.Until(c.ws.until))
	}
}

// watch looks once, in so much time, for messages that the client has not acknowledged.
func (w *wheel) watch(c *conn, in time.Duration) { w.put(&c.unacked, in) }

// put moves a spoke to the slot that is due in so much time.
func (w *wheel) put(s *spoke, in time.Duration) {
	ahead := min(max(1, int(in/time.Second)+1), wheelSlots-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(s)
	if s.off {
		return
	}
	i := (int(w.tick.Load()) + ahead) % wheelSlots
	s.slot = i + 1
	if s.next = w.slots[i]; s.next != nil {
		s.next.prev = s
	}
	w.slots[i] = s
}

// remove takes a connection off the wheel for good.
func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retire(&c.alive)
	w.retire(&c.unacked)
	if c.ws != nil {
		w.retire(&c.ws.life)
	}
}

func (w *wheel) retire(s *spoke) {
	w.unlink(s)
	s.off = true
}

func (w *wheel) unlink(s *spoke) {
	if s.slot == 0 {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		w.slots[s.slot-1] = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.slot, s.prev, s.next = 0, nil, nil
}

func (w *wheel) run() {
	defer close(w.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.turn()
		case <-w.quit:
			return
		}
	}
}

func (w *wheel) turn() {
	at := int(w.tick.Add(1)) % wheelSlots
	for s := w.take(at); s != nil; s = w.take(at) {
		switch s.why {
		case keepAlive:
			w.keepAlive(s.c)
		case unacknowledged:
			s.c.out.redeliver()
		case lifetime:
			s.c.ws.age()
		}
	}
}

// take takes one spoke out of a slot, nil when it is empty. Nothing comes back to a slot while it is looked at: what is
// put is due in a second at the earliest.
func (w *wheel) take(at int) *spoke {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.slots[at]
	if s != nil {
		w.unlink(s)
	}
	return s
}

// keepAlive ends a connection that was silent for too long.
func (w *wheel) keepAlive(c *conn) {
	left := c.patience() - time.Duration(w.g.now()-c.heard.Load())
	if left > 0 {
		w.put(&c.alive, left)
		return
	}
	c.fail(broker.Cause{
		Reason: broker.KeepAliveTimeout, Code: byte(mqtt.CodeKeepAliveTimeout),
		Text: "no packet within one and a half times the keep-alive of " + c.keepAlive.String(),
	})
}

// patience is how long a client may be silent [MQTT-3.1.2-22].
func (c *conn) patience() time.Duration { return c.keepAlive + c.keepAlive/2 }
