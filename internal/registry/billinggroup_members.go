package registry

import (
	"context"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// AddThingToBillingGroup makes a thing a member. Being one already is no error; being one of another group is: a thing
// is in one billing group at most. Which exception AWS answers is not recorded; InvalidRequestException is modelled.
func (r *Registry) AddThingToBillingGroup(ctx context.Context, group, thing string) error {
	return r.changeBilling(ctx, group, thing, func(t *Thing) ([]store.DocOp, error) {
		switch t.BillingGroup {
		case group:
			return nil, nil
		case "":
		default:
			return nil, fault.New(fault.Invalid, "thing %s is in billing group %s", thing, t.BillingGroup).
				WithRemedy("remove it first: aws iot remove-thing-from-billing-group --billing-group-name %s --thing-name %s", t.BillingGroup, thing)
		}
		t.BillingGroup = group
		return billed(group, thing), nil
	})
}

// RemoveThingFromBillingGroup ends a membership. One that is not there is no error; a thing or group that is not is.
func (r *Registry) RemoveThingFromBillingGroup(ctx context.Context, group, thing string) error {
	return r.changeBilling(ctx, group, thing, func(t *Thing) ([]store.DocOp, error) {
		if t.BillingGroup != group {
			return nil, nil
		}
		t.BillingGroup = ""
		return []store.DocOp{documents.Remove(billingThingsBucket, group+"/"+thing, store.Condition{})}, nil
	})
}

// changeBilling rewrites a thing's document, which holds its billing group, while the group stays. The thing's version
// remains, as with thing groups.
func (r *Registry) changeBilling(ctx context.Context, group, thing string, change func(*Thing) ([]store.DocOp, error)) error {
	defer r.names.hold([]string{thingLock(thing)}, []string{billingLock(group)})()
	return r.retry(func() error {
		if _, _, err := r.loadBillingGroup(ctx, group); err != nil {
			return err
		}
		t, rev, err := r.loadThing(ctx, thing)
		if err != nil {
			return err
		}
		ops, err := change(t)
		if ops == nil || err != nil {
			return err
		}
		return r.commit(append(ops, documents.Put(thingsBucket, thing, t, documents.AtRev(rev)))...)
	})
}

// ListThingsInBillingGroup gives the names of the members in their order.
func (r *Registry) ListThingsInBillingGroup(ctx context.Context, group string, p Page) (things []string, next string, err error) {
	if _, _, err := r.loadBillingGroup(ctx, group); err != nil {
		return nil, "", err
	}
	return r.keysOf(ctx, billingThingsBucket, group+"/", p)
}

// DeleteBillingGroup deletes a billing group; its members stay without it. One that is not there is no error, as on AWS.
func (r *Registry) DeleteBillingGroup(ctx context.Context, name string, expectedVersion *int64) error {
	if err := billingGroupName.check(name); err != nil {
		return err
	}
	return r.inChunks(ctx, billingThingsBucket, name, func(members []string, last bool) (bool, error) {
		return r.deleteBillingGroup(ctx, name, members, last, expectedVersion)
	})
}

// deleteBillingGroup removes members, and if they are the last, the group itself, as deleteGroup does.
func (r *Registry) deleteBillingGroup(ctx context.Context, name string, members []string, last bool, expectedVersion *int64) (done bool, err error) {
	exclusive := []string{billingLock(name)}
	for _, m := range members {
		exclusive = append(exclusive, thingLock(m))
	}
	defer r.names.hold(exclusive, nil)()
	err = r.retry(func() error {
		g, rev, err := r.loadBillingGroup(ctx, name)
		if fault.Is(err, fault.NotFound) {
			done = true
			return nil
		}
		if err != nil {
			return err
		}
		if err := g.checkVersion(expectedVersion); err != nil {
			return err
		}
		ops, err := r.withoutMembers(ctx, billingThingsBucket, name, members, func(t *Thing) {
			if t.BillingGroup == name {
				t.BillingGroup = ""
			}
		})
		if err != nil {
			return err
		}
		if done, err = r.areAll(ctx, billingThingsBucket, name, members, last); err != nil {
			return err
		}
		if done {
			ops = append(ops, documents.Remove(billingGroupsBucket, name, documents.AtRev(rev)), untagged(billingGroupKind+"/"+name))
		}
		return r.commit(ops...)
	})
	return done, err
}

// billed are the writes beside the document of a thing that joins a billing group, none if group is empty.
func billed(group, thing string) []store.DocOp {
	if group == "" {
		return nil
	}
	return []store.DocOp{documents.Mark(billingThingsBucket, group+"/"+thing)}
}
