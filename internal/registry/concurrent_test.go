package registry

import (
	"context"
	"fmt"
	random "math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// yielding is a store that lets others go first after each read, so that what a change relies on has time to change.
type yielding struct{ store.Store }

func (s yielding) Get(ctx context.Context, bucket, key string) (store.Doc, error) {
	defer runtime.Gosched()
	return s.Store.Get(ctx, bucket, key)
}

// Many clients who create, change, tie and delete a few things, groups, types and policies at the same moment are refused
// or not, and whatever comes of it, Check has nothing to say.
func TestManyAtOnceLeaveNothingHalf(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := openOn(t, yielding{s}, nil)
	ctx := t.Context()
	var certs []string
	for range 3 {
		id, _ := register(t, r)
		certs = append(certs, id)
	}
	calls := func(n *random.Rand) []func() error {
		name := func(kind string) string { return fmt.Sprint(kind, n.IntN(3)) }
		thing, group, billing, kind, document := name("thing"), name("group"), name("billing"), name("type"), name("policy")
		cert, value := certs[n.IntN(len(certs))], fmt.Sprint(n.IntN(2))
		target := r.ARN("cert/" + cert)
		if n.IntN(2) == 0 {
			target = r.ARN("thinggroup/" + group)
		}
		ignoring := func(_ any, err error) error { return err }
		return []func() error{
			func() error {
				return ignoring(r.CreateThing(ctx, ThingSpec{Name: thing, BillingGroup: billing, Attributes: map[string]string{"a": value}}))
			},
			func() error { return ignoring(r.CreateThing(ctx, ThingSpec{Name: thing})) },
			func() error {
				return ignoring(r.CreateThingType(ctx, ThingTypeSpec{Name: kind, Tags: []Tag{{"a", "b"}}}))
			},
			func() error {
				return ignoring(r.CreateThingGroup(ctx, ThingGroupSpec{Name: group, Parent: name("group")}))
			},
			func() error { return ignoring(r.CreateThingGroup(ctx, ThingGroupSpec{Name: group})) },
			func() error {
				return ignoring(r.CreateBillingGroup(ctx, BillingGroupSpec{Name: billing, Tags: []Tag{{"a", "b"}}}))
			},
			func() error { return ignoring(r.CreatePolicy(ctx, document, allowAll, Tag{"a", "b"})) },
			func() error {
				return r.UpdateThing(ctx, thing, ThingUpdate{Type: kind, Attributes: map[string]string{"a": value, "b": value}})
			},
			func() error { return r.UpdateThing(ctx, thing, ThingUpdate{RemoveType: true, Replace: true}) },
			func() error { return r.AddThingToThingGroup(ctx, group, thing) },
			func() error { return r.RemoveThingFromThingGroup(ctx, group, thing) },
			func() error { return r.UpdateThingGroupsForThing(ctx, thing, []string{group}, []string{"group1"}) },
			func() error { return r.AddThingToBillingGroup(ctx, billing, thing) },
			func() error { return r.RemoveThingFromBillingGroup(ctx, billing, thing) },
			func() error { return r.AttachPolicy(ctx, document, target) },
			func() error { return r.AttachPolicy(ctx, document, target) },
			func() error { return r.DetachPolicy(ctx, document, target) },
			func() error { return r.AttachThingPrincipal(ctx, thing, r.ARN("cert/"+cert), "") },
			func() error { return r.AttachThingPrincipal(ctx, thing, r.ARN("cert/"+cert), Exclusive) },
			func() error { return r.DetachThingPrincipal(ctx, thing, r.ARN("cert/"+cert)) },
			func() error { return r.TagResource(ctx, r.ARN("policy/"+document), []Tag{{"c", value}}) },
			func() error { return r.DeleteThing(ctx, thing, nil) },
			func() error { return r.DeleteThingGroup(ctx, group, nil) },
			func() error { return r.DeleteBillingGroup(ctx, billing, nil) },
			func() error { return r.DeprecateThingType(ctx, kind, n.IntN(2) == 0) },
			func() error { return r.DeletePolicy(ctx, document) },
			func() error { return r.DeletePolicy(ctx, document) },
			func() error { return r.DetachPolicy(ctx, document, target) },
			func() error { return r.DeleteBillingGroup(ctx, billing, nil) },
			func() error { return r.DeleteThing(ctx, thing, nil) },
		}
	}
	rounds := 600
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds { // Check looks often: what one call leaves half, a later one may mend
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				n := random.New(random.NewPCG(uint64(round), uint64(worker)))
				for range 8 {
					choice := calls(n)
					if err := choice[n.IntN(len(choice))](); fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
			t.Fatalf("round %d: %q, %v", round, problems, err)
		}
	}
}
