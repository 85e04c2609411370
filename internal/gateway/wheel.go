package gateway

import (
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// wheel looks after the keep-alive of every connection with one timer: a connection stands in the slot of the second
// at which it is to be looked at next, however often it is heard in between.
type wheel struct {
	g    *Gateway
	quit chan struct{}
	done chan struct{}

	mu    sync.Mutex
	at    int
	slots [wheelSlots][]*conn
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

// add puts a connection on the wheel; it falls off when it is closed.
func (w *wheel) add(c *conn) { w.put(c, c.patience()) }

func (w *wheel) put(c *conn, in time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ahead := min(max(1, int(in/time.Second)+1), wheelSlots-1)
	i := (w.at + ahead) % wheelSlots
	w.slots[i] = append(w.slots[i], c)
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
	w.at = (w.at + 1) % wheelSlots
	due := w.slots[w.at]
	w.slots[w.at] = nil
	w.mu.Unlock()
	now := w.g.now()
	for _, c := range due {
		select {
		case <-c.closed:
			continue
		default:
		}
		left := c.patience() - time.Duration(now-c.heard.Load())
		if left > 0 {
			w.put(c, left)
			continue
		}
		c.fail(broker.Cause{
			Reason: broker.KeepAliveTimeout, Code: byte(mqtt.CodeKeepAliveTimeout),
			Text: "no packet within one and a half times the keep-alive of " + c.keepAlive.String(),
		})
	}
}

// patience is how long a client may be silent [MQTT-3.1.2-22].
func (c *conn) patience() time.Duration { return c.keepAlive + c.keepAlive/2 }
