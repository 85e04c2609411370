package broker

import (
	"time"
)

// will is the message that a connection leaves behind.
type will struct {
	message *Message
	delay   time.Duration
}

// waitingWill is a will that waits for its delay. It belongs to its session: the session's end publishes it, and a
// client that comes back takes it away.
type waitingWill struct {
	by      *Caller
	message *Message
	alarm   *alarm
}

// leaveWill decides what becomes of a will when its connection ends, and gives it back if it is to be published now.
// Under the holder's shard.
//
// A will with a delay waits, but not longer than the session, and is not published at all if a new connection to the
// session is made before [MQTT-3.1.3-9]: a takeover is one.
func (c *Connection) leaveWill(w *will, f fate) *will {
	switch {
	case w == nil || w.delay <= 0 || f == sessionOver || f == sessionDiscarded:
		return w
	case f == sessionContinues:
		return nil
	}
	s := c.session
	waiting := &waitingWill{by: c.caller.detached(), message: w.message}
	waiting.alarm = &alarm{call: func() { c.b.ringWill(s, waiting) }}
	s.will = waiting
	c.b.alarms.set(waiting.alarm, min(w.delay, c.expiry))
	return nil
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
		b.publishDetached(w.by, w.message)
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
		b.publishDetached(w.by, w.message)
	}
}

// publishWill publishes the will of an ended connection.
func (b *Broker) publishWill(c *Connection, w *will) {
	if w != nil {
		b.publishDetached(c.caller.detached(), w.message)
	}
}

// publishDetached publishes one message that nobody waits for.
func (b *Broker) publishDetached(by *Caller, m *Message) {
	p := &Batch{Done: func(p *Batch) { b.noteDetached(by, p) }}
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
