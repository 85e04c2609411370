package registry

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

func newBillingGroups(t testing.TB, r *Registry, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := r.CreateBillingGroup(t.Context(), BillingGroupSpec{Name: name})
		must(t, err)
	}
}

// wantBilled compares the members of a billing group with what the things say.
func wantBilled(t *testing.T, r *Registry, group, want string) {
	t.Helper()
	things, _, err := r.ListThingsInBillingGroup(t.Context(), group, Page{})
	must(t, err)
	if got := strings.Join(things, " "); got != want {
		t.Errorf("%s has %q, want %q", group, got, want)
	}
	all, _, err := r.ListThings(t.Context(), ThingFilter{}, Page{})
	must(t, err)
	var said []string
	for _, thing := range all {
		if thing.BillingGroup == group {
			said = append(said, thing.Name)
		}
	}
	if got := strings.Join(said, " "); got != want {
		t.Errorf("%q say that they are in %s, want %q", got, group, want)
	}
}

func TestBillingGroups(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	spec := BillingGroupSpec{Name: "north", Description: "Im Norden"}
	g, err := r.CreateBillingGroup(ctx, spec)
	must(t, err)
	if g.Version != 1 || len(g.ID) != 36 {
		t.Errorf("made %+v", g)
	}
	again, err := r.CreateBillingGroup(ctx, spec)
	must(t, err)
	if diff := cmp.Diff(g, again); diff != "" {
		t.Errorf("the same again is another: %s", diff)
	}
	_, err = r.CreateBillingGroup(ctx, BillingGroupSpec{Name: "north"})
	if there, ok := errors.AsType[*TakenError](err); !ok || there.ResourceID != g.ID || there.ResourceARN != r.ARN("billinggroup/north") {
		t.Errorf("another description: %v", err)
	}
	words, long, one, nine := "words", strings.Repeat("d", maxDescription+1), int64(1), int64(9)
	version, err := r.UpdateBillingGroup(ctx, "north", BillingGroupUpdate{Description: &words, ExpectedVersion: &one})
	if must(t, err); version != 2 {
		t.Errorf("version %d", version)
	}
	version, err = r.UpdateBillingGroup(ctx, "north", BillingGroupUpdate{})
	if must(t, err); version != 3 {
		t.Errorf("version %d", version)
	}
	if g, err = r.DescribeBillingGroup(ctx, "north"); err != nil || g.Description != words || g.Version != 3 {
		t.Errorf("updated to %+v, %v", g, err)
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		exc  NameError
	}{
		"update, long":          {second(r.UpdateBillingGroup(ctx, "north", BillingGroupUpdate{Description: &long})), fault.Invalid, ""},
		"update, version":       {second(r.UpdateBillingGroup(ctx, "north", BillingGroupUpdate{ExpectedVersion: &one})), fault.Conflict, ErrVersionConflict},
		"update, nobody":        {second(r.UpdateBillingGroup(ctx, "none", BillingGroupUpdate{})), fault.NotFound, ""},
		"create, bad name":      {second(r.CreateBillingGroup(ctx, BillingGroupSpec{Name: "a b"})), fault.Invalid, ""},
		"create, long":          {second(r.CreateBillingGroup(ctx, BillingGroupSpec{Name: "x", Description: long})), fault.Invalid, ""},
		"describe, nobody":      {second(r.DescribeBillingGroup(ctx, "none")), fault.NotFound, ""},
		"describe, bad name":    {second(r.DescribeBillingGroup(ctx, "")), fault.Invalid, ""},
		"delete, version":       {r.DeleteBillingGroup(ctx, "north", &nine), fault.Conflict, ErrVersionConflict},
		"delete, bad name":      {r.DeleteBillingGroup(ctx, "a/b", nil), fault.Invalid, ""},
		"list, bad prefix":      {listed(r.ListBillingGroups(ctx, "a b", Page{})), fault.Invalid, ""},
		"list things, nobody":   {listed(r.ListThingsInBillingGroup(ctx, "none", Page{})), fault.NotFound, ""},
		"add, no thing":         {r.AddThingToBillingGroup(ctx, "north", "none"), fault.NotFound, ""},
		"add, no group":         {r.AddThingToBillingGroup(ctx, "none", "lamp"), fault.NotFound, ""},
		"remove, no thing":      {r.RemoveThingFromBillingGroup(ctx, "north", "none"), fault.NotFound, ""},
		"remove, no group":      {r.RemoveThingFromBillingGroup(ctx, "none", "lamp"), fault.NotFound, ""},
		"create thing, nobody":  {second(r.CreateThing(ctx, ThingSpec{Name: "x", BillingGroup: "none"})), fault.NotFound, ""},
		"create thing, a space": {second(r.CreateThing(ctx, ThingSpec{Name: "x", BillingGroup: "a b"})), fault.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, c.err, c.kind, c.exc) })
	}
	must(t, r.DeleteBillingGroup(ctx, "none", nil))
}

