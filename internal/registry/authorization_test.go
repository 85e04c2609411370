package registry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

// fleet is a certificate with policy one, attached to lamp, which is in floor, below house, which has policy all.
func fleet(t *testing.T) (r *Registry, arn string) {
	t.Helper()
	r = newRegistry(t)
	ctx := t.Context()
	_, arn = register(t, r)
	newThings(t, r, "lamp", "door")
	newGroups(t, r, "house", "floor<house")
	own := strings.Replace(allowOne, "topic/one", "topic/${iot:Connection.Thing.ThingName}", 1)
	for name, doc := range map[string]string{"all": allowAll, "one": allowOne, "own": own, "none": strings.Replace(allowAll, "Allow", "Deny", 1)} {
		_, err := r.CreatePolicy(ctx, name, doc)
		must(t, err)
	}
	must(t, r.AttachPolicy(ctx, "one", arn))
	must(t, r.AttachPolicy(ctx, "all", r.ARN("thinggroup/house")))
	must(t, r.AttachThingPrincipal(ctx, "lamp", arn, ""))
	must(t, r.AddThingToThingGroup(ctx, "floor", "lamp"))
	must(t, r.AddThingToThingGroup(ctx, "floor", "door"))
	return r, arn
}

func TestEffectivePolicies(t *testing.T) {
	r, arn := fleet(t)
	for _, c := range []struct {
		principal, thing string
		want             string
		kind             fault.Kind
	}{
		{arn, "", "one", 0},
		{arn, "lamp", "all one", 0},
		{arn, "door", "one", 0}, // not attached
		{"", "door", "all", 0},
		{r.ARN("thinggroup/floor"), "", "all", 0},
		{"", "", "", fault.Invalid},
		{arn, "nobody", "", fault.NotFound},
		{r.ARN("cert/" + strings.Repeat("0", 64)), "", "", fault.NotFound},
		{r.ARN("thinggroup/nobody"), "", "", fault.NotFound},
		{"me", "", "", fault.Invalid},
	} {
		got, err := r.EffectivePolicies(t.Context(), c.principal, c.thing)
		if c.kind != 0 {
			wantKind(t, err, c.kind, "")
			continue
		}
		must(t, err)
		var names []string
		for _, p := range got {
			names = append(names, p.Name)
		}
		if strings.Join(names, " ") != c.want {
			t.Errorf("%s, %s: %v, want %s", c.principal, c.thing, names, c.want)
		}
	}
}

