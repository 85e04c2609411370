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

// Quotas of things: AWS IoT Core quotas, "thing registry".
const (
	maxAttributes      = 3 // without a thing type
	maxTypedAttributes = 50
	maxAttributeBytes  = 47 << 10
)

// Thing is one entry of the thing registry.
type Thing struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"` // a UUID; another one when the name is taken again after a delete
	Type       string            `json:"type,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Version    int64             `json:"version"` // 1, and one more with each update
	Created    time.Time         `json:"created"`

	BillingGroup string `json:"billingGroup,omitempty"` // "" for none

	Groups []string `json:"groups,omitempty"` // the thing groups that it was added to, in the order of their names
}

// ThingSpec is what a thing is created from.
type ThingSpec struct {
	Name       string
	Type       string // must exist; may be empty
	Attributes map[string]string

	BillingGroup string // must exist; may be empty
}

// ThingUpdate changes a thing.
type ThingUpdate struct {
	Attributes      map[string]string // nil leaves the attributes alone, unless Replace
	Replace         bool              // Attributes take the place of all there are; else they are merged in, and an empty value removes
	Type            string
	RemoveType      bool
	ExpectedVersion *int64 // nil expects nothing
}

// CreateThing creates a thing. The same name with the same settings is no error and gives the thing that is there.
func (r *Registry) CreateThing(ctx context.Context, spec ThingSpec) (*Thing, error) {
	if err := thingName.check(spec.Name); err != nil {
		return nil, err
	}
	if err := checkThingAttributes(spec.Attributes, spec.Type); err != nil {
		return nil, err
	}
	defer r.names.hold([]string{thingLock(spec.Name)}, []string{typeLock(spec.Type), billingLock(spec.BillingGroup)})()
	var t *Thing
	err := r.retry(func() (err error) {
		if t, _, err = r.loadThing(ctx, spec.Name); err == nil {
			return r.checkSame(t, spec)
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		t, err = r.addThing(ctx, spec)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (r *Registry) checkSame(old *Thing, spec ThingSpec) error {
	if old.Type == spec.Type && old.BillingGroup == spec.BillingGroup && maps.Equal(old.Attributes, spec.Attributes) {
		return nil
	}
	return taken(old.ID, r.ARN("thing/"+old.Name), "thing %s exists with another configuration", old.Name).
		WithRemedy("update it, or take another name")
}

func (r *Registry) addThing(ctx context.Context, spec ThingSpec) (*Thing, error) {
	if spec.Type != "" {
		if err := r.checkType(ctx, spec.Type); err != nil {
			return nil, err
		}
	}
	if spec.BillingGroup != "" {
		if _, _, err := r.loadBillingGroup(ctx, spec.BillingGroup); err != nil {
			return nil, err
		}
	}
	t := &Thing{
		Name: spec.Name, ID: uuid.NewString(), Type: spec.Type, Attributes: spec.Attributes, Version: 1, Created: r.now(),
		BillingGroup: spec.BillingGroup,
	}
	e := r.newEvents()
	e.thing(created, t)
	e.retyped(t, "", t.Type)
	ops := slices.Concat(retyped(t.Name, "", t.Type), billed(t.BillingGroup, t.Name), attributed(t.Name, nil, t.Attributes))
	return t, r.commitAndTell(e, append(ops, documents.Put(thingsBucket, t.Name, t, documents.Absent))...)
}

// DescribeThing gives a thing.
func (r *Registry) DescribeThing(ctx context.Context, name string) (*Thing, error) {
	t, _, err := r.loadThing(ctx, name)
	return t, err
}

// UpdateThing changes a thing and counts its version up.
func (r *Registry) UpdateThing(ctx context.Context, name string, u ThingUpdate) error {
	if u.Type != "" && u.RemoveType {
		return fault.New(fault.Invalid, "thingTypeName and removeThingType cannot both be given")
	}
	defer r.names.hold([]string{thingLock(name)}, []string{typeLock(u.Type)})()
	return r.retry(func() error {
		t, rev, err := r.loadThing(ctx, name)
		if err != nil {
			return err
		}
		if err := checkVersion(t, u.ExpectedVersion); err != nil {
			return err
		}
		old, attributes := t.Type, t.Attributes
		if err := r.applyType(ctx, t, u); err != nil {
			return err
		}
		t.Attributes = merged(t.Attributes, u.Attributes, u.Replace)
		if err := checkThingAttributes(t.Attributes, t.Type); err != nil {
			return err
		}
		t.Version++
		e := r.newEvents()
		e.thing(updated, t)
		e.retyped(t, old, t.Type)
		ops := append(retyped(name, old, t.Type), attributed(name, attributes, t.Attributes)...)
		return r.commitAndTell(e, append(ops, documents.Put(thingsBucket, name, t, documents.AtRev(rev)))...)
	})
}

// DeleteThing deletes a thing that no principal is attached to. A thing that is not there is no error, as on AWS.
func (r *Registry) DeleteThing(ctx context.Context, name string, expectedVersion *int64) error {
	defer r.names.hold([]string{thingLock(name)}, nil)()
	return r.retry(func() error {
		t, rev, err := r.loadThing(ctx, name)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkVersion(t, expectedVersion); err != nil {
			return err
		}
		free, err := r.isEmpty(ctx, thingCertsBucket, name+"/")
		if err != nil {
			return err
		}
		if !free {
			// AWS answers InvalidRequestException here, not DeleteConflictException.
			return fault.New(fault.Invalid, "thing %s cannot be deleted while principals are attached to it", name).
				WithRemedy("detach them first: aws iot list-thing-principals, detach-thing-principal")
		}
		ops := append(retyped(name, t.Type, ""), attributed(name, t.Attributes, nil)...)
		ops = append(ops, documents.Remove(thingsBucket, name, documents.AtRev(rev)))
		if t.BillingGroup != "" {
			ops = append(ops, documents.Remove(billingThingsBucket, t.BillingGroup+"/"+name, store.Condition{}))
		}
		for _, g := range t.Groups {
			ops = append(ops, documents.Remove(groupThingsBucket, g+"/"+name, store.Condition{}))
		}
		e := r.newEvents()
		if err := e.left(ctx, t); err != nil {
			return err
		}
		e.retyped(t, t.Type, "")
		e.thing(deleted, t)
		return r.commitAndTell(e, ops...)
	})
}

func (r *Registry) loadThing(ctx context.Context, name string) (*Thing, uint64, error) {
	if err := thingName.check(name); err != nil {
		return nil, 0, err
	}
	t, rev, err := documents.Load[Thing](ctx, r.cfg.Store, thingsBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("thing", name, "list-things")
	}
	return t, rev, err
}

// merged gives the attributes after an update; an empty value in a merge removes the attribute.
func merged(old, update map[string]string, replace bool) map[string]string {
	if replace {
		return update
	}
	all := maps.Clone(old)
	if all == nil {
		all = map[string]string{}
	}
	for k, v := range update {
		if v == "" {
			delete(all, k)
		} else {
			all[k] = v
		}
	}
	return all
}

// applyType gives the thing the update's type, or none.
func (r *Registry) applyType(ctx context.Context, t *Thing, u ThingUpdate) error {
	if u.RemoveType {
		t.Type = ""
	}
	if u.Type == "" || u.Type == t.Type {
		return nil
	}
	t.Type = u.Type
	return r.checkType(ctx, u.Type)
}

func checkVersion(t *Thing, expected *int64) error {
	if expected == nil || *expected == t.Version {
		return nil
	}
	return otherVersion("thing", t.Name, t.Version, *expected)
}

func checkThingAttributes(attributes map[string]string, thingType string) error {
	if thingType == "" {
		return checkAttributes(attributes, maxAttributes, "a thing without a thing type")
	}
	return checkAttributes(attributes, maxTypedAttributes, "a thing")
}

func checkAttributes(attributes map[string]string, most int, whose string) error {
	if len(attributes) > most {
		return fault.New(fault.Invalid, "%d attributes, %s has at most %d", len(attributes), whose, most)
	}
	size := 0
	for k, v := range attributes {
		if err := attributeName.check(k); err != nil {
			return err
		}
		if err := attributeValue.check(v); err != nil {
			return err
		}
		size += len(k) + len(v)
	}
	if size > maxAttributeBytes {
		return fault.New(fault.Invalid, "the attributes have %d bytes, at most %d are allowed", size, maxAttributeBytes)
	}
	return nil
}

// retry does op again when another node changed what op had read. On one node the name locks prevent that.
func (r *Registry) retry(op func() error) error {
	const tries = 20
	var err error
	for range tries {
		err = op()
		// A version conflict is the caller's to solve; the store's own has no name below it.
		if !fault.Is(err, fault.Conflict) || hasName(err) {
			return err
		}
	}
	return fault.Wrap(fault.Unavailable, err, "too many changes of one document at once").WithRemedy("try again")
}
