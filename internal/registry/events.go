package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// EventType is a kind of events that is switched on or off as a whole (AWS IoT API reference, EventConfigurations).
type EventType string

// The types, as AWS names them. The first six are told here. For the last three AWS documents no topic but that of
// just-in-time registration, which is always told; their switches are kept, as are those of jobs.
const (
	ThingEvents                EventType = "THING"
	ThingGroupEvents           EventType = "THING_GROUP"
	ThingTypeEvents            EventType = "THING_TYPE"
	ThingGroupMembershipEvents EventType = "THING_GROUP_MEMBERSHIP"
	ThingGroupHierarchyEvents  EventType = "THING_GROUP_HIERARCHY"
	ThingTypeAssociationEvents EventType = "THING_TYPE_ASSOCIATION"
	JobEvents                  EventType = "JOB"
	JobExecutionEvents         EventType = "JOB_EXECUTION"
	PolicyEvents               EventType = "POLICY"
	CertificateEvents          EventType = "CERTIFICATE"
	CACertificateEvents        EventType = "CA_CERTIFICATE"
)

// EventTypes gives all types in AWS's order.
func EventTypes() []EventType {
	return []EventType{
		ThingEvents, ThingGroupEvents, ThingTypeEvents, ThingGroupMembershipEvents, ThingGroupHierarchyEvents,
		ThingTypeAssociationEvents, JobEvents, JobExecutionEvents, PolicyEvents, CertificateEvents, CACertificateEvents,
	}
}

// EventConfigurations says which events are told. What Enabled does not name is off.
type EventConfigurations struct {
	Enabled  map[EventType]bool `json:"enabled"`
	Created  time.Time          `json:"created"` // of the first update; zero before it
	Modified time.Time          `json:"modified"`
}

const eventConfigurationsKey = "event-configurations"

// DescribeEventConfigurations gives the switches.
func (r *Registry) DescribeEventConfigurations(ctx context.Context) (*EventConfigurations, error) {
	c, _, err := r.loadEventConfigurations(ctx)
	return c, err
}

// UpdateEventConfigurations turns the types in changes on or off; the others stay as they are. Changes that begin after
// it are told accordingly.
func (r *Registry) UpdateEventConfigurations(ctx context.Context, changes map[EventType]bool) error {
	for t := range changes {
		if !slices.Contains(EventTypes(), t) {
			return fault.New(fault.Invalid, "%s is not an event type", fault.Quoted(string(t))).
				WithRemedy("use one of %s", oneOf(EventTypes()))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return r.retry(func() error {
		c, rev, err := r.loadEventConfigurations(ctx)
		if err != nil {
			return err
		}
		c.Modified = r.now()
		when := documents.AtRev(rev)
		if rev == 0 {
			c.Created, when = c.Modified, documents.Absent
		}
		maps.Copy(c.Enabled, changes)
		return r.commit(documents.Put(metaBucket, eventConfigurationsKey, c, when))
	})
}

// loadEventConfigurations gives revision 0 where nobody ever updated them.
func (r *Registry) loadEventConfigurations(ctx context.Context) (*EventConfigurations, uint64, error) {
	c, rev, err := documents.Load[EventConfigurations](ctx, r.cfg.Store, metaBucket, eventConfigurationsKey)
	if fault.Is(err, fault.NotFound) {
		return &EventConfigurations{Enabled: map[EventType]bool{}}, 0, nil
	}
	if err == nil && c.Enabled == nil {
		c.Enabled = map[EventType]bool{}
	}
	return c, rev, err
}

// turnEvents keeps the configurations where a change finds them without a read: nil when all are off.
func (r *Registry) turnEvents(c *EventConfigurations) {
	for _, on := range c.Enabled {
		if on {
			r.events.Store(&c.Enabled)
			return
		}
	}
	r.events.Store(nil)
}