func TestTestAuthorization(t *testing.T) {
	r, arn := fleet(t)
	topic := func(s string) string { return r.ARN("topic/" + s) }
	publish := func(topics ...string) Question { return Question{Action: "iot:Publish", Resources: topics} }
	for _, c := range []struct {
		name string
		test AuthorizationTest
		ask  Question
		want Verdict
	}{
		{
			"allowed",
			AuthorizationTest{Principal: arn},
			publish(topic("one")),
			Verdict{Allowed: true, Allowing: []string{"one"}},
		},
		{
			"not allowed",
			AuthorizationTest{Principal: arn},
			publish(topic("two")),
			Verdict{Silent: []string{"one"}},
		},
		{
			"one of two",
			AuthorizationTest{Principal: arn},
			publish(topic("one"), topic("two")),
			Verdict{Allowing: []string{"one"}},
		},
		{
			"as the thing",
			AuthorizationTest{Principal: arn, ClientID: "lamp"},
			publish(topic("two")),
			Verdict{Allowed: true, Allowing: []string{"all"}, Silent: []string{"one"}},
		},
		{
			"skipped",
			AuthorizationTest{Principal: arn, ClientID: "lamp", Skip: []string{"all", "unheard"}},
			publish(topic("two")),
			Verdict{Silent: []string{"one"}},
		},
		{
			"denied by an added one",
			AuthorizationTest{Principal: arn, Add: []string{"none"}},
			publish(topic("one")),
			Verdict{Explicit: true, Allowing: []string{"one"}, Denying: []string{"none"}},
		},
		{
			"a variable",
			AuthorizationTest{Principal: arn, ClientID: "lamp", Add: []string{"own"}, Skip: []string{"all", "one"}},
			publish(topic("lamp")),
			Verdict{Allowed: true, Allowing: []string{"own"}},
		},
		{
			"a variable without a value",
			AuthorizationTest{Principal: arn, ClientID: "x", Add: []string{"own"}, Skip: []string{"one"}},
			publish(topic("lamp")),
			Verdict{Silent: []string{"own"}, Missing: []string{"iot:Connection.Thing.ThingName"}},
		},
		{"a group", AuthorizationTest{Principal: r.ARN("thinggroup/floor")}, publish(topic("two")), Verdict{Allowed: true, Allowing: []string{"all"}}},
		{"nobody", AuthorizationTest{Add: []string{"one"}}, publish(topic("one")), Verdict{Allowed: true, Allowing: []string{"one"}}},
		{"nothing", AuthorizationTest{}, publish(topic("one")), Verdict{}},
	} {
		c.test.Questions = []Question{c.ask}
		got, err := r.TestAuthorization(t.Context(), c.test)
		must(t, err)
		for _, list := range []*[]string{&got[0].Allowing, &got[0].Denying, &got[0].Missing} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if diff := cmp.Diff(c.want, got[0]); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for name, kind := range map[string]fault.Kind{"nobody": fault.NotFound, "a b": fault.Invalid} {
		_, err := r.TestAuthorization(t.Context(), AuthorizationTest{Principal: arn, Add: []string{name}})
		wantKind(t, err, kind, "")
	}
	_, err := r.TestAuthorization(t.Context(), AuthorizationTest{Principal: "me"})
	wantKind(t, err, fault.Invalid, "")
}

func TestThingTypes(t *testing.T) {
	now := time.Now()
	r, err := Open(t.Context(), Config{Store: newStore(t), Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(r.Close)
	ctx := t.Context()
	spec := ThingTypeSpec{Name: "bulb", Description: "shines", Searchable: []string{"watt"}}
	bulb, err := r.CreateThingType(ctx, spec)
	must(t, err)
	again, err := r.CreateThingType(ctx, spec)
	must(t, err)
	if diff := cmp.Diff(bulb, again); diff != "" || len(bulb.ID) != 36 {
		t.Errorf("made %+v: %s", bulb, diff)
	}
	_, err = r.CreateThingType(ctx, ThingTypeSpec{Name: "bulb"})
	wantKind(t, err, fault.Exists, "")
	for _, bad := range []ThingTypeSpec{{}, {Name: "a b"}, {Name: "x", Searchable: []string{"a", "b", "c", "d"}}, {Name: "x", Searchable: []string{""}}, {Name: "x", Description: "\x00"}} {
		_, err := r.CreateThingType(ctx, bad)
		wantKind(t, err, fault.Invalid, "")
	}
	_, err = r.CreateThingType(ctx, ThingTypeSpec{Name: "bulb2"})
	must(t, err)
	for name, want := range map[string]int{"": 2, "bulb": 1, "bul": 0} {
		types, _, err := r.ListThingTypes(ctx, name, Page{})
		if must(t, err); len(types) != want {
			t.Errorf("types named %q: %+v", name, types)
		}
	}

	lamp := ThingSpec{Name: "lamp", Type: "bulb", Attributes: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}}
	_, err = r.CreateThing(ctx, lamp)
	must(t, err)
	wantKind(t, r.UpdateThing(ctx, "lamp", ThingUpdate{RemoveType: true}), fault.Invalid, "") // four attributes
	newThings(t, r, "door")
	must(t, r.UpdateThing(ctx, "door", ThingUpdate{Type: "bulb"}))

	wantKind(t, r.DeleteThingType(ctx, "bulb"), fault.Invalid, "") // not deprecated
	must(t, r.DeprecateThingType(ctx, "bulb", false))
	_, err = r.CreateThing(ctx, lamp) // it is there already
	must(t, err)
	_, err = r.CreateThing(ctx, ThingSpec{Name: "late", Type: "bulb"})
	wantKind(t, err, fault.Invalid, "")
	wantKind(t, r.DeleteThingType(ctx, "bulb"), fault.Invalid, "") // too early
	now = now.Add(typeRest)
	wantKind(t, r.DeleteThingType(ctx, "bulb"), fault.Invalid, "") // things have it
	must(t, r.UpdateThing(ctx, "lamp", ThingUpdate{RemoveType: true, Replace: true}))
	must(t, r.DeleteThing(ctx, "door", nil))
	must(t, r.DeprecateThingType(ctx, "bulb", true))
	wantKind(t, r.DeleteThingType(ctx, "bulb"), fault.Invalid, "")
	must(t, r.DeprecateThingType(ctx, "bulb", false))
	now = now.Add(typeRest)
	must(t, r.DeleteThingType(ctx, "bulb"))
	wantKind(t, r.DeleteThingType(ctx, "bulb"), fault.NotFound, "")
	wantKind(t, r.DeprecateThingType(ctx, "bulb", false), fault.NotFound, "")
	wantKind(t, r.UpdateThing(ctx, "lamp", ThingUpdate{Type: "bulb"}), fault.NotFound, "")
}
