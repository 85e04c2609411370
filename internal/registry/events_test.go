package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// teller is a registry whose events are kept, and whose clock is the test's.
type teller struct {
	*Registry
	t     testing.TB
	store store.Store
	now   atomic.Int64 // milliseconds since 1970
	hear  func(topic string, payload []byte)

	mu   sync.Mutex
	told []event
}

func newTeller(t testing.TB, on ...EventType) *teller {
	t.Helper()
	w := &teller{t: t, store: newStore(t)}
	w.now.Store(1_700_000_000_000)
	r, err := Open(t.Context(), Config{
		Store:  w.store,
		Now:    func() time.Time { return time.UnixMilli(w.now.Load()) },
		Events: w.publish,
	})
	must(t, err)
	t.Cleanup(r.Close)
	w.Registry = r
	w.turn(true, on...)
	return w
}

func (w *teller) publish(topic string, payload []byte) {
	if w.hear != nil {
		w.hear(topic, payload)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, event{topic, payload})
}

func (w *teller) turn(on bool, types ...EventType) {
	w.t.Helper()
	changes := map[EventType]bool{}
	for _, t := range types {
		changes[t] = on
	}
	must(w.t, w.UpdateEventConfigurations(w.t.Context(), changes))
}

// take gives what was told since the last time.
func (w *teller) take() []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.told
	w.told = nil
	return all
}

// expect compares what was told since the last time, in order: topic, payload, topic, payload …. A payload is the text
// of the whole JSON but for the event's id and time, which are checked here.
func (w *teller) expect(want ...string) {
	w.t.Helper()
	var got []string
	for _, e := range w.take() {
		var head struct {
			EventID   string
			Timestamp int64
		}
		must(w.t, json.Unmarshal(e.payload, &head))
		if _, err := uuid.Parse(head.EventID); err != nil || head.Timestamp != w.now.Load() {
			w.t.Errorf("%s: %s", e.topic, e.payload)
		}
		text := strings.Replace(string(e.payload), head.EventID, "ID", 1)
		got = append(got, e.topic, strings.Replace(text, fmt.Sprint(head.Timestamp), "NOW", 1))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Error(diff)
	}
}

// head is how most payloads begin.
func head(kind, operation string) string {
	return `{"eventType":"` + kind + `_EVENT","eventId":"ID","timestamp":NOW,"operation":"` + operation + `","accountId":"000000000000",`
}

func TestThingEvents(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	_, err := w.CreateThingType(ctx, ThingTypeSpec{Name: "lamps"})
	must(t, err)
	w.take()

	thing, err := w.CreateThing(ctx, ThingSpec{Name: "lamp"})
	must(t, err)
	w.expect("$aws/events/thing/lamp/created",
		head("THING", "CREATED")+`"thingId":"`+thing.ID+`","thingName":"lamp","versionNumber":1,"thingTypeName":null,"attributes":{}}`)

	must(t, w.UpdateThing(ctx, "lamp", ThingUpdate{Type: "lamps", Attributes: map[string]string{"b": "2", "a": "1"}}))
	association := func(operation string) string {
		return `{"eventId":"ID","eventType":"THING_TYPE_ASSOCIATION_EVENT","operation":"` + operation + `","thingId":"` + thing.ID +
			`","thingName":"lamp","thingTypeName":"lamps","timestamp":NOW}`
	}
	w.expect("$aws/events/thing/lamp/updated",
		head("THING", "UPDATED")+`"thingId":"`+thing.ID+`","thingName":"lamp","versionNumber":2,"thingTypeName":"lamps","attributes":{"a":"1","b":"2"}}`,
		"$aws/events/thingTypeAssociation/thing/lamp/thingType/lamps/added", association("ADDED"))

	must(t, w.DeleteThing(ctx, "lamp", nil))
	w.expect("$aws/events/thingTypeAssociation/thing/lamp/thingType/lamps/removed", association("REMOVED"),
		"$aws/events/thing/lamp/deleted",
		head("THING", "DELETED")+`"thingId":"`+thing.ID+`","thingName":"lamp","versionNumber":2,"thingTypeName":"lamps","attributes":{"a":"1","b":"2"}}`)
}

