package registry

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/documents"
)

const billingGroupKind = "billinggroup"

// BillingGroup gathers things for a bill. Nothing is billed here: it is a set of things in which each is once, and
// policies do not see it.
type BillingGroup struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"` // a UUID
	Description string    `json:"description,omitempty"`
	Version     int64     `json:"version"` // 1, and one more with each update
	Created     time.Time `json:"created"`
}

// BillingGroupSpec is what a billing group is created from.
type BillingGroupSpec struct {
	Name        string
	Description string
	Tags        []Tag
}

// BillingGroupUpdate changes a billing group.
type BillingGroupUpdate struct {
	Description     *string // nil leaves it alone
	ExpectedVersion *int64
}

// CreateBillingGroup creates a billing group. The same name with the same settings is no error and gives the group that
// is there.
func (r *Registry) CreateBillingGroup(ctx context.Context, spec BillingGroupSpec) (*BillingGroup, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	defer r.names.hold([]string{billingLock(spec.Name)}, nil)()
	g := &BillingGroup{Name: spec.Name, ID: uuid.NewString(), Description: spec.Description, Version: 1, Created: r.now()}
	resource := billingGroupKind + "/" + g.Name
	err := r.commit(append(tagged(resource, spec.Tags), documents.Put(billingGroupsBucket, g.Name, g, documents.Absent))...)
	if !fault.Is(err, fault.Conflict) {
		return g, err
	}
	old, _, err := r.loadBillingGroup(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	same, err := r.sameTags(ctx, resource, spec.Tags)
	if err != nil {
		return nil, err
	}
	if !same || old.Description != spec.Description {
		return nil, taken(old.ID, r.ARN(resource), "billing group %s exists with another configuration", old.Name).
			WithRemedy("update it, or take another name")
	}
	return old, nil
}

func (spec BillingGroupSpec) check() error {
	if err := billingGroupName.check(spec.Name); err != nil {
		return err
	}
	if err := description.check(spec.Description); err != nil {
		return err
	}
	return checkNewTags(spec.Tags)
}

// DescribeBillingGroup gives a billing group.
func (r *Registry) DescribeBillingGroup(ctx context.Context, name string) (*BillingGroup, error) {
	g, _, err := r.loadBillingGroup(ctx, name)
	return g, err
}

// UpdateBillingGroup changes a billing group, counts its version up and gives the new one.
func (r *Registry) UpdateBillingGroup(ctx context.Context, name string, u BillingGroupUpdate) (version int64, err error) {
	defer r.names.hold([]string{billingLock(name)}, nil)()
	err = r.retry(func() error {
		g, rev, err := r.loadBillingGroup(ctx, name)
		if err != nil {
			return err
		}
		if err := g.checkVersion(u.ExpectedVersion); err != nil {
			return err
		}
		if u.Description != nil {
			g.Description = *u.Description
		}
		if err := description.check(g.Description); err != nil {
			return err
		}
		g.Version++
		version = g.Version
		return r.commit(documents.Put(billingGroupsBucket, name, g, documents.AtRev(rev)))
	})
	return version, err
}

// ListBillingGroups gives the names of billing groups in their order, those that begin with prefix.
func (r *Registry) ListBillingGroups(ctx context.Context, prefix string, p Page) (names []string, next string, err error) {
	if err := billingGroupName.checkIf(prefix); err != nil {
		return nil, "", err
	}
	limit := 0
	if p.Limit > 0 {
		limit = p.Limit + 1
	}
	for d, err := range r.cfg.Store.List(ctx, billingGroupsBucket, prefix, p.After, limit) {
		if err != nil {
			return nil, "", err
		}
		names = append(names, d.Key)
	}
	names, next = cut(names, p.Limit)
	return names, next, nil
}

func (g *BillingGroup) checkVersion(expected *int64) error {
	if expected == nil || *expected == g.Version {
		return nil
	}
	return otherVersion("billing group", g.Name, g.Version, *expected)
}

func (r *Registry) loadBillingGroup(ctx context.Context, name string) (*BillingGroup, uint64, error) {
	if err := billingGroupName.check(name); err != nil {
		return nil, 0, err
	}
	g, rev, err := documents.Load[BillingGroup](ctx, r.cfg.Store, billingGroupsBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("billing group", name, "list-billing-groups")
	}
	return g, rev, err
}
