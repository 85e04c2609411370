package broker

import (
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// maxHops is how often a message may be republished by services before it stops.
const maxHops = 8

// Publish is the door: every message of every kind comes through it.
//
// It checks, decides, routes and hands out each message of the batch, in order, for the caller. It reports true when
// all is done; else some of the batch has to become durable first, and p.Done is called when it is. Until then the
// batch and what its messages point to belong to the broker. One goroutine at a time publishes for a caller.
func (b *Broker) Publish(by *Caller, p *Batch) (done bool) {
	p.begin(b)
	by.scratch.begin()
	if b.closing.Load() {
		for range p.Messages {
			p.Results = append(p.Results, errShuttingDown())
		}
		return true
	}
	p.commit.Docs = append(p.commit.Docs, p.also...)
	b.walk(by, p, millis(time.Now()))
	by.scratch.flush()
	if p.commit.Empty() {
		return true
	}
	p.commit.Then = p.then
	b.store.Commit(p.commit)
	return false
}

// walk takes the batch in runs of one topic.
func (b *Broker) walk(by *Caller, p *Batch, now int64) {
	for i := 0; i < len(p.Messages); {
		r := b.resolve(by, p.Messages[i].Topic)
		j, most := i, len(p.Messages)
		if p.asksFirst(r) {
			most = i + 1
		}
		var refused error
		for j < most && refused == nil && p.Messages[j].Topic == r.topic {
			if refused = b.accept(by, r, &p.Messages[j], now); refused == nil {
				refused = p.hold(by, r, &p.Messages[j])
			}
			if refused == nil {
				j++
			}
		}
		b.route(by, p, r, i, j)
		for range j - i {
			p.Results = append(p.Results, nil)
		}
		b.counts.Accepted.Add(int64(j - i))
		i = j
		if refused != nil {
			b.counts.refuse(refused)
			p.Results = append(p.Results, refused)
			if p.StopAtRefusal {
				return
			}
			i++
		}
	}
}

// accept checks one message against limits and policy, and stamps it.
func (b *Broker) accept(by *Caller, r *route, m *Message, now int64) error {
	if r.publish != nil {
		return r.publish
	}
	if len(m.Payload) > b.limits.Payload {
		return fault.New(fault.TooLarge, "payload of %d bytes is over the limit of %d", len(m.Payload), b.limits.Payload)
	}
	if m.hops > maxHops {
		return fault.New(fault.Invalid, "message was republished %d times: it goes in a circle", maxHops)
	}
	if m.Retain {
		if err := b.mayRetain(by, r); err != nil {
			return err
		}
		if m.RetainOrRefuse {
			if err := b.canRetain(m); err != nil {
				return err
			}
		}
	}
	m.ID = b.lastID.Add(1)
	m.Time = now
	m.Expires = 0
	if m.Expiry > 0 {
		most := uint32(b.limits.MessageExpiryMax / time.Second)
		m.Expires = now + int64(min(m.Expiry, most))*1000
	}
	return nil
}

// route hands a run of messages to the live sessions and gathers what has to be kept.
func (b *Broker) route(by *Caller, p *Batch, r *route, i, j int) {
	if i == j {
		return
	}
	h := &by.scratch
	h.run(p.Messages[i:j])
	shared := len(r.targets) > 1
	for k := range r.targets {
		sub := r.targets[k].sub
		if sub.group != nil {
			b.handOutShared(h, &r.targets[k])
			continue
		}
		live := sub.session.live.Load()
		if live == nil || sub.noLocal && by.owns(sub.session) || !b.stillAllowed(live, &r.targets[k], r.topic) {
			continue
		}
		if ds := h.pick(sub); len(ds) > 0 {
			b.counts.Delivered.Add(int64(h.give(live, ds, shared)))
		}
	}
	p.keep(by, r, i, j)
}

// stillAllowed asks again when the connection is not the one that the route was decided for: it has come since, and its
// Start is about to make the route invalid.
func (b *Broker) stillAllowed(live *Connection, t *target, name string) bool {
	return live.id == t.decided || b.decide(live.caller, "iot:Receive", "topic", name, nil).Allowed
}