func TestThingTypeEvents(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	made, err := w.CreateThingType(ctx, ThingTypeSpec{Name: "lamps", Description: "all of them", Searchable: []string{"floor"}})
	must(t, err)
	told := func(operation, deprecated string) string {
		return head("THING_TYPE", operation) + `"thingTypeId":"` + made.ID + `","thingTypeName":"lamps",` + deprecated +
			`,"searchableAttributes":["floor"],"description":"all of them"}`
	}
	w.expect("$aws/events/thingType/lamps/created", told("CREATED", `"isDeprecated":false,"deprecationDate":null`))
	must(t, w.UpdateThingType(ctx, "lamps", ThingTypeUpdate{Searchable: []string{"floor"}}))
	w.expect("$aws/events/thingType/lamps/updated", told("UPDATED", `"isDeprecated":false,"deprecationDate":null`))
	date := fmt.Sprint(w.now.Add(1000))
	must(t, w.DeprecateThingType(ctx, "lamps", false))
	events := w.take()
	if len(events) != 1 || !strings.Contains(string(events[0].payload), `"isDeprecated":true,"deprecationDate":`+date+`,`) {
		t.Errorf("%s", events)
	}
	must(t, w.DeprecateThingType(ctx, "lamps", true))
	w.expect("$aws/events/thingType/lamps/updated", told("UPDATED", `"isDeprecated":false,"deprecationDate":null`))
	must(t, w.DeprecateThingType(ctx, "lamps", false))
	w.take()
	date = fmt.Sprint(w.now.Load())
	w.now.Add(typeRest.Milliseconds())
	must(t, w.DeleteThingType(ctx, "lamps"))
	w.expect("$aws/events/thingType/lamps/deleted", told("DELETED", `"isDeprecated":true,"deprecationDate":`+date))
}

func TestThingGroupEvents(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	house, err := w.CreateThingGroup(ctx, ThingGroupSpec{Name: "house", Description: "ours"})
	must(t, err)
	w.expect("$aws/events/thingGroup/house/created", head("THING_GROUP", "CREATED")+`"thingGroupId":"`+house.ID+
		`","thingGroupName":"house","versionNumber":1,"parentGroupName":null,"parentGroupId":null,"description":"ours","rootToParentThingGroups":[],"attributes":{},"dynamicGroupMappingId":null}`)

	floor, err := w.CreateThingGroup(ctx, ThingGroupSpec{Name: "floor", Parent: "house", Attributes: map[string]string{"n": "1"}})
	must(t, err)
	told := func(operation string, version int, attributes string) string {
		return head("THING_GROUP", operation) + `"thingGroupId":"` + floor.ID + `","thingGroupName":"floor","versionNumber":` + fmt.Sprint(version) +
			`,"parentGroupName":"house","parentGroupId":"` + house.ID + `","description":"","rootToParentThingGroups":[{"groupArn":"` +
			w.ARN("thinggroup/house") + `","groupId":"` + house.ID + `"}],"attributes":` + attributes + `,"dynamicGroupMappingId":null}`
	}
	place := func(operation string) string {
		return head("THING_GROUP_HIERARCHY", operation) + `"thingGroupId":"` + house.ID + `","thingGroupName":"house","childGroupId":"` +
			floor.ID + `","childGroupName":"floor"}`
	}
	w.expect("$aws/events/thingGroup/floor/created", told("CREATED", 1, `{"n":"1"}`),
		"$aws/events/thingGroupHierarchy/thingGroup/house/childThingGroup/floor/added", place("ADDED"))

	_, err = w.UpdateThingGroup(ctx, "floor", ThingGroupUpdate{Attributes: map[string]string{"n": "2"}})
	must(t, err)
	w.expect("$aws/events/thingGroup/floor/updated", told("UPDATED", 2, `{"n":"2"}`))
	must(t, w.DeleteThingGroup(ctx, "floor", nil))
	w.expect("$aws/events/thingGroupHierarchy/thingGroup/house/childThingGroup/floor/removed", place("REMOVED"),
		"$aws/events/thingGroup/floor/deleted", told("DELETED", 2, `{"n":"2"}`))
}

