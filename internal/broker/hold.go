package broker

import (
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// QueueFullError is the refusal of a message that a queue at its limit had to keep (Limits.RefuseWhenFull): a fault.Error
// of kind Throttled, and whose queue it is, which the journal is told and the publisher is not.
type QueueFullError struct {
	Fault *fault.Error
	Owner string // the client id, or the shared subscription as $share/…
}

func (e *QueueFullError) Error() string { return e.Fault.Error() }

// Unwrap makes the kind known.
func (e *QueueFullError) Unwrap() error { return e.Fault }

// asksFirst reports whether messages of a route take room in all queues before anybody gets them: one by one, since each
// is refused or taken on its own.
func (p *Batch) asksFirst(r *route) bool { return p.b.limits.RefuseWhenFull && r.stored && !p.detached }

// hold takes room for a message in every queue that has to keep it, or in none and says why the message is refused. What
// only a rate keeps from a queue is lost there, as without Limits.RefuseWhenFull.
func (p *Batch) hold(by *Caller, r *route, m *Message) error {
	if !p.asksFirst(r) {
		return nil
	}
	p.held = slices.Grow(p.held[:0], len(r.targets))[:len(r.targets)]
	clear(p.held)
	if m.QoS == 0 {
		return nil
	}
	for k := range r.targets {
		if !r.targets[k].keeps(by) {
			continue
		}
		id, no := r.targets[k].sub.reserve(p.b, 1, len(m.Payload))
		switch {
		case no == nil:
			p.held[k] = id
		case no.reason == journal.ReasonThrottled:
			p.b.noteNotQueued(no)
		default:
			p.letGo(r, len(m.Payload))
			p.b.noteQueueRefused(no, m.Topic)
			return &QueueFullError{
				Fault: fault.New(fault.Throttled, "a receiver's queue is full: %s", no.why).
					WithRemedy("publish the message again later: the receiver has to read first"),
				Owner: no.owner,
			}
		}
	}
	return nil
}

// letGo gives back what hold has taken.
func (p *Batch) letGo(r *route, size int) {
	for k, id := range p.held {
		if id != 0 {
			r.targets[k].sub.release(1, size)
		}
	}
}
