package registry

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// newGroups makes groups; "b<a" is b below a.
func newGroups(t testing.TB, r *Registry, groups ...string) {
	t.Helper()
	for _, g := range groups {
		name, parent, _ := strings.Cut(g, "<")
		_, err := r.CreateThingGroup(t.Context(), ThingGroupSpec{Name: name, Parent: parent})
		must(t, err)
	}
}

func TestCreateThingGroup(t *testing.T) {
	r := newRegistry(t)
	newGroups(t, r, "house")
	spec := ThingGroupSpec{Name: "floor", Parent: "house", Description: "Erster Stock", Attributes: map[string]string{"n": "1"}}
	g, err := r.CreateThingGroup(t.Context(), spec)
	must(t, err)
	if g.Version != 1 || len(g.ID) != 36 || g.Parent() != "house" || g.root() != "house" {
		t.Errorf("made %+v", g)
	}
	again, err := r.CreateThingGroup(t.Context(), spec)
	must(t, err)
	if diff := cmp.Diff(g, again); diff != "" {
		t.Errorf("the same again is another: %s", diff)
	}
	for name, other := range map[string]ThingGroupSpec{
		"parent":      {Name: "floor", Description: spec.Description, Attributes: spec.Attributes},
		"description": {Name: "floor", Parent: "house", Attributes: spec.Attributes},
		"attributes":  {Name: "floor", Parent: "house", Description: spec.Description},
	} {
		_, err := r.CreateThingGroup(t.Context(), other)
		if there, ok := errors.AsType[*TakenError](err); !ok || there.ResourceID != g.ID || there.ResourceARN != r.ARN("thinggroup/floor") {
			t.Errorf("another %s: %v", name, err)
		}
	}
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("a", i)] = "1"
	}
	for name, bad := range map[string]ThingGroupSpec{
		"name": {Name: "a b"}, "parent's name": {Name: "x", Parent: "a/b"}, "no parent": {Name: "x", Parent: "nobody"},
		"description": {Name: "x", Description: "a\nb"}, "long": {Name: "x", Description: strings.Repeat("d", 2029)},
		"attribute": {Name: "x", Attributes: map[string]string{"": "1"}}, "attributes": {Name: "x", Attributes: many},
	} {
		if _, err := r.CreateThingGroup(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGroupDepthAndChildren(t *testing.T) {
	r := newRegistry(t)
	newGroups(t, r, "g1", "g2<g1", "g3<g2", "g4<g3", "g5<g4", "g6<g5", "g7<g6")
	_, err := r.CreateThingGroup(t.Context(), ThingGroupSpec{Name: "g8", Parent: "g7"})
	wantKind(t, err, fault.Invalid, "")
	for i := range maxGroupChildren - 1 {
		newGroups(t, r, fmt.Sprintf("c%d<g1", i))
	}
	_, err = r.CreateThingGroup(t.Context(), ThingGroupSpec{Name: "c", Parent: "g1"})
	wantKind(t, err, fault.Invalid, "")
}

func TestUpdateThingGroup(t *testing.T) {
	r := newRegistry(t)
	newGroups(t, r, "g")
	words, one, none := "words", int64(1), ""
	version, err := r.UpdateThingGroup(t.Context(), "g", ThingGroupUpdate{
		Description: &words, Attributes: map[string]string{"a": "1", "b": "2"}, ExpectedVersion: &one,
	})
	must(t, err)
	if version != 2 {
		t.Errorf("version %d", version)
	}
	_, err = r.UpdateThingGroup(t.Context(), "g", ThingGroupUpdate{Attributes: map[string]string{"a": ""}})
	must(t, err)
	g, err := r.DescribeThingGroup(t.Context(), "g")
	must(t, err)
	if g.Description != words || len(g.Attributes) != 1 || g.Version != 3 {
		t.Errorf("updated to %+v", g)
	}
	_, err = r.UpdateThingGroup(t.Context(), "g", ThingGroupUpdate{Description: &none, Replace: true})
	must(t, err)
	if g, err = r.DescribeThingGroup(t.Context(), "g"); err != nil || g.Description != "" || len(g.Attributes) != 0 {
		t.Errorf("emptied to %+v", g)
	}
	_, err = r.UpdateThingGroup(t.Context(), "g", ThingGroupUpdate{ExpectedVersion: &one})
	wantKind(t, err, fault.Conflict, ErrVersionConflict)
	_, err = r.UpdateThingGroup(t.Context(), "nobody", ThingGroupUpdate{})
	wantKind(t, err, fault.NotFound, "")
	wantKind(t, r.DeleteThingGroup(t.Context(), "g", &one), fault.Conflict, ErrVersionConflict)
}

func TestMembership(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	newGroups(t, r, "a", "b<a", "c<a", "x")
	newThings(t, r, "lamp", "door")
	must(t, r.AddThingToThingGroup(ctx, "b", "lamp"))
	must(t, r.AddThingToThingGroup(ctx, "b", "lamp"))
	must(t, r.AddThingToThingGroup(ctx, "x", "lamp"))
	for _, same := range []string{"a", "c"} {
		wantKind(t, r.AddThingToThingGroup(ctx, same, "lamp"), fault.Invalid, "")
	}
	must(t, r.AddThingToThingGroup(ctx, "c", "door"))
	wantKind(t, r.AddThingToThingGroup(ctx, "nobody", "lamp"), fault.NotFound, "")
	wantKind(t, r.AddThingToThingGroup(ctx, "b", "nobody"), fault.NotFound, "")
	wantKind(t, r.RemoveThingFromThingGroup(ctx, "nobody", "lamp"), fault.NotFound, "")

	groups, _, err := r.ListThingGroupsForThing(ctx, "lamp", Page{})
	if must(t, err); !slices.Equal(groups, []string{"b", "x"}) {
		t.Errorf("groups of lamp: %v", groups)
	}
	direct, _, err := r.ListThingsInThingGroup(ctx, "a", false, Page{})
	if must(t, err); len(direct) != 0 {
		t.Errorf("in a itself: %v", direct)
	}
	var all []string
	for page := (Page{Limit: 1}); ; {
		some, next, err := r.ListThingsInThingGroup(ctx, "a", true, page)
		must(t, err)
		all = append(all, some...)
		if page.After = next; next == "" {
			break
		}
	}
	if !slices.Equal(all, []string{"lamp", "door"}) { // b before c
		t.Errorf("in a and below: %v", all)
	}
	thing, err := r.DescribeThing(ctx, "lamp")
	if must(t, err); thing.Version != 1 {
		t.Errorf("a membership made version %d of the thing", thing.Version)
	}
	must(t, r.RemoveThingFromThingGroup(ctx, "b", "lamp"))
	must(t, r.RemoveThingFromThingGroup(ctx, "b", "lamp"))
	must(t, r.AddThingToThingGroup(ctx, "a", "lamp"))
	must(t, r.DeleteThing(ctx, "lamp", nil))
	newThings(t, r, "lamp")
	if direct, _, err = r.ListThingsInThingGroup(ctx, "a", false, Page{}); err != nil || len(direct) != 0 {
		t.Errorf("a thing made anew is in %v: %v", direct, err)
	}
	for i := range maxGroupsPerThing {
		newGroups(t, r, fmt.Sprint("g", i))
		must(t, r.AddThingToThingGroup(ctx, fmt.Sprint("g", i), "lamp"))
	}
	wantKind(t, r.AddThingToThingGroup(ctx, "a", "lamp"), fault.Invalid, "")
}

func TestDeleteThingGroup(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	newGroups(t, r, "a", "b<a")
	_, err := r.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	must(t, r.AttachPolicy(ctx, "p", r.ARN("thinggroup/b")))
	const things = 250 // more than one commit takes
	for i := range things {
		newThings(t, r, fmt.Sprint("t", i))
		must(t, r.AddThingToThingGroup(ctx, "b", fmt.Sprint("t", i)))
	}
	wantKind(t, r.DeleteThingGroup(ctx, "a", nil), fault.Invalid, "")
	must(t, r.DeleteThingGroup(ctx, "b", nil))
	must(t, r.DeleteThingGroup(ctx, "b", nil))
	must(t, r.DeleteThingGroup(ctx, "a", nil))
	must(t, r.DeletePolicy(ctx, "p"))
	for i := range things {
		if g, _, err := r.ListThingGroupsForThing(ctx, fmt.Sprint("t", i), Page{}); err != nil || len(g) != 0 {
			t.Fatalf("t%d is in %v: %v", i, g, err)
		}
	}
}

// Things that are added while their group goes are in no group that is not there.
func TestDeleteThingGroupAtOnce(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	for round := range 10 {
		g := fmt.Sprint("g", round)
		newGroups(t, r, g)
		var wg sync.WaitGroup
		for i := range 8 {
			name := fmt.Sprintf("t%d-%d", round, i)
			newThings(t, r, name)
			wg.Go(func() {
				if err := r.AddThingToThingGroup(ctx, g, name); err != nil && !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
			})
		}
		must(t, r.DeleteThingGroup(ctx, g, nil))
		wg.Wait()
		for i := range 8 {
			if in, _, err := r.ListThingGroupsForThing(ctx, fmt.Sprintf("t%d-%d", round, i), Page{}); err != nil || len(in) != 0 {
				t.Fatalf("in %v: %v", in, err)
			}
		}
		left, _, err := r.keysOf(ctx, groupThingsBucket, g+"/", Page{})
		if must(t, err); len(left) != 0 {
			t.Fatalf("members without a group: %v", left)
		}
	}
}

func TestListThingGroups(t *testing.T) {
	r := newRegistry(t)
	newGroups(t, r, "a", "b<a", "ba<b", "c<a", "x")
	for _, c := range []struct {
		filter ThingGroupFilter
		want   string
	}{
		{ThingGroupFilter{}, "a b ba c x"},
		{ThingGroupFilter{NamePrefix: "b"}, "b ba"},
		{ThingGroupFilter{Parent: "a"}, "b c"},
		{ThingGroupFilter{Parent: "a", Recursive: true}, "b ba c"},
		{ThingGroupFilter{Parent: "a", Recursive: true, NamePrefix: "ba"}, "ba"},
		{ThingGroupFilter{Parent: "x"}, ""},
	} {
		for _, limit := range []int{0, 1, 2} {
			var got []string
			for page := (Page{Limit: limit}); ; {
				groups, next, err := r.ListThingGroups(t.Context(), c.filter, page)
				must(t, err)
				for _, g := range groups {
					got = append(got, g.Name)
				}
				if page.After = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v by %d: %v, want %s", c.filter, limit, got, c.want)
			}
		}
	}
	_, _, err := r.ListThingGroups(t.Context(), ThingGroupFilter{Parent: "nobody"}, Page{})
	wantKind(t, err, fault.NotFound, "")
}

// allowedFor asks the policies of a connection.
func allowedFor(id *Identity, clientID, topic string) bool {
	return id.PoliciesFor(clientID).Decide(&policy.Request{
		Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:000000000000:topic/" + topic, Vars: id.Connection(clientID, netip.Addr{}, ""),
	}).Allowed
}

// The policies of a thing's groups, and of the groups above, count for the connection of that thing and no other. Each
// change is seen by the next Identify and told to a gateway on another node.
func TestGroupPolicies(t *testing.T) {
	s := newStore(t)
	r, there := openOn(t, s, nil), openOn(t, s, nil)
	ctx := t.Context()
	told := hear(t, there)
	id, arn := register(t, r)
	newThings(t, r, "lamp", "door")
	newGroups(t, r, "house", "floor<house", "other")
	for name, doc := range map[string]string{"all": allowAll, "one": allowOne, "none": strings.Replace(allowAll, "Allow", "Deny", 1)} {
		_, err := r.CreatePolicy(ctx, name, doc)
		must(t, err)
	}
	must(t, r.AttachThingPrincipal(ctx, "lamp", arn, ""))
	house, floor := r.ARN("thinggroup/house"), r.ARN("thinggroup/floor")
	for _, step := range []struct {
		name     string
		change   func() error
		one, two bool // what lamp may publish on
	}{
		{"join", func() error { return r.AddThingToThingGroup(ctx, "floor", "lamp") }, false, false},
		{"attach to the group", func() error { return r.AttachPolicy(ctx, "one", floor) }, true, false},
		{"attach above", func() error { return r.AttachPolicy(ctx, "all", house) }, true, true},
		{"deny above", func() error { return r.AttachPolicy(ctx, "none", house) }, false, false},
		{"detach the denial", func() error { return r.DetachPolicy(ctx, "none", house) }, true, true},
		{"new version", func() error { _, err := r.CreatePolicyVersion(ctx, "all", allowOne, true); return err }, true, false},
		{"leave", func() error { return r.RemoveThingFromThingGroup(ctx, "floor", "lamp") }, false, false},
		{"join above", func() error { return r.AddThingToThingGroup(ctx, "house", "lamp") }, true, false},
		{"back again", func() error { return r.SetDefaultPolicyVersion(ctx, "all", "1") }, true, true},
		{"own policy denies", func() error { return r.AttachPolicy(ctx, "none", arn) }, false, false},
		{"no more", func() error { return r.DetachPolicy(ctx, "none", arn) }, true, true},
		{"exclusive", func() error { return r.AttachThingPrincipal(ctx, "lamp", arn, Exclusive) }, true, true},
		{"not so", func() error { return r.AttachThingPrincipal(ctx, "lamp", arn, NonExclusive) }, true, true},
		{"group deleted", func() error {
			return errors.Join(r.DeleteThingGroup(ctx, "floor", nil), r.DeleteThingGroup(ctx, "house", nil))
		}, false, false},
	} {
		must(t, step.change())
		fits := func(r *Registry) bool {
			got, err := identify(t, r, id)
			must(t, err)
			stranger := allowedFor(got, "door", "one") || allowedFor(got, "", "one")
			return allowedFor(got, "lamp", "one") == step.one && allowedFor(got, "lamp", "two") == step.two &&
				stranger == (step.name == "exclusive")
		}
		if !fits(r) {
			t.Errorf("%s: not seen here", step.name)
		}
		wantTold(t, told, func(string) bool { return fits(there) }, id)
	}
}

// A fleet whose things are in one group shares one compiled set, and knowing it costs nothing.
func TestGroupSetsAreShared(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	newGroups(t, r, "fleet")
	_, err := r.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	must(t, r.AttachPolicy(ctx, "p", r.ARN("thinggroup/fleet")))
	var sets []*policy.Set
	for i := range 3 {
		name := fmt.Sprint("t", i)
		id, arn := register(t, r)
		newThings(t, r, name)
		must(t, r.AttachThingPrincipal(ctx, name, arn, ""))
		must(t, r.AddThingToThingGroup(ctx, "fleet", name))
		got, err := identify(t, r, id)
		must(t, err)
		sets = append(sets, got.PoliciesFor(name))
		if got.PoliciesFor("other") != got.Policies {
			t.Error("another client id has another set than the certificate's")
		}
		if n := testing.AllocsPerRun(100, func() { got.PoliciesFor(name) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	if sets[0] != sets[1] || sets[1] != sets[2] {
		t.Error("three sets for one group")
	}
}

func TestTargetsOfGroups(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	_, arn := register(t, r)
	newGroups(t, r, "a", "b<a")
	for i := range maxPoliciesPerTarget + 1 {
		_, err := r.CreatePolicy(ctx, fmt.Sprintf("p%02d", i), allowOne)
		must(t, err)
	}
	b := r.ARN("thinggroup/b")
	must(t, r.AttachPolicy(ctx, "p00", r.ARN("thinggroup/a")))
	must(t, r.AttachPolicy(ctx, "p00", arn))
	for i := range maxPoliciesPerTarget {
		must(t, r.AttachPolicy(ctx, fmt.Sprintf("p%02d", i), b))
	}
	wantKind(t, r.AttachPolicy(ctx, "p10", b), fault.Throttled, ErrLimitExceeded)
	targets, _, err := r.ListTargetsForPolicy(ctx, "p00", Page{})
	if must(t, err); !slices.Equal(targets, []string{arn, r.ARN("thinggroup/a"), b}) {
		t.Errorf("targets %v", targets)
	}
	for i := 1; i < maxPoliciesPerTarget; i++ {
		must(t, r.DetachPolicy(ctx, fmt.Sprintf("p%02d", i), b))
	}
	must(t, r.DetachPolicy(ctx, "p00", b))
	for recursive, want := range map[bool]int{false: 0, true: 1} {
		names, _, err := r.ListAttachedPolicies(ctx, b, recursive, Page{})
		if must(t, err); len(names) != want {
			t.Errorf("recursive %v: %v", recursive, names)
		}
	}
	must(t, r.DetachPolicy(ctx, "p00", r.ARN("thinggroup/nobody")))
}
