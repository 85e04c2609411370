package broker

import (
	"time"
)

// will is the message that a connection leaves behind.
type will struct {
	message *Message
	delay   time.Duration
}

// publishWill publishes the will of an ended connection, once. A delayed one waits at most as long as the session, and
// not at all if the client comes back before [MQTT-3.1.3-9].
func (b *Broker) publishWill(c *Connection) {
	w := c.will.Swap(nil)
	if w == nil {
		return
	}
	by := c.caller.detached()
	if w.delay <= 0 || !c.session.persistent {
		b.publishDetached(by, w.message)
		return
	}
	b.alarms.after(min(w.delay, c.expiry), func() {
		if c.session.live.Load() == nil {
			b.publishDetached(by, w.message)
		}
	})
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