// A membership ends by itself, with its thing, and with its group; it has one id from its beginning to its end.
func TestMembershipEvents(t *testing.T) {
	t.Parallel()
	w := newTeller(t, ThingGroupMembershipEvents)
	ctx := t.Context()
	group, err := w.CreateThingGroup(ctx, ThingGroupSpec{Name: "house"})
	must(t, err)
	join := func() error { return w.AddThingToThingGroup(ctx, "house", "lamp") }
	for _, end := range []func() error{
		func() error { return w.RemoveThingFromThingGroup(ctx, "house", "lamp") },
		func() error { return w.UpdateThingGroupsForThing(ctx, "lamp", nil, []string{"house"}) },
		func() error { return w.DeleteThing(ctx, "lamp", nil) },
		func() error { return w.DeleteThingGroup(ctx, "house", nil) },
	} {
		thing, err := w.CreateThing(ctx, ThingSpec{Name: "lamp"})
		must(t, err)
		id := membershipID(group, thing)
		told := func(operation string) string {
			return head("THING_GROUP_MEMBERSHIP", operation) + `"groupArn":"` + w.ARN("thinggroup/house") + `","groupId":"` + group.ID +
				`","thingArn":"` + w.ARN("thing/lamp") + `","thingId":"` + thing.ID + `","membershipId":"` + id + `"}`
		}
		must(t, join())
		w.expect("$aws/events/thingGroupMembership/thingGroup/house/thing/lamp/added", told("ADDED"))
		must(t, end())
		w.expect("$aws/events/thingGroupMembership/thingGroup/house/thing/lamp/removed", told("REMOVED"))
		join = func() error { return w.UpdateThingGroupsForThing(ctx, "lamp", []string{"house"}, nil) }
	}
}

// A group that goes in several commits tells of each member once.
func TestEventsOfALargeGroup(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	_, err := w.CreateThingGroup(ctx, ThingGroupSpec{Name: "house"})
	must(t, err)
	var want []string
	for i := range 230 {
		name := fmt.Sprintf("lamp-%03d", i)
		_, err := w.CreateThing(ctx, ThingSpec{Name: name})
		must(t, err)
		must(t, w.AddThingToThingGroup(ctx, "house", name))
		want = append(want, "$aws/events/thingGroupMembership/thingGroup/house/thing/"+name+"/removed")
	}
	w.take()
	must(t, w.DeleteThingGroup(ctx, "house", nil))
	var got []string
	for _, e := range w.take() {
		got = append(got, e.topic)
	}
	if diff := cmp.Diff(append(want, "$aws/events/thingGroup/house/deleted"), got); diff != "" {
		t.Error(diff)
	}
}

// everything changes something of each type.
func (w *teller) everything() {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.CreateThingType(ctx, ThingTypeSpec{Name: "lamps"})
	must(w.t, err)
	_, err = w.CreateThing(ctx, ThingSpec{Name: "lamp", Type: "lamps"})
	must(w.t, err)
	_, err = w.CreateThingGroup(ctx, ThingGroupSpec{Name: "house"})
	must(w.t, err)
	_, err = w.CreateThingGroup(ctx, ThingGroupSpec{Name: "floor", Parent: "house"})
	must(w.t, err)
	must(w.t, w.AddThingToThingGroup(ctx, "floor", "lamp"))
	must(w.t, w.DeleteThing(ctx, "lamp", nil))
	must(w.t, w.DeleteThingGroup(ctx, "floor", nil))
}

// Each switch turns on its events and no others.
func TestEventsAreWhatIsOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on   EventType
		path string
		n    int
	}{
		{"", "none", 0},
		{ThingEvents, "thing", 2},
		{ThingTypeEvents, "thingType", 1},
		{ThingTypeAssociationEvents, "thingTypeAssociation", 2},
		{ThingGroupEvents, "thingGroup", 3},
		{ThingGroupHierarchyEvents, "thingGroupHierarchy", 2},
		{ThingGroupMembershipEvents, "thingGroupMembership", 2},
		{JobEvents, "job", 0},
		{PolicyEvents, "policy", 0},
		{CertificateEvents, "certificate", 0},
	} {
		t.Run(string(c.on), func(t *testing.T) {
			t.Parallel()
			w := newTeller(t)
			if c.on != "" {
				w.turn(true, c.on)
			}
			w.everything()
			events := w.take()
			for _, e := range events {
				if !strings.HasPrefix(e.topic, "$aws/events/"+c.path+"/") {
					t.Error(e.topic)
				}
			}
			if len(events) != c.n {
				t.Errorf("%d events, want %d", len(events), c.n)
			}
		})
	}
}

func TestEventsThatWereTurnedOff(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	w.turn(false, EventTypes()...)
	w.everything()
	w.expect()
}

