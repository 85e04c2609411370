package registry

import (
	"context"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// UpdateThingGroupsForThing takes a thing out of groups and puts it into others, in one step: all of it happens or
// nothing. What is so already is no error; a thing or a group that is not there is, and a group that is in both lists.
func (r *Registry) UpdateThingGroupsForThing(ctx context.Context, thing string, add, remove []string) error {
	if err := checkGroupLists(add, remove); err != nil {
		return err
	}
	var shared []string
	for _, g := range slices.Concat(add, remove) {
		shared = append(shared, groupLock(g))
	}
	defer r.names.hold([]string{thingLock(thing)}, shared)()
	return r.retry(func() error {
		t, rev, err := r.loadThing(ctx, thing)
		if err != nil {
			return err
		}
		e := r.newEvents()
		left, err := r.leaveGroups(ctx, t, remove, e)
		if err != nil {
			return err
		}
		joined, err := r.joinGroups(ctx, t, add, e)
		if err != nil {
			return err
		}
		ops := slices.Concat(left, joined)
		if len(ops) == 0 {
			return nil
		}
		return r.commitAndTell(e, append(ops, documents.Put(thingsBucket, thing, t, documents.AtRev(rev)))...)
	})
}

func checkGroupLists(add, remove []string) error {
	for _, g := range slices.Concat(add, remove) {
		if err := groupName.check(g); err != nil {
			return err
		}
	}
	for _, g := range add {
		if slices.Contains(remove, g) {
			return fault.New(fault.Invalid, "thing group %s is to be added and to be removed", g)
		}
	}
	return nil
}

func (r *Registry) leaveGroups(ctx context.Context, t *Thing, groups []string, e *events) (ops []store.DocOp, err error) {
	for _, name := range groups {
		g, _, err := r.loadGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		if i, there := slices.BinarySearch(t.Groups, name); there {
			t.Groups = slices.Delete(t.Groups, i, i+1)
			e.membership(removed, g, t)
			ops = append(ops, documents.Remove(groupThingsBucket, name+"/"+t.Name, store.Condition{}))
		}
	}
	return ops, nil
}

func (r *Registry) joinGroups(ctx context.Context, t *Thing, groups []string, e *events) (ops []store.DocOp, err error) {
	for _, name := range groups {
		g, _, err := r.loadGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		i, there := slices.BinarySearch(t.Groups, name)
		if there {
			continue
		}
		if err := r.checkMembership(ctx, t, g); err != nil {
			return nil, err
		}
		t.Groups = slices.Insert(t.Groups, i, name)
		e.membership(added, g, t)
		ops = append(ops, documents.Mark(groupThingsBucket, name+"/"+t.Name))
	}
	return ops, nil
}
