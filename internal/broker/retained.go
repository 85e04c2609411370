package broker

import (
	"context"
	"log/slog"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// SendRetained delivers the retained messages that new subscriptions are due: only where the filter is exactly a topic
// (AWS sends none for wildcards and shared filters). A persistent session keeps those of QoS 1 like any other message. A
// new member of a shared subscription gets its share of what waits.
func (c *Connection) SendRetained(results []SubscribeResult) {
	for i := range results {
		r := &results[i]
		if r.Err == nil && r.sub.filter.Shared() {
			r.sub.group.wake()
			continue
		}
		if r.Err != nil || !r.retained || r.sub.filter.HasWildcard() {
			continue
		}
		if err := c.sendRetained(r.sub); err != nil {
			c.b.log.Warn("retained message was not sent", slog.String("topic", r.sub.filter.Pattern), slog.Any("err", err))
		}
	}
}

func (c *Connection) sendRetained(sub *subscription) error {
	name := sub.filter.Pattern
	var m Message
	found, err := c.b.retained(name, &m)
	if err != nil || !found {
		return err
	}
	if !c.b.decide(c.caller, "iot:Receive", "topic", name, nil).Allowed {
		return nil
	}
	if sub.stored() && m.QoS > 0 {
		return c.queueRetained(&m)
	}
	took, flush := c.deliver([]Delivery{{Message: &m, QoS: min(m.QoS, sub.qos), Retain: true}}, false)
	c.b.counts.Delivered.Add(int64(took))
	if flush {
		c.link.Flush()
	}
	return nil
}

// retained reads the retained message of a topic.
func (b *Broker) retained(name string, m *Message) (found bool, err error) {
	d, err := b.store.Get(context.Background(), bucketRetained, name)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := decodeBody(d.Value, m); err != nil {
		return false, err
	}
	if m.Expires == 0 || m.Expires > millis(time.Now()) {
		return true, nil
	}
	b.store.Commit(&store.Batch{
		Docs: []store.DocOp{{ // unless there is a newer one; it does not matter if it fails
			Bucket: bucketRetained, Key: name, Delete: true, If: store.Condition{Rev: d.Rev},
		}},
		Then: func(err error) {
			if err == nil {
				b.roomForRetained(name, true)
			}
		},
	})
	return false, nil
}

// queueRetained puts the message behind what the session's queue holds.
func (c *Connection) queueRetained(m *Message) error {
	s := c.session
	if no := s.reserve(c.b, 1, len(m.Payload)); no != nil {
		c.b.noteNotQueued(no)
		return nil
	}
	sb := store.Batch{Appends: []store.Append{{
		Queues: []store.QueueID{s.queue}, Body: appendBody(nil, m, true), Seqs: make([]uint64, 1),
	}}}
	sb.Then = func(err error) {
		if err != nil {
			s.release(1, len(m.Payload))
			return
		}
		h := &c.b.kept
		h.begin()
		s.offer(c.b, h, []Delivery{{Message: m, QoS: 1, Retain: true, Seq: sb.Appends[0].Seqs[0]}}, c.id, false)
		h.flush()
	}
	return c.b.commit(&sb)
}
