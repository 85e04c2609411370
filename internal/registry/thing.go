package registry

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
)

// Quotas of things: AWS IoT Core quotas, "thing registry".
const (
	maxAttributes     = 3 // without a thing type
	maxAttributeBytes = 47 << 10
)

// Thing is one entry of the thing registry.
type Thing struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"` // a UUID; another one when the name is taken again after a delete
	Type       string            `json:"type,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Version    int64             `json:"version"` // 1, and one more with each update
	Created    time.Time         `json:"created"`
}

// ThingSpec is what a thing is created from.
type ThingSpec struct {
	Name       string
	Type       string // thing types are not there yet: must be empty
	Attributes map[string]string
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
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	defer r.names.hold([]string{thingLock(spec.Name)}, nil)()
	t := &Thing{
		Name: spec.Name, ID: uuid.NewString(), Type: spec.Type, Attributes: spec.Attributes, Version: 1, Created: r.now(),
	}
	err := r.commit(put(thingsBucket, t.Name, t, absent))
	if !fault.Is(err, fault.Conflict) {
		return t, err
	}
	old, err := r.DescribeThing(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	if old.Type != spec.Type || !maps.Equal(old.Attributes, spec.Attributes) {
		return nil, taken(old.ID, r.ARN("thing/"+old.Name), "thing %s exists with another configuration", old.Name).
			WithRemedy("update it, or take another name")
	}
	return old, nil
}

// DescribeThing gives a thing.
func (r *Registry) DescribeThing(ctx context.Context, name string) (*Thing, error) {
	t, _, err := r.loadThing(ctx, name)
	return t, err
}

// UpdateThing changes a thing and counts its version up.
func (r *Registry) UpdateThing(ctx context.Context, name string, u ThingUpdate) error {
	if err := checkUpdate(u); err != nil {
		return err
	}
	defer r.names.hold([]string{thingLock(name)}, nil)()
	return r.retry(func() error {
		t, rev, err := r.loadThing(ctx, name)
		if err != nil {
			return err
		}
		if err := checkVersion(t, u.ExpectedVersion); err != nil {
			return err
		}
		t.Attributes = u.apply(t.Attributes)
		if err := checkAttributes(t.Attributes); err != nil {
			return err
		}
		t.Version++
		return r.commit(put(thingsBucket, name, t, atRev(rev)))
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
		return r.commit(remove(thingsBucket, name, atRev(rev)))
	})
}

// ThingFilter chooses things; all conditions that are set must hold.
type ThingFilter struct {
	AttributeName  string
	AttributeValue string
	ValuePrefix    bool // AttributeValue is the beginning of the value
	Type           string
}

// ListThings gives things in the order of their names.
func (r *Registry) ListThings(ctx context.Context, f ThingFilter, p Page) (things []Thing, next string, err error) {
	if (f.AttributeName == "") != (f.AttributeValue == "") {
		return nil, "", fault.New(fault.Invalid, "attributeName and attributeValue go together")
	}
	for d, err := range r.cfg.Store.List(ctx, thingsBucket, "", p.After, 0) {
		if err != nil {
			return nil, "", err
		}
		t, err := decode[Thing](thingsBucket, d)
		if err != nil {
			return nil, "", err
		}
		if !f.matches(t) {
			continue
		}
		if p.Limit > 0 && len(things) == p.Limit {
			return things, things[len(things)-1].Name, nil
		}
		things = append(things, *t)
	}
	return things, "", nil
}

func (f ThingFilter) matches(t *Thing) bool {
	if f.Type != "" && t.Type != f.Type {
		return false
	}
	if f.AttributeName == "" {
		return true
	}
	v, ok := t.Attributes[f.AttributeName]
	if f.ValuePrefix {
		return ok && strings.HasPrefix(v, f.AttributeValue)
	}
	return ok && v == f.AttributeValue
}

func (r *Registry) loadThing(ctx context.Context, name string) (*Thing, uint64, error) {
	if err := thingName.check(name); err != nil {
		return nil, 0, err
	}
	t, rev, err := load[Thing](ctx, r.cfg.Store, thingsBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, fault.New(fault.NotFound, "thing %s not found", name)
	}
	return t, rev, err
}

// apply gives the attributes after the update; an empty value in a merge removes the attribute.
func (u ThingUpdate) apply(old map[string]string) map[string]string {
	if u.Replace {
		return u.Attributes
	}
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]string{}
	}
	for k, v := range u.Attributes {
		if v == "" {
			delete(merged, k)
		} else {
			merged[k] = v
		}
	}
	return merged
}

func checkSpec(spec ThingSpec) error {
	if err := thingName.check(spec.Name); err != nil {
		return err
	}
	if spec.Type != "" {
		return noThingTypes()
	}
	return checkAttributes(spec.Attributes)
}

func checkUpdate(u ThingUpdate) error {
	if u.Type != "" && u.RemoveType {
		return fault.New(fault.Invalid, "thingTypeName and removeThingType cannot both be given")
	}
	if u.Type != "" {
		return noThingTypes()
	}
	return nil // removeThingType of a thing without a type changes nothing
}

func noThingTypes() error {
	return fault.New(fault.Unsupported, "thing types are not implemented by Thingwire").
		WithRemedy("leave thingTypeName out; see docs/compatibility.md")
}

func checkVersion(t *Thing, expected *int64) error {
	if expected == nil || *expected == t.Version {
		return nil
	}
	return refuse(fault.Conflict, ErrVersionConflict, "thing %s has version %d, not the expected %d", t.Name, t.Version, *expected)
}

func checkAttributes(attributes map[string]string) error {
	if len(attributes) > maxAttributes {
		return fault.New(fault.Invalid, "%d attributes, a thing without a thing type has at most %d", len(attributes), maxAttributes)
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
