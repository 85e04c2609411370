package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// ThingGroupFilter chooses thing groups; all conditions that are set must hold.
type ThingGroupFilter struct {
	Parent     string // only its children …
	Recursive  bool   // … and theirs, to the last
	NamePrefix string
}

// ListThingGroups gives thing groups in the order of their names: all of them unless f says otherwise.
func (r *Registry) ListThingGroups(ctx context.Context, f ThingGroupFilter, p Page) (groups []ThingGroup, next string, err error) {
	if err := groupName.checkIf(f.NamePrefix); err != nil {
		return nil, "", err
	}
	if f.Parent != "" {
		if _, _, err := r.loadGroup(ctx, f.Parent); err != nil {
			return nil, "", err
		}
	}
	return walk(ctx, r, groupsBucket, f.NamePrefix, p, func(d store.Doc) (*ThingGroup, error) {
		g, err := documents.Decode[ThingGroup](groupsBucket, d)
		if err != nil || !f.matches(g) {
			return nil, err
		}
		return g, nil
	})
}

func (f ThingGroupFilter) matches(g *ThingGroup) bool {
	if f.Parent == "" {
		return true
	}
	return g.Parent() == f.Parent || f.Recursive && slices.Contains(g.Ancestors, f.Parent)
}

// ListThingGroupsForThing gives the names of the groups that a thing was added to.
func (r *Registry) ListThingGroupsForThing(ctx context.Context, thing string, p Page) (groups []string, next string, err error) {
	t, _, err := r.loadThing(ctx, thing)
	if err != nil {
		return nil, "", err
	}
	groups, next = behind(t.Groups, p)
	return groups, next, nil
}

// ListThingsInThingGroup gives the names of the members of a group, and of those below it if recursive. A thing is in
// one group of a tree at most, so none comes twice. next is the group and the thing.
func (r *Registry) ListThingsInThingGroup(ctx context.Context, group string, recursive bool, p Page) (things []string, next string, err error) {
	if _, _, err := r.loadGroup(ctx, group); err != nil {
		return nil, "", err
	}
	groups := []string{group}
	if recursive {
		below, err := r.descendants(ctx, group)
		if err != nil {
			return nil, "", err
		}
		groups = append(groups, below...)
		slices.Sort(groups)
	}
	from, after, _ := strings.Cut(p.After, "/")
	for _, g := range groups {
		if g < from {
			continue
		}
		if g > from {
			after = ""
		}
		some, more, err := r.keysOf(ctx, groupThingsBucket, g+"/", Page{After: after, Limit: p.Limit - len(things)})
		if err != nil {
			return nil, "", err
		}
		things = append(things, some...)
		if more != "" {
			return things, g + "/" + more, nil
		}
		if p.Limit > 0 && len(things) == p.Limit && g != groups[len(groups)-1] {
			return things, g + "/" + things[len(things)-1], nil // what follows may be empty; no client minds
		}
	}
	return things, "", nil
}

// descendants are all groups below a group.
func (r *Registry) descendants(ctx context.Context, group string) ([]string, error) {
	all, _, err := r.keysOf(ctx, groupChildrenBucket, group+"/", Page{})
	if err != nil {
		return nil, err
	}
	for _, child := range slices.Clone(all) {
		below, err := r.descendants(ctx, child)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}
