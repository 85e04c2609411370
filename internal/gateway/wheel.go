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
	slots [wheelSlots][]due
}

// due is a connection and what is to be looked at.
type due struct {
	c       *conn
	unacked bool // else keep-alive
}

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

// add looks after a connection's keep-alive until it is closed.
func (w *wheel) add(c *conn) { w.put(due{c: c}, c.patience()) }

// watch looks once, in so much time, for messages that the client has not acknowledged.
func (w *wheel) watch(c *conn, in time.Duration) { w.put(due{c: c, unacked: true}, in) }

func (w *wheel) put(d due, in time.Duration) {
	ahead := min(max(1, int(in/time.Second)+1), wheelSlots-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	i := (int(w.tick.Load()) + ahead) % wheelSlots
	w.slots[i] = append(w.slots[i], d)
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
	w.mu.Lock()
	at := int(w.tick.Add(1)) % wheelSlots
	all := w.slots[at]
	w.slots[at] = nil
	w.mu.Unlock()
	for _, d := range all {
		select {
		case <-d.c.closed:
			continue
		default:
		}
		if d.unacked {
			d.c.out.redeliver()
			continue
		}
		w.keepAlive(d.c)
	}
}

// keepAlive ends a connection that was silent for too long.
func (w *wheel) keepAlive(c *conn) {
	left := c.patience() - time.Duration(w.g.now()-c.heard.Load())
	if left > 0 {
		w.put(due{c: c}, left)
		return
	}
	c.fail(broker.Cause{
		Reason: broker.KeepAliveTimeout, Code: byte(mqtt.CodeKeepAliveTimeout),
		Text: "no packet within one and a half times the keep-alive of " + c.keepAlive.String(),
	})
}

// patience is how long a client may be silent [MQTT-3.1.2-22].
func (c *conn) patience() time.Duration { return c.keepAlive + c.keepAlive/2 }
