package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestUpdateThingGroupsForThing(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	ctx := t.Context()
	newThings(t, r, "lamp")
	newGroups(t, r, "house", "floor<house", "attic<house", "garden", "street")
	for i := range maxGroupsPerThing {
		newGroups(t, r, fmt.Sprint("g", i))
	}
	nine := func() (names []string) {
		for i := range maxGroupsPerThing - 1 {
			names = append(names, fmt.Sprint("g", i))
		}
		return names
	}()
	for _, c := range []struct {
		name        string
		add, remove []string
		kind        fault.Kind
		want        string
	}{
		{"join", []string{"floor", "garden", "floor"}, nil, 0, "floor garden"},
		{"nothing", nil, nil, 0, "floor garden"},
		{"already so", []string{"garden"}, []string{"street"}, 0, "floor garden"},
		{"the same tree", []string{"attic", "street"}, nil, fault.Invalid, "floor garden"},
		{"the same tree, with itself", []string{"street", "house", "attic"}, []string{"floor"}, fault.Invalid, "floor garden"},
		{"move within a tree", []string{"attic"}, []string{"floor"}, 0, "attic garden"},
		{"no such group to join", []string{"street", "nobody"}, []string{"garden"}, fault.NotFound, "attic garden"},
		{"no such group to leave", []string{"street"}, []string{"garden", "nobody"}, fault.NotFound, "attic garden"},
		{"both", []string{"garden"}, []string{"garden"}, fault.Invalid, "attic garden"},
		{"bad name", []string{"a b"}, nil, fault.Invalid, "attic garden"},
		{"bad name to leave", nil, []string{""}, fault.Invalid, "attic garden"},
		{"eleven", nine, nil, fault.Invalid, "attic garden"},
		{"ten", nine, []string{"attic"}, 0, "g0 g1 g2 g3 g4 g5 g6 g7 g8 garden"},
		{"exchange at the limit", []string{"street"}, []string{"garden"}, 0, "g0 g1 g2 g3 g4 g5 g6 g7 g8 street"},
		{"leave all", nil, append(nine, "street", "house"), 0, ""},
	} {
		err := r.UpdateThingGroupsForThing(ctx, "lamp", c.add, c.remove)
		if c.kind == 0 && err != nil || c.kind != 0 && !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", c.name, err)
		}
		in, _, err := r.ListThingGroupsForThing(ctx, "lamp", Page{})
		must(t, err)
		if got := strings.Join(in, " "); got != c.want {
			t.Errorf("%s: in %s, want %s", c.name, got, c.want)
		}
		for _, g := range []string{"floor", "attic", "garden", "street"} {
			members, _, err := r.ListThingsInThingGroup(ctx, g, false, Page{})
			must(t, err)
			if got, want := len(members) == 1, strings.Contains(" "+c.want+" ", " "+g+" "); got != want {
				t.Errorf("%s: %s has %v", c.name, g, members)
			}
		}
	}
	wantKind(t, r.UpdateThingGroupsForThing(ctx, "nobody", []string{"garden"}, nil), fault.NotFound, "")
	wantKind(t, r.UpdateThingGroupsForThing(ctx, "", []string{"garden"}, nil), fault.Invalid, "")
	if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// One step tells of each membership that it ends or begins, and of no other.
func TestEventsOfUpdatedGroups(t *testing.T) {
	t.Parallel()
	w := newTeller(t, ThingGroupMembershipEvents)
	newThings(t, w.Registry, "lamp")
	newGroups(t, w.Registry, "a", "b", "c")
	topics := func() (all []string) {
		for _, e := range w.take() {
			all = append(all, strings.TrimPrefix(e.topic, "$aws/events/thingGroupMembership/thingGroup/"))
		}
		return all
	}
	for _, c := range []struct {
		add, remove []string
		want        string
	}{
		{[]string{"a", "b", "a"}, nil, "a/thing/lamp/added b/thing/lamp/added"},
		{[]string{"b", "c"}, []string{"a"}, "a/thing/lamp/removed c/thing/lamp/added"},
		{[]string{"c", "nobody"}, []string{"b"}, ""},
		{[]string{"c"}, []string{"a"}, ""},
	} {
		if err := w.UpdateThingGroupsForThing(t.Context(), "lamp", c.add, c.remove); err != nil && c.want != "" {
			t.Error(err)
		}
		if got := strings.Join(topics(), " "); got != c.want {
			t.Errorf("+%v -%v: told %s, want %s", c.add, c.remove, got, c.want)
		}
	}
}

// What is updated of a type is told; billing groups and tags are not AWS's events.
func TestEventsOfTypesAndBilling(t *testing.T) {
	t.Parallel()
	w := newTeller(t, EventTypes()...)
	ctx := t.Context()
	_, err := w.CreateThingType(ctx, ThingTypeSpec{Name: "bulb", Tags: []Tag{{"a", "b"}}})
	must(t, err)
	newThings(t, w.Registry, "lamp")
	w.take()
	words := "glows"
	must(t, w.UpdateThingType(ctx, "bulb", ThingTypeUpdate{Description: &words}))
	if told := w.take(); len(told) != 1 || told[0].topic != "$aws/events/thingType/bulb/updated" || !strings.Contains(string(told[0].payload), words) {
		t.Errorf("told %v", told)
	}
	newBillingGroups(t, w.Registry, "north")
	must(t, w.AddThingToBillingGroup(ctx, "north", "lamp"))
	must(t, w.TagResource(ctx, w.ARN("thingtype/bulb"), []Tag{{"a", "c"}}))
	must(t, w.DeleteBillingGroup(ctx, "north", nil))
	w.expect()
}
