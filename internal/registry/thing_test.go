package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestThingNames(t *testing.T) {
	r := newRegistry(t)
	for name, ok := range map[string]bool{
		"lamp": true, "a:b_c-D9": true, strings.Repeat("n", 128): true,
		"": false, strings.Repeat("n", 129): false, "a b": false, "a/b": false, "ä": false, "a\nb": false, "a\n": false,
	} {
		_, err := r.CreateThing(t.Context(), ThingSpec{Name: name})
		if ok {
			must(t, err)
		} else {
			wantKind(t, err, fault.Invalid, "")
		}
	}
}

func TestCreateThing(t *testing.T) {
	r := newRegistry(t)
	spec := ThingSpec{Name: "lamp", Attributes: map[string]string{"floor": "2"}}
	first, err := r.CreateThing(t.Context(), spec)
	must(t, err)
	if first.Version != 1 || len(first.ID) != 36 {
		t.Fatalf("made %+v", first)
	}
	again, err := r.CreateThing(t.Context(), spec)
	must(t, err)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same again is another thing: %s", diff)
	}
	_, err = r.CreateThing(t.Context(), ThingSpec{Name: "lamp"})
	wantKind(t, err, fault.Exists, "")
	if there, ok := errors.AsType[*TakenError](err); !ok || there.ResourceID != first.ID || there.ResourceARN != r.ARN("thing/lamp") {
		t.Errorf("taken by %+v", there)
	}
	must(t, r.DeleteThing(t.Context(), "lamp", nil))
	anew, err := r.CreateThing(t.Context(), spec)
	must(t, err)
	if anew.ID == first.ID || anew.Version != 1 {
		t.Errorf("created anew: %+v, before %+v", anew, first)
	}
	_, err = r.CreateThing(t.Context(), ThingSpec{Name: "typed", Type: "bulb"})
	wantKind(t, err, fault.NotFound, "")
}

func TestThingAttributes(t *testing.T) {
	r := newRegistry(t)
	for _, c := range []struct {
		name string
		give map[string]string
		ok   bool
	}{
		{"none", nil, true},
		{"three", map[string]string{"a": "1", "b.,@/:#-": "x=[y]", "c": ""}, true},
		{"four", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}, false},
		{"empty name", map[string]string{"": "1"}, false},
		{"space in name", map[string]string{"a b": "1"}, false},
		{"space in value", map[string]string{"a": "1 2"}, false},
		{"long value", map[string]string{"a": strings.Repeat("v", 801)}, false},
		{"longest value", map[string]string{"a": strings.Repeat("v", 800)}, true},
	} {
		_, err := r.CreateThing(t.Context(), ThingSpec{Name: "t-" + strings.ReplaceAll(c.name, " ", "-"), Attributes: c.give})
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestUpdateThing(t *testing.T) {
	two, nine := int64(2), int64(9)
	for _, c := range []struct {
		name   string
		update ThingUpdate
		want   map[string]string
		kind   fault.Kind
		exc    NameError
	}{
		{"replace", ThingUpdate{Replace: true, Attributes: map[string]string{"c": "3"}}, map[string]string{"c": "3"}, 0, ""},
		{"replace by nothing", ThingUpdate{Replace: true}, nil, 0, ""},
		{"merge", ThingUpdate{Attributes: map[string]string{"b": "9", "c": "3"}}, map[string]string{"a": "1", "b": "9", "c": "3"}, 0, ""},
		{"merge removes", ThingUpdate{Attributes: map[string]string{"a": ""}}, map[string]string{"b": "2"}, 0, ""},
		{"merge to four", ThingUpdate{Attributes: map[string]string{"c": "3", "d": "4"}}, nil, fault.Invalid, ""},
		{"nothing", ThingUpdate{}, map[string]string{"a": "1", "b": "2"}, 0, ""},
		{"expected", ThingUpdate{ExpectedVersion: &two, RemoveType: true}, map[string]string{"a": "1", "b": "2"}, 0, ""},
		{"not expected", ThingUpdate{ExpectedVersion: &nine}, nil, fault.Conflict, ErrVersionConflict},
		{"unknown type", ThingUpdate{Type: "bulb"}, nil, fault.NotFound, ""},
		{"type and none", ThingUpdate{Type: "bulb", RemoveType: true}, nil, fault.Invalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegistry(t)
			_, err := r.CreateThing(t.Context(), ThingSpec{Name: "lamp", Attributes: map[string]string{"a": "1"}})
			must(t, err)
			must(t, r.UpdateThing(t.Context(), "lamp", ThingUpdate{Attributes: map[string]string{"b": "2"}}))
			err = r.UpdateThing(t.Context(), "lamp", c.update)
			if c.kind != 0 {
				wantKind(t, err, c.kind, c.exc)
				return
			}
			must(t, err)
			got, err := r.DescribeThing(t.Context(), "lamp")
			must(t, err)
			if diff := cmp.Diff(c.want, got.Attributes); diff != "" || got.Version != 3 {
				t.Errorf("version %d, attributes %s", got.Version, diff)
			}
		})
	}
	r := newRegistry(t)
	wantKind(t, r.UpdateThing(t.Context(), "lamp", ThingUpdate{}), fault.NotFound, "")
}

