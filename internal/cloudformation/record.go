package cloudformation

import (
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// record collects the events of one change of a stack.
type record struct {
	stack  *Stack
	at     time.Time
	token  string // ClientRequestToken
	hide   bool   // events do not show properties: a parameter with NoEcho may be among them
	events []Event
}

func (s *Stacks) record(st *Stack, token string) *record {
	return &record{stack: st, at: s.now(), token: token}
}

// stackIs notes the stack's status, and sets it.
func (r *record) stackIs(status Status, reason string) {
	r.stack.Status, r.stack.Reason = status, reason
	r.note(Event{LogicalID: r.stack.Name, PhysicalID: r.stack.ID, Type: stackType, Status: status, Reason: reason})
}

// resourceIs notes a resource's status, and sets it.
func (r *record) resourceIs(res *Resource, status Status, reason string) {
	res.Status, res.Reason, res.Updated = status, reason, r.at
	r.note(Event{
		LogicalID: res.LogicalID, PhysicalID: res.PhysicalID, Type: res.Type, Status: status, Reason: reason, Properties: res.Properties,
	})
}

func (r *record) note(e Event) {
	e.ID, e.At, e.Token = uuid.NewString(), r.at, r.token
	if r.hide {
		e.Properties = ""
	}
	r.events = append(r.events, e)
}

// ops are the events as documents, numbered behind those that are there. The stack's document has to be written with
// them.
func (r *record) ops() []store.DocOp {
	ops := make([]store.DocOp, 0, len(r.events))
	for i := range r.events {
		ops = append(ops, documents.Put(eventsBucket, eventKey(uuidOf(r.stack.ID), r.stack.Events), &r.events[i], documents.Absent))
		r.stack.Events++
	}
	return ops
}
