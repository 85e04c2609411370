package gateway

import (
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// What is not acknowledged is sent again while the connection lives, with DUP 0 and the same packet id, until it is
// given up (message broker reference, "QoS 1 redelivery inside one connection").
const (
	redeliverAfter  = 30 * time.Second
	redeliverForV3  = time.Hour
	redeliverForV5  = 16 * time.Minute
	redeliverAtOnce = 64 << 10 // bytes of one round
)

// redeliver sends again what is due, and gives up what has been tried for too long or has expired. A client that has
// not even taken what was written before is left alone.
func (o *outbox) redeliver() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.window.count == 0 {
		o.watched = false
		return
	}
	o.c.gateway.wheel.watch(o.c, redeliverAfter/2)
	if o.writing {
		return
	}
	now, wall := o.c.gateway.wheel.seconds(), time.Now().UnixMilli()
	sent := 0
	for k := range len(o.window.slots) {
		id, b, e := o.window.peek(k)
		if e == nil || now-e.last < uint32(redeliverAfter/time.Second) {
			continue
		}
		if now-e.first >= o.giveUpAfter() || e.expires != 0 && e.expires <= wall {
			o.giveUp(id)
			continue
		}
		if sent += int(e.size); sent > redeliverAtOnce {
			break
		}
		e.last = now
		at := len(o.control)
		o.control = append(o.control, b.buf[e.off:e.off+e.size]...)
		if o.version == mqtt.V5 && e.expires != 0 {
			tellRemaining(o.control[at:], broker.Remaining(e.expires, wall))
		}
	}
	o.start()
}

func (o *outbox) giveUpAfter() uint32 {
	if o.version == mqtt.V5 {
		return uint32(redeliverForV5 / time.Second)
	}
	return uint32(redeliverForV3 / time.Second)
}

// giveUp ends a flight without PUBACK.
func (o *outbox) giveUp(id uint16) {
	b, e, ok := o.window.take(id)
	if !ok {
		return
	}
	o.dropped.Add(1)
	o.c.noteDropped("", journal.ReasonRedeliveryOver,
		"a QoS 1 message was sent again and again, and never acknowledged: it was given up")
	if e.seq != 0 {
		o.skipped.add(e.group, e.seq)
	}
	b.pending--
	if b.over() {
		o.remove(b)
	}
}