func TestDeleteThing(t *testing.T) {
	r := newRegistry(t)
	must(t, r.DeleteThing(t.Context(), "nobody", nil))
	_, err := r.CreateThing(t.Context(), ThingSpec{Name: "lamp"})
	must(t, err)
	nine := int64(9)
	wantKind(t, r.DeleteThing(t.Context(), "lamp", &nine), fault.Conflict, ErrVersionConflict)
	_, arn := register(t, r)
	must(t, r.AttachThingPrincipal(t.Context(), "lamp", arn, ""))
	wantKind(t, r.DeleteThing(t.Context(), "lamp", nil), fault.Invalid, "")
	must(t, r.DetachThingPrincipal(t.Context(), "lamp", arn))
	must(t, r.DeleteThing(t.Context(), "lamp", nil))
	_, err = r.DescribeThing(t.Context(), "lamp")
	wantKind(t, err, fault.NotFound, "")
}

func TestListThings(t *testing.T) {
	r := newRegistry(t)
	for i := range 10 {
		_, err := r.CreateThing(t.Context(), ThingSpec{
			Name: fmt.Sprintf("t%d", i), Attributes: map[string]string{"kind": []string{"lamp", "lamppost", "door"}[i%3]},
		})
		must(t, err)
	}
	for _, c := range []struct {
		filter ThingFilter
		want   string
	}{
		{ThingFilter{}, "t0 t1 t2 t3 t4 t5 t6 t7 t8 t9"},
		{ThingFilter{AttributeName: "kind", AttributeValue: "lamp"}, "t0 t3 t6 t9"},
		{ThingFilter{AttributeName: "kind", AttributeValue: "lamp", ValuePrefix: true}, "t0 t1 t3 t4 t6 t7 t9"},
		{ThingFilter{AttributeName: "size", AttributeValue: "lamp"}, ""},
		{ThingFilter{Type: "bulb"}, ""},
	} {
		for _, size := range []int{0, 1, 2, 3, 4, 10, 11} {
			var names []string
			page := Page{Limit: size}
			for {
				things, next, err := r.ListThings(t.Context(), c.filter, page)
				must(t, err)
				for _, th := range things {
					names = append(names, th.Name)
				}
				if page.After = next; next == "" {
					break
				}
			}
			if c.filter.ValuePrefix {
				slices.Sort(names) // they come in the order of the values
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%+v by %d: %s, want %s", c.filter, size, got, c.want)
			}
		}
	}
	for _, bad := range []ThingFilter{
		{AttributeName: "kind"},
		{AttributeValue: "lamp"},
		{AttributeName: "a b", AttributeValue: "c"},
		{Type: "a b"},
		{AttributeName: "kind", AttributeValue: strings.Repeat("v", 801)},
	} {
		_, _, err := r.ListThings(t.Context(), bad, Page{})
		wantKind(t, err, fault.Invalid, "")
	}
}

// Two nodes on one store: no lock orders them, the store's conditions alone do.
func TestConcurrentCreatesHaveOneWinner(t *testing.T) {
	s := newStore(t)
	nodes := []*Registry{openOn(t, s, nil), openOn(t, s, nil)}
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			_, err := nodes[i%2].CreateThing(t.Context(), ThingSpec{Name: "lamp", Attributes: map[string]string{"n": fmt.Sprint(i)}})
			switch {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Exists):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 39 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}

// Every update that is answered well counts once, whichever node it came through.
func TestConcurrentUpdatesAllCount(t *testing.T) {
	s := newStore(t)
	nodes := []*Registry{openOn(t, s, nil), openOn(t, s, nil)}
	_, err := nodes[0].CreateThing(t.Context(), ThingSpec{Name: "lamp"})
	must(t, err)
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			err := nodes[i%2].UpdateThing(t.Context(), "lamp", ThingUpdate{Attributes: map[string]string{"n": fmt.Sprint(i)}})
			if err == nil {
				done.Add(1)
			} else if !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := nodes[0].DescribeThing(t.Context(), "lamp")
	must(t, err)
	if got.Version != 1+done.Load() {
		t.Errorf("version %d after %d updates", got.Version, done.Load())
	}
}
