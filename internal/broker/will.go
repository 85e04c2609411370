package broker

import (
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// will is the message that a connection leaves behind. key names its document, which a persistent session has; it is
// empty when there is none.
type will struct {
	message *Message
	delay   time.Duration
	key     string
}

// waitingWill is a will that waits for its delay. It belongs to its session: the session's end publishes it, and a
// client that comes back takes it away.
type waitingWill struct {
	will

	by    *Caller
	due   time.Time
	alarm *alarm
}

// leaveWill decides what becomes of a will when its connection ends: now is to be published at once, waits when it is
// due. Neither means that it is over. Under the holder's shard.
//
// A will with a delay waits, but not longer than the session, and is not published at all if a new connection to the
// session is made before [MQTT-3.1.3-9]: a takeover is one.
func (c *Connection) leaveWill(w *will, f fate) (now *will, waits *waitingWill) {
	switch {
	case w == nil || w.delay <= 0 || f == sessionOver || f == sessionDiscarded:
		return w, nil
	case f == sessionContinues:
		return nil, nil
	}
	waits = &waitingWill{will: *w, by: c.caller.detached()}
	c.b.letWait(c.session, waits, min(w.delay, c.expiry))
	return nil, waits
}

// letWait sets the alarm of a session's will. Under the holder's shard.
func (b *Broker) letWait(s *session, w *waitingWill, d time.Duration) {
	w.due = time.Now().Add(d)
	w.alarm = &alarm{call: func() { b.ringWill(s, w) }}
	s.will = w
	b.alarms.set(w.alarm, d)
}

// ringWill publishes a will whose delay has passed, unless somebody has taken it meanwhile.
func (b *Broker) ringWill(s *session, w *waitingWill) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	mine := s.will == w
	if mine {
		s.will = nil
	}
	sh.mu.Unlock()
	if mine {
		b.publishWaiting(w)
	}
}

// takeWill takes the waiting will of a session, nil if it has none. Under the holder's shard.
func (b *Broker) takeWill(s *session) *waitingWill {
	w := s.will
	if w != nil {
		s.will = nil
		b.alarms.cancel(w.alarm)
	}
	return w
}

func (b *Broker) publishWaiting(w *waitingWill) {
	if w != nil {
		b.publishWill(w.by, &w.will)
	}
}

// publishWill publishes a will that nobody waits for. Its document goes in the commit that keeps the message, so that
// no crash lets it be published twice, or not at all.
func (b *Broker) publishWill(by *Caller, w *will) {
	p := &Batch{}
	if w.key != "" {
		p.also = []store.DocOp{{Bucket: bucketWills, Key: w.key, Delete: true}}
	}
	b.publishDetached(by, w.message, p)
}

// publishDetached publishes one message that nobody waits for, with an empty batch.
func (b *Broker) publishDetached(by *Caller, m *Message, p *Batch) {
	p.Done = func(p *Batch) { b.noteDetached(by, p) }
	p.detached = true
	d := p.Add()
	d.Topic, d.Payload, d.QoS, d.Retain, d.Expiry, d.Props = m.Topic, m.Payload, m.QoS, m.Retain, m.Expiry, m.Props
	if b.Publish(by, p) {
		p.Done(p)
	}
}

func (b *Broker) noteDetached(by *Caller, p *Batch) {
	for i, err := range p.Results {
		if err != nil {
			b.noteWillRefused(by, p.Messages[i].Topic, err)
		}
	}
}