// What changes nothing, and what is refused, is no event.
func TestNoEvents(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	w.everything()
	_, err := w.CreateThing(ctx, ThingSpec{Name: "lamp", Type: "lamps"})
	must(t, err)
	must(t, w.AddThingToThingGroup(ctx, "house", "lamp"))
	_, err = w.CreateThing(ctx, ThingSpec{Name: "other"})
	must(t, err)
	_, err = w.CreatePolicy(ctx, "all", allowAll)
	must(t, err)
	w.take()
	wrong := int64(7)
	for what, attempt := range map[string]func() error{
		"the thing again":     func() error { _, err := w.CreateThing(ctx, ThingSpec{Name: "lamp", Type: "lamps"}); return err },
		"the type again":      func() error { _, err := w.CreateThingType(ctx, ThingTypeSpec{Name: "lamps"}); return err },
		"the group again":     func() error { _, err := w.CreateThingGroup(ctx, ThingGroupSpec{Name: "house"}); return err },
		"the member again":    func() error { return w.AddThingToThingGroup(ctx, "house", "lamp") },
		"no member":           func() error { return w.RemoveThingFromThingGroup(ctx, "house", "other") },
		"no thing":            func() error { return w.DeleteThing(ctx, "none", nil) },
		"no group":            func() error { return w.DeleteThingGroup(ctx, "none", nil) },
		"a policy":            func() error { return w.AttachPolicy(ctx, "all", w.ARN("thinggroup/house")) },
		"not deprecated":      func() error { return w.DeprecateThingType(ctx, "lamps", true) },
		"the wrong version":   func() error { return w.UpdateThing(ctx, "lamp", ThingUpdate{ExpectedVersion: &wrong}) },
		"the type of a thing": func() error { return w.DeleteThingType(ctx, "lamps") },
	} {
		_ = attempt() // some are refused, some are not
		if told := w.take(); len(told) != 0 {
			t.Errorf("%s: told %s", what, told[0].topic)
		}
	}
	must(t, w.store.Close())
	if err := w.DeleteThing(ctx, "lamp", nil); err == nil {
		t.Error("a closed store deletes")
	}
	w.expect()
}

// Whoever hears an event finds the change done, and the events of one thing come in the order of its versions.
func TestEventsComeInOrderAfterTheChange(t *testing.T) {
	t.Parallel()
	w := newTeller(t, ThingEvents)
	_, err := w.CreateThing(t.Context(), ThingSpec{Name: "lamp"})
	must(t, err)
	var versions []int64
	w.hear = func(_ string, payload []byte) { // called under the thing's lock: one at a time
		var told struct{ VersionNumber int64 }
		must(t, json.Unmarshal(payload, &told))
		versions = append(versions, told.VersionNumber)
		if now, err := w.DescribeThing(t.Context(), "lamp"); err != nil || now.Version != told.VersionNumber {
			t.Errorf("told of version %d: %+v, %v", told.VersionNumber, now, err)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				if err := w.UpdateThing(t.Context(), "lamp", ThingUpdate{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(versions) != 200 || !slices.IsSorted(versions) || versions[199] != 201 {
		t.Error(versions)
	}
}

func TestEventConfigurations(t *testing.T) {
	t.Parallel()
	w := newTeller(t)
	ctx := t.Context()
	none, err := w.DescribeEventConfigurations(ctx)
	must(t, err)
	if len(none.Enabled) != 0 || !none.Created.IsZero() || !none.Modified.IsZero() {
		t.Errorf("before the first update: %+v", none)
	}
	first := w.now.Load()
	w.turn(true, ThingEvents, JobEvents)
	w.now.Add(5000)
	w.turn(false, JobEvents)
	w.turn(true, PolicyEvents)
	err = w.UpdateEventConfigurations(ctx, map[EventType]bool{ThingEvents: false, "LAMP": true})
	wantKind(t, err, fault.Invalid, "")

	// Another registry on the same store, as after a restart, and the news of this one.
	other := &teller{t: t, store: w.store}
	r, err := Open(ctx, Config{Store: w.store, Events: other.publish})
	must(t, err)
	t.Cleanup(r.Close)
	got, err := r.DescribeEventConfigurations(ctx)
	must(t, err)
	want := &EventConfigurations{
		Enabled: map[EventType]bool{ThingEvents: true, JobEvents: false, PolicyEvents: true},
		Created: time.UnixMilli(first).UTC(), Modified: time.UnixMilli(first + 5000).UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = r.CreateThing(ctx, ThingSpec{Name: "one"})
	must(t, err)
	w.turn(false, ThingEvents)
	_, err = r.CreateThing(ctx, ThingSpec{Name: "two"})
	must(t, err)
	if told := other.take(); len(told) != 1 || told[0].topic != "$aws/events/thing/one/created" {
		t.Errorf("told %s", told)
	}
}

func TestDamagedEventConfigurations(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	openOn(t, s, nil)
	must(t, documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: eventConfigurationsKey, Value: []byte("[")}))
	if _, err := Open(t.Context(), Config{Store: s}); !fault.Is(err, fault.Internal) {
		t.Errorf("opened with %v", err)
	}
	problems, err := Check(t.Context(), s)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], eventConfigurationsKey) {
		t.Error(problems, err)
	}
}
