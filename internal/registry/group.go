package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Quotas of static thing groups: AWS IoT Core quotas, "thing registry".
const (
	maxGroupDepth      = 7
	maxGroupChildren   = 100
	maxGroupAttributes = 50
	maxDescription     = 2028
)

// ThingGroup is one static thing group. Its parent is chosen when it is made and stays.
type ThingGroup struct {
	Name        string            `json:"name"`
	ID          string            `json:"id"`                  // a UUID
	Ancestors   []string          `json:"ancestors,omitempty"` // from the root to the parent
	Description string            `json:"description,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Version     int64             `json:"version"` // 1, and one more with each update
	Created     time.Time         `json:"created"`

	Policies []string `json:"policies,omitempty"` // attached to this group itself, in the order of their names
}

// Parent is the name of the group above, "" for a root.
func (g *ThingGroup) Parent() string {
	if len(g.Ancestors) == 0 {
		return ""
	}
	return g.Ancestors[len(g.Ancestors)-1]
}

// root is the top of the tree that g is in.
func (g *ThingGroup) root() string {
	if len(g.Ancestors) == 0 {
		return g.Name
	}
	return g.Ancestors[0]
}

// ThingGroupSpec is what a thing group is created from.
type ThingGroupSpec struct {
	Name        string
	Parent      string
	Description string
	Attributes  map[string]string
	Tags        []Tag
}

// ThingGroupUpdate changes a thing group.
type ThingGroupUpdate struct {
	Description     *string           // nil leaves it alone
	Attributes      map[string]string // as in ThingUpdate
	Replace         bool
	ExpectedVersion *int64
}

// CreateThingGroup creates a static thing group. The same name with the same settings is no error and gives the group
// that is there.
func (r *Registry) CreateThingGroup(ctx context.Context, spec ThingGroupSpec) (*ThingGroup, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	exclusive := []string{groupLock(spec.Name)}
	if spec.Parent != "" {
		exclusive = append(exclusive, groupLock(spec.Parent)) // its children are counted
	}
	defer r.names.hold(exclusive, nil)()
	old, _, err := r.loadGroup(ctx, spec.Name)
	if err == nil {
		return r.sameGroup(ctx, old, spec)
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	ancestors, err := r.ancestorsBelow(ctx, spec.Parent)
	if err != nil {
		return nil, err
	}
	g := &ThingGroup{
		Name: spec.Name, ID: uuid.NewString(), Ancestors: ancestors, Description: spec.Description,
		Attributes: spec.Attributes, Version: 1, Created: r.now(),
	}
	ops := append(tagged(groupTarget(g.Name).String(), spec.Tags), documents.Put(groupsBucket, g.Name, g, documents.Absent))
	if spec.Parent != "" {
		ops = append(ops, documents.Mark(groupChildrenBucket, spec.Parent+"/"+g.Name))
	}
	e := r.newEvents()
	if err := e.group(ctx, created, g); err != nil {
		return nil, err
	}
	if err := r.commitAndTell(e, ops...); err != nil {
		return nil, err
	}
	return g, nil
}

func (spec ThingGroupSpec) check() error {
	if err := groupName.check(spec.Name); err != nil {
		return err
	}
	if spec.Parent != "" {
		if err := groupName.check(spec.Parent); err != nil {
			return err
		}
	}
	if err := description.check(spec.Description); err != nil {
		return err
	}
	if err := checkNewTags(spec.Tags); err != nil {
		return err
	}
	return checkAttributes(spec.Attributes, maxGroupAttributes, "a thing group")
}

func (r *Registry) sameGroup(ctx context.Context, old *ThingGroup, spec ThingGroupSpec) (*ThingGroup, error) {
	same, err := r.sameTags(ctx, groupTarget(old.Name).String(), spec.Tags)
	if err != nil {
		return nil, err
	}
	if same && old.Parent() == spec.Parent && old.Description == spec.Description && maps.Equal(old.Attributes, spec.Attributes) {
		return old, nil
	}
	return nil, taken(old.ID, r.ARN("thinggroup/"+old.Name), "thing group %s exists with another configuration", old.Name).
		WithRemedy("update it, or take another name")
}

// ancestorsBelow are the ancestors of a new child of parent. CreateThingGroup has no ResourceNotFoundException, so a
// parent that is not there is an invalid request.
func (r *Registry) ancestorsBelow(ctx context.Context, parent string) ([]string, error) {
	if parent == "" {
		return nil, nil
	}
	p, _, err := r.loadGroup(ctx, parent)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Invalid, "the parent thing group %s does not exist", parent)
	}
	if err != nil {
		return nil, err
	}
	ancestors := append(slices.Clone(p.Ancestors), parent)
	if len(ancestors) >= maxGroupDepth {
		return nil, fault.New(fault.Invalid, "thing group %s is %d groups deep already, the most there may be", parent, len(ancestors))
	}
	children, _, err := r.keysOf(ctx, groupChildrenBucket, parent+"/", Page{})
	if err != nil {
		return nil, err
	}
	if len(children) >= maxGroupChildren {
		return nil, fault.New(fault.Invalid, "thing group %s has %d children already", parent, len(children))
	}
	return ancestors, nil
}

// DescribeThingGroup gives a thing group.
func (r *Registry) DescribeThingGroup(ctx context.Context, name string) (*ThingGroup, error) {
	g, _, err := r.loadGroup(ctx, name)
	return g, err
}

// UpdateThingGroup changes a thing group, counts its version up and gives the new one.
func (r *Registry) UpdateThingGroup(ctx context.Context, name string, u ThingGroupUpdate) (version int64, err error) {
	err = r.changeGroup(ctx, name, nil, func(g *ThingGroup) ([]store.DocOp, error) {
		if err := g.checkVersion(u.ExpectedVersion); err != nil {
			return nil, err
		}
		if u.Description != nil {
			g.Description = *u.Description
		}
		g.Attributes = merged(g.Attributes, u.Attributes, u.Replace)
		g.Version++
		version = g.Version
		if err := description.check(g.Description); err != nil {
			return nil, err
		}
		return []store.DocOp{}, checkAttributes(g.Attributes, maxGroupAttributes, "a thing group")
	})
	return version, err
}

func (g *ThingGroup) checkVersion(expected *int64) error {
	if expected == nil || *expected == g.Version {
		return nil
	}
	return otherVersion("thing group", g.Name, g.Version, *expected)
}

// changeGroup rewrites a group's document under its revision, as changeCertificate does a certificate's.
func (r *Registry) changeGroup(ctx context.Context, name string, relied []string, change func(g *ThingGroup) ([]store.DocOp, error)) error {
	defer r.names.hold([]string{groupLock(name)}, relied)()
	return r.retry(func() error {
		g, rev, err := r.loadGroup(ctx, name)
		if err != nil {
			return err
		}
		version := g.Version
		ops, err := change(g)
		if ops == nil || err != nil {
			return err
		}
		e := r.newEvents()
		if g.Version != version { // what is attached to it is no part of it
			if err := e.group(ctx, updated, g); err != nil {
				return err
			}
		}
		return r.commitAndTell(e, append(ops, documents.Put(groupsBucket, name, g, documents.AtRev(rev)))...)
	})
}

func (r *Registry) loadGroup(ctx context.Context, name string) (*ThingGroup, uint64, error) {
	if err := groupName.check(name); err != nil {
		return nil, 0, err
	}
	g, rev, err := documents.Load[ThingGroup](ctx, r.cfg.Store, groupsBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("thing group", name, "list-thing-groups")
	}
	return g, rev, err
}