func second[T any](_ T, err error) error { return err }

func TestBillingMembership(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	ctx := t.Context()
	newBillingGroups(t, r, "a", "b")
	newThings(t, r, "door", "lamp")
	_, err := r.CreateThing(ctx, ThingSpec{Name: "bell", BillingGroup: "a"})
	must(t, err)
	_, err = r.CreateThing(ctx, ThingSpec{Name: "bell"})
	wantKind(t, err, fault.Exists, "")
	_, err = r.CreateThing(ctx, ThingSpec{Name: "bell", BillingGroup: "a"})
	must(t, err)
	must(t, r.AddThingToBillingGroup(ctx, "a", "lamp"))
	must(t, r.AddThingToBillingGroup(ctx, "a", "lamp"))
	must(t, r.AddThingToBillingGroup(ctx, "b", "door"))
	wantKind(t, r.AddThingToBillingGroup(ctx, "b", "lamp"), fault.Invalid, "")
	must(t, r.RemoveThingFromBillingGroup(ctx, "b", "lamp"))
	wantBilled(t, r, "a", "bell lamp")
	wantBilled(t, r, "b", "door")
	if lamp, err := r.DescribeThing(ctx, "lamp"); err != nil || lamp.Version != 1 {
		t.Errorf("a membership counts the thing's version: %+v, %v", lamp, err)
	}
	must(t, r.UpdateThing(ctx, "lamp", ThingUpdate{Replace: true}))
	must(t, r.DeleteThing(ctx, "bell", nil))
	wantBilled(t, r, "a", "lamp")
	must(t, r.RemoveThingFromBillingGroup(ctx, "a", "lamp"))
	wantBilled(t, r, "a", "")
	must(t, r.AddThingToBillingGroup(ctx, "b", "lamp"))
	must(t, r.DeleteBillingGroup(ctx, "b", nil))
	newBillingGroups(t, r, "b")
	wantBilled(t, r, "b", "")
	if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// Groups of more than one commit's things are deleted whole, also while things come and go.
func TestDeleteLargeBillingGroup(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	ctx := t.Context()
	newBillingGroups(t, r, "g")
	for i := range 230 {
		_, err := r.CreateThing(ctx, ThingSpec{Name: fmt.Sprintf("t%03d", i), BillingGroup: "g"})
		must(t, err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("late", i)
			if _, err := r.CreateThing(ctx, ThingSpec{Name: name, BillingGroup: "g"}); err != nil && !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		})
	}
	must(t, r.DeleteBillingGroup(ctx, "g", nil))
	wg.Wait()
	if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	newBillingGroups(t, r, "g")
	wantBilled(t, r, "g", "")
}

func TestListBillingGroups(t *testing.T) {
	r := newRegistry(t)
	newBillingGroups(t, r, "a", "b1", "b2", "b3", "c")
	for _, c := range []struct{ prefix, want string }{{"", "a b1 b2 b3 c"}, {"b", "b1 b2 b3"}, {"x", ""}} {
		for _, limit := range []int{0, 1, 2, 3} {
			var got []string
			for page := (Page{Limit: limit}); ; {
				names, next, err := r.ListBillingGroups(t.Context(), c.prefix, page)
				must(t, err)
				got = append(got, names...)
				if page.After = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q by %d: %v, want %s", c.prefix, limit, got, c.want)
			}
		}
	}
}
