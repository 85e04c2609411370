package registry

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// events are those of one change: made from what it read and wrote, and told once it is durable, while the names that it
// holds are still held. So the events of one resource come in the order of its changes.
type events struct {
	r    *Registry
	on   map[EventType]bool
	list []event
}

type event struct {
	topic   string
	payload []byte
}

// What happened, in the words of payloads; those of topics are the same in lower case.
const (
	created = "CREATED"
	updated = "UPDATED"
	deleted = "DELETED"
	added   = "ADDED"
	removed = "REMOVED"
)

// newEvents begins the events of a change. Where all are off, or nobody would publish them, it stays empty.
func (r *Registry) newEvents() *events {
	e := &events{r: r}
	if on := r.events.Load(); on != nil && r.cfg.Events != nil {
		e.on = *on // nobody writes to it any more
	}
	return e
}

// commitAndTell is commit, and the events of it behind.
func (r *Registry) commitAndTell(e *events, ops ...store.DocOp) error {
	if err := r.commit(ops...); err != nil {
		return err
	}
	for _, one := range e.list {
		r.cfg.Events(one.topic, one.payload)
	}
	return nil
}

// add makes an event of fields. path is the topic without $aws/events/ and the operation.
func (e *events) add(path, operation string, fields any) {
	payload, err := json.Marshal(fields)
	if err != nil {
		panic("registry: an event has what cannot be marshalled: " + err.Error())
	}
	e.list = append(e.list, event{"$aws/events/" + path + "/" + strings.ToLower(operation), payload})
}

func (e *events) head(eventType, operation string) eventHead {
	return eventHead{
		EventType: eventType, EventID: uuid.NewString(), Timestamp: e.r.now().UnixMilli(),
		Operation: operation, AccountID: e.r.cfg.Account,
	}
}

// thing tells what became of a thing itself.
func (e *events) thing(operation string, t *Thing) {
	if !e.on[ThingEvents] {
		return
	}
	e.add("thing/"+t.Name, operation, thingEvent{
		eventHead: e.head("THING_EVENT", operation), ThingID: t.ID, ThingName: t.Name, Version: t.Version,
		TypeName: orNull(t.Type), Attributes: orEmpty(t.Attributes),
	})
}

// retyped tells that the type of a thing changed from old to now; either may be empty.
func (e *events) retyped(t *Thing, old, now string) {
	if !e.on[ThingTypeAssociationEvents] || old == now {
		return
	}
	for _, end := range []struct{ operation, name string }{{removed, old}, {added, now}} {
		if end.name == "" {
			continue
		}
		h := e.head("THING_TYPE_ASSOCIATION_EVENT", end.operation)
		e.add("thingTypeAssociation/thing/"+t.Name+"/thingType/"+end.name, end.operation, associationEvent{
			EventID: h.EventID, EventType: h.EventType, Operation: h.Operation,
			ThingID: t.ID, ThingName: t.Name, TypeName: end.name, Timestamp: h.Timestamp,
		})
	}
}

// thingType tells what became of a type. To deprecate it is to update it.
func (e *events) thingType(operation string, t *ThingType) {
	if !e.on[ThingTypeEvents] {
		return
	}
	told := thingTypeEvent{
		eventHead: e.head("THING_TYPE_EVENT", operation), TypeID: t.ID, TypeName: t.Name,
		Searchable: append([]string{}, t.Searchable...), Description: t.Description,
	}
	if !t.Deprecated.IsZero() {
		date := t.Deprecated.UnixMilli()
		told.IsDeprecated, told.DeprecationDate = true, &date
	}
	e.add("thingType/"+t.Name, operation, told)
}

// group tells what became of a group, and of its place in the hierarchy when it came or went.
func (e *events) group(ctx context.Context, operation string, g *ThingGroup) error {
	if !e.on[ThingGroupEvents] && !e.on[ThingGroupHierarchyEvents] {
		return nil
	}
	var above []*ThingGroup
	for _, name := range g.Ancestors {
		a, _, err := e.r.loadGroup(ctx, name)
		if err != nil {
			return err
		}
		above = append(above, a)
	}
	if operation == deleted {
		e.place(removed, g, above)
	}
	if e.on[ThingGroupEvents] {
		e.add("thingGroup/"+g.Name, operation, e.groupFields(operation, g, above))
	}
	if operation == created {
		e.place(added, g, above)
	}
	return nil
}

func (e *events) groupFields(operation string, g *ThingGroup, above []*ThingGroup) groupEvent {
	told := groupEvent{
		eventHead: e.head("THING_GROUP_EVENT", operation), GroupID: g.ID, GroupName: g.Name, Version: g.Version,
		Description: g.Description, Above: []groupAbove{}, Attributes: orEmpty(g.Attributes),
	}
	for _, a := range above {
		told.Above = append(told.Above, groupAbove{e.r.ARN("thinggroup/" + a.Name), a.ID})
		told.ParentName, told.ParentID = &a.Name, &a.ID
	}
	return told
}

// place tells that g came below its parent, or went from there. above ends with the parent.
func (e *events) place(operation string, g *ThingGroup, above []*ThingGroup) {
	if !e.on[ThingGroupHierarchyEvents] || len(above) == 0 {
		return
	}
	parent := above[len(above)-1]
	e.add("thingGroupHierarchy/thingGroup/"+parent.Name+"/childThingGroup/"+g.Name, operation, hierarchyEvent{
		eventHead: e.head("THING_GROUP_HIERARCHY_EVENT", operation),
		GroupID:   parent.ID, GroupName: parent.Name, ChildID: g.ID, ChildName: g.Name,
	})
}

// membership tells that a thing came into a group, or went out of it.
func (e *events) membership(operation string, g *ThingGroup, t *Thing) {
	if !e.on[ThingGroupMembershipEvents] {
		return
	}
	e.add("thingGroupMembership/thingGroup/"+g.Name+"/thing/"+t.Name, operation, membershipEvent{
		eventHead: e.head("THING_GROUP_MEMBERSHIP_EVENT", operation),
		GroupARN:  e.r.ARN("thinggroup/" + g.Name), GroupID: g.ID, ThingARN: e.r.ARN("thing/" + t.Name), ThingID: t.ID,
		MembershipID: membershipID(g, t),
	})
}

// left tells that a thing goes out of all its groups.
func (e *events) left(ctx context.Context, t *Thing) error {
	if !e.on[ThingGroupMembershipEvents] {
		return nil
	}
	for _, name := range t.Groups {
		g, _, err := e.r.loadGroup(ctx, name)
		if fault.Is(err, fault.NotFound) {
			continue // it goes too, and tells of its members itself
		}
		if err != nil {
			return err
		}
		e.membership(removed, g, t)
	}
	return nil
}

// membershipID is the same for the beginning and the end of a membership, and another one for another thing or group of
// the same names.
func membershipID(g *ThingGroup, t *Thing) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(g.ID+"/"+t.ID)).String()
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
