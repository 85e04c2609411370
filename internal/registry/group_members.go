package registry

import (
	"context"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxGroupsPerThing: AWS IoT Core quotas.
const maxGroupsPerThing = 10

// AddThingToThingGroup makes a thing a member. Being one already is no error; being one of another group of the same
// tree is (AWS IoT developer guide, "Static thing groups").
func (r *Registry) AddThingToThingGroup(ctx context.Context, group, thing string) error {
	return r.changeMembership(ctx, added, group, thing, func(t *Thing, g *ThingGroup) ([]store.DocOp, error) {
		i, there := slices.BinarySearch(t.Groups, group)
		if there {
			return nil, nil
		}
		if err := r.checkMembership(ctx, t, g); err != nil {
			return nil, err
		}
		t.Groups = slices.Insert(t.Groups, i, group)
		return []store.DocOp{documents.Mark(groupThingsBucket, group+"/"+thing)}, nil
	})
}

func (r *Registry) checkMembership(ctx context.Context, t *Thing, g *ThingGroup) error {
	if len(t.Groups) >= maxGroupsPerThing {
		return fault.New(fault.Invalid, "thing %s is in %d thing groups already", t.Name, len(t.Groups))
	}
	for _, name := range t.Groups {
		other, _, err := r.loadGroup(ctx, name)
		if err != nil {
			return err
		}
		if other.root() == g.root() {
			return fault.New(fault.Invalid, "thing %s is in thing group %s, which is in the same hierarchy as %s", t.Name, name, g.Name).
				WithRemedy("remove it from %s first", name)
		}
	}
	return nil
}

// RemoveThingFromThingGroup ends a membership. One that is not there is no error; a thing or group that is not is.
func (r *Registry) RemoveThingFromThingGroup(ctx context.Context, group, thing string) error {
	return r.changeMembership(ctx, removed, group, thing, func(t *Thing, _ *ThingGroup) ([]store.DocOp, error) {
		i, there := slices.BinarySearch(t.Groups, group)
		if !there {
			return nil, nil
		}
		t.Groups = slices.Delete(t.Groups, i, i+1)
		return []store.DocOp{documents.Remove(groupThingsBucket, group+"/"+thing, store.Condition{})}, nil
	})
}

// changeMembership rewrites a thing's document, which holds its groups, while the group stays. The thing's version
// remains: on AWS a membership is not part of the thing. operation is what its event says.
func (r *Registry) changeMembership(ctx context.Context, operation, group, thing string, change func(*Thing, *ThingGroup) ([]store.DocOp, error)) error {
	defer r.names.hold([]string{thingLock(thing)}, []string{groupLock(group)})()
	return r.retry(func() error {
		g, _, err := r.loadGroup(ctx, group)
		if err != nil {
			return err
		}
		t, rev, err := r.loadThing(ctx, thing)
		if err != nil {
			return err
		}
		ops, err := change(t, g)
		if ops == nil || err != nil {
			return err
		}
		e := r.newEvents()
		e.membership(operation, g, t)
		return r.commitAndTell(e, append(ops, documents.Put(thingsBucket, thing, t, documents.AtRev(rev)))...)
	})
}

// DeleteThingGroup deletes a thing group without children. Its members stay without it, its policies are detached. A
// group that is not there is no error, as on AWS.
func (r *Registry) DeleteThingGroup(ctx context.Context, name string, expectedVersion *int64) error {
	if err := groupName.check(name); err != nil {
		return err
	}
	return r.inChunks(ctx, groupThingsBucket, name, func(members []string, last bool) (bool, error) {
		return r.deleteGroup(ctx, name, members, last, expectedVersion)
	})
}

// inChunks calls remove with members of a group until it is done: as many as one commit takes, and whether they are the
// last ones, with which the group itself may go.
func (r *Registry) inChunks(ctx context.Context, bucket, group string, remove func(members []string, last bool) (done bool, err error)) error {
	const chunk = 100 // things in one commit
	for {
		members, next, err := r.keysOf(ctx, bucket, group+"/", Page{Limit: chunk})
		if err != nil {
			return err
		}
		if done, err := remove(members, next == ""); done || err != nil {
			return err
		}
	}
}

// deleteGroup removes members, and if they are the last, the group itself. Not done means that there are more, perhaps
// because somebody added one.
func (r *Registry) deleteGroup(ctx context.Context, name string, members []string, last bool, expectedVersion *int64) (done bool, err error) {
	exclusive := []string{groupLock(name)}
	for _, m := range members {
		exclusive = append(exclusive, thingLock(m))
	}
	defer r.names.hold(exclusive, nil)()
	err = r.retry(func() error {
		g, rev, err := r.loadGroup(ctx, name)
		if fault.Is(err, fault.NotFound) {
			done = true
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.checkDeleteGroup(ctx, g, expectedVersion); err != nil {
			return err
		}
		e := r.newEvents()
		ops, err := r.withoutMembers(ctx, groupThingsBucket, name, members, func(t *Thing) {
			if slices.Contains(t.Groups, name) { // not removed meanwhile
				e.membership(removed, g, t)
			}
			t.Groups = slices.DeleteFunc(t.Groups, func(g string) bool { return g == name })
		})
		if err != nil {
			return err
		}
		if done, err = r.areAll(ctx, groupThingsBucket, name, members, last); err != nil {
			return err
		}
		if done {
			ops = append(ops, g.removal(rev)...)
			if err := e.group(ctx, deleted, g); err != nil {
				return err
			}
		}
		return r.commitAndTell(e, ops...)
	})
	return done, err
}

// areAll reports whether nobody but members is in the group.
func (r *Registry) areAll(ctx context.Context, bucket, group string, members []string, last bool) (bool, error) {
	if !last {
		return false, nil
	}
	now, _, err := r.keysOf(ctx, bucket, group+"/", Page{})
	return !slices.ContainsFunc(now, func(m string) bool { return !slices.Contains(members, m) }), err
}

func (r *Registry) checkDeleteGroup(ctx context.Context, g *ThingGroup, expectedVersion *int64) error {
	if err := g.checkVersion(expectedVersion); err != nil {
		return err
	}
	free, err := r.isEmpty(ctx, groupChildrenBucket, g.Name+"/")
	if err != nil || free {
		return err
	}
	return fault.New(fault.Invalid, "thing group %s cannot be deleted: there are still child groups attached", g.Name).
		WithRemedy("delete them first: aws iot list-thing-groups --parent-group %s", g.Name)
}

// withoutMembers are the writes by which things leave a group; leave takes it out of a thing.
func (r *Registry) withoutMembers(ctx context.Context, bucket, group string, members []string, leave func(*Thing)) ([]store.DocOp, error) {
	var ops []store.DocOp
	for _, m := range members {
		ops = append(ops, documents.Remove(bucket, group+"/"+m, store.Condition{}))
		t, rev, err := r.loadThing(ctx, m)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		leave(t)
		ops = append(ops, documents.Put(thingsBucket, m, t, documents.AtRev(rev)))
	}
	return ops, nil
}

// removal is what goes together with the group's document.
func (g *ThingGroup) removal(rev uint64) []store.DocOp {
	ops := []store.DocOp{documents.Remove(groupsBucket, g.Name, documents.AtRev(rev)), untagged(groupTarget(g.Name).String())}
	if p := g.Parent(); p != "" {
		ops = append(ops, documents.Remove(groupChildrenBucket, p+"/"+g.Name, store.Condition{}))
	}
	for _, p := range g.Policies {
		ops = append(ops, documents.Remove(policyTargetsBucket, targetKey(p, groupTarget(g.Name)), store.Condition{}))
	}
	return ops
}
