package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// thingsListed gives the names of the things that a filter takes, over all pages, in order.
func thingsListed(t testing.TB, r *Registry, f ThingFilter) string {
	t.Helper()
	var names []string
	page := Page{Limit: 3}
	for {
		things, next, err := r.ListThings(t.Context(), f, page)
		must(t, err)
		for _, th := range things {
			names = append(names, th.Name)
		}
		if page.After = next; next == "" {
			slices.Sort(names)
			return strings.Join(names, " ")
		}
	}
}

// The index of attributes follows each change of a thing, and Check has nothing to say of it.
func TestListThingsAfterChanges(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	newThings(t, r, "a", "b", "c")
	on := func(value string) ThingFilter { return ThingFilter{AttributeName: "floor", AttributeValue: value} }
	change := func(thing string, u ThingUpdate) { t.Helper(); must(t, r.UpdateThing(t.Context(), thing, u)) }
	want := func(value, things string) {
		t.Helper()
		if got := thingsListed(t, r, on(value)); got != things {
			t.Errorf("on floor %s: %q, want %q", value, got, things)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		change(name, ThingUpdate{Attributes: map[string]string{"floor": "1", "room": "k"}})
	}
	want("1", "a b c")
	change("a", ThingUpdate{Attributes: map[string]string{"floor": "2"}})
	change("b", ThingUpdate{Attributes: map[string]string{"floor": ""}})
	want("1", "c")
	want("2", "a")
	change("c", ThingUpdate{Replace: true})
	must(t, r.DeleteThing(t.Context(), "a", nil))
	want("1", "")
	want("2", "")
	if got := thingsListed(t, r, ThingFilter{AttributeName: "room", AttributeValue: "k"}); got != "b" {
		t.Errorf("in room k: %q", got)
	}
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// A page looks at so many entries and no more, whatever the filter takes of them; what follows is on the next one.
func TestListThingsLooksAtSoMany(t *testing.T) {
	r := newRegistry(t)
	_, err := r.CreateThingType(t.Context(), ThingTypeSpec{Name: "bulb"})
	must(t, err)
	const n = maxLooked + 10
	for i := range n + 1 {
		spec := ThingSpec{Name: fmt.Sprintf("t%05d", i), Attributes: map[string]string{"floor": "1"}}
		if i == n {
			spec.Name, spec.Type = "u", "bulb"
		}
		_, err := r.CreateThing(t.Context(), spec)
		must(t, err)
	}
	filter := ThingFilter{AttributeName: "floor", AttributeValue: "1", Type: "bulb"}
	first, next, err := r.ListThings(t.Context(), filter, Page{Limit: 3})
	if err != nil || len(first) != 0 || next == "" {
		t.Fatalf("%d things, next %q, %v", len(first), next, err)
	}
	if got := thingsListed(t, r, filter); got != "u" {
		t.Errorf("over all pages %q", got)
	}
}

// A store from before the index gets it when it is opened, also when that was interrupted.
func TestIndexOfAnOlderStore(t *testing.T) {
	s := newStore(t)
	older := map[string]string{}
	for i := range 1500 {
		name := fmt.Sprintf("t%04d", i)
		older[name] = fmt.Sprintf(`{"name":%q,"version":1,"attributes":{"floor":"%d"}}`, name, i%2)
	}
	for _, name := range slices.Sorted(maps.Keys(older)) {
		must(t, documents.Commit(s, store.DocOp{Bucket: thingsBucket, Key: name, Value: []byte(older[name])}))
	}
	must(t, documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: formatKey, Value: []byte("1")},
		documents.Mark(attributeThingsBucket, attributeKey("floor", "0", "t0000"))))
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Fatal("before:", problems, err)
	}
	r := openOn(t, s, nil)
	if got := strings.Count(thingsListed(t, r, ThingFilter{AttributeName: "floor", AttributeValue: "1"}), "t"); got != 750 {
		t.Errorf("%d things, want 750", got)
	}
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Fatal("afterwards:", problems, err)
	}
}
