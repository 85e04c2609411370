package registry

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

const (
	maxSearchable = 3
	// typeRest is how long a deprecated thing type waits for its deletion (AWS IoT developer guide, "Thing types").
	typeRest = 5 * time.Minute
)

// ThingType is one thing type. Things that have one may have more attributes, and policies can ask for its name.
type ThingType struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"` // a UUID
	Description string    `json:"description,omitempty"`
	Searchable  []string  `json:"searchable,omitempty"` // names of attributes
	Created     time.Time `json:"created"`
	Deprecated  time.Time `json:"deprecated,omitzero"` // zero while things may take it
}

// ThingTypeSpec is what a thing type is created from.
type ThingTypeSpec struct {
	Name        string
	Description string
	Searchable  []string
	Tags        []Tag
}

// ThingTypeUpdate changes a thing type.
type ThingTypeUpdate struct {
	Description *string  // nil leaves it alone
	Searchable  []string // nil leaves them alone
}

// CreateThingType creates a thing type. The same name with the same settings is no error and gives the type that is there.
func (r *Registry) CreateThingType(ctx context.Context, spec ThingTypeSpec) (*ThingType, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	t := &ThingType{
		Name: spec.Name, ID: uuid.NewString(), Description: spec.Description, Searchable: spec.Searchable, Created: r.now(),
	}
	defer r.names.hold([]string{typeLock(t.Name)}, nil)()
	resource := "thingtype/" + t.Name
	e := r.newEvents()
	e.thingType(created, t)
	err := r.commitAndTell(e, append(tagged(resource, spec.Tags), documents.Put(typesBucket, t.Name, t, documents.Absent))...)
	if !fault.Is(err, fault.Conflict) {
		return t, err
	}
	old, _, err := r.loadType(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	same, err := r.sameTags(ctx, resource, spec.Tags)
	if err != nil {
		return nil, err
	}
	if !same || old.Description != spec.Description || !slices.Equal(old.Searchable, spec.Searchable) {
		return nil, taken(old.ID, r.ARN(resource), "thing type %s exists with another configuration", old.Name)
	}
	return old, nil
}

func (spec ThingTypeSpec) check() error {
	if err := typeName.check(spec.Name); err != nil {
		return err
	}
	if err := checkNewTags(spec.Tags); err != nil {
		return err
	}
	return checkTypeProperties(spec.Description, spec.Searchable)
}

func checkTypeProperties(words string, searchable []string) error {
	if err := description.check(words); err != nil {
		return err
	}
	if len(searchable) > maxSearchable {
		return fault.New(fault.Invalid, "%d searchable attributes, at most %d are allowed", len(searchable), maxSearchable)
	}
	for _, name := range searchable {
		if err := attributeName.check(name); err != nil {
			return err
		}
	}
	return nil
}

// UpdateThingType changes what a thing type says of itself; its things stay as they are.
func (r *Registry) UpdateThingType(ctx context.Context, name string, u ThingTypeUpdate) error {
	return r.changeType(ctx, name, func(t *ThingType) (bool, error) {
		if u.Description != nil {
			t.Description = *u.Description
		}
		if u.Searchable != nil {
			t.Searchable = u.Searchable
		}
		return true, checkTypeProperties(t.Description, t.Searchable)
	})
}

// changeType rewrites a type's document, unless change says that nothing is to be changed.
func (r *Registry) changeType(ctx context.Context, name string, change func(t *ThingType) (bool, error)) error {
	defer r.names.hold([]string{typeLock(name)}, nil)()
	return r.retry(func() error {
		t, rev, err := r.loadType(ctx, name)
		if err != nil {
			return err
		}
		if changed, err := change(t); !changed || err != nil {
			return err
		}
		e := r.newEvents()
		e.thingType(updated, t)
		return r.commitAndTell(e, documents.Put(typesBucket, name, t, documents.AtRev(rev)))
	})
}

// DescribeThingType gives a thing type.
func (r *Registry) DescribeThingType(ctx context.Context, name string) (*ThingType, error) {
	t, _, err := r.loadType(ctx, name)
	return t, err
}

// ListThingTypes gives thing types in the order of their names, only the one with a name if that is not empty.
func (r *Registry) ListThingTypes(ctx context.Context, name string, p Page) (types []ThingType, next string, err error) {
	if err := typeName.checkIf(name); err != nil {
		return nil, "", err
	}
	return walk(ctx, r, typesBucket, name, p, func(d store.Doc) (*ThingType, error) {
		if name != "" && d.Key != name {
			return nil, nil //nolint:nilnil // nil is not taken
		}
		return documents.Decode[ThingType](typesBucket, d)
	})
}

// DeprecateThingType keeps a type from being taken by further things; undo allows it again.
func (r *Registry) DeprecateThingType(ctx context.Context, name string, undo bool) error {
	return r.changeType(ctx, name, func(t *ThingType) (bool, error) {
		if t.Deprecated.IsZero() == undo {
			return false, nil
		}
		t.Deprecated = time.Time{}
		if !undo {
			t.Deprecated = r.now()
		}
		return true, nil
	})
}

// DeleteThingType deletes a type that has been deprecated for five minutes and that no thing has.
func (r *Registry) DeleteThingType(ctx context.Context, name string) error {
	defer r.names.hold([]string{typeLock(name)}, nil)()
	return r.retry(func() error {
		t, rev, err := r.loadType(ctx, name)
		if err != nil {
			return err
		}
		if t.Deprecated.IsZero() {
			return fault.New(fault.Invalid, "thing type %s is not deprecated", name).
				WithRemedy("deprecate it, and delete it five minutes later: aws iot deprecate-thing-type --thing-type-name %s", name)
		}
		if rest := t.Deprecated.Add(typeRest).Sub(r.now()); rest > 0 {
			// Terraform tries again on these words alone.
			return fault.New(fault.Invalid, "thing type %s is deprecated too recently. Please wait for 5 minutes after deprecation and then retry", name).
				WithRemedy("try again in %s", rest.Round(time.Second))
		}
		free, err := r.isEmpty(ctx, typeThingsBucket, name+"/")
		if err != nil {
			return err
		}
		if !free {
			return fault.New(fault.Invalid, "thing type %s is the type of things", name).
				WithRemedy("change them first: aws iot list-things --thing-type-name %s", name)
		}
		e := r.newEvents()
		e.thingType(deleted, t)
		return r.commitAndTell(e, documents.Remove(typesBucket, name, documents.AtRev(rev)), untagged("thingtype/"+name))
	})
}

func (r *Registry) loadType(ctx context.Context, name string) (*ThingType, uint64, error) {
	if err := typeName.check(name); err != nil {
		return nil, 0, err
	}
	t, rev, err := documents.Load[ThingType](ctx, r.cfg.Store, typesBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("thing type", name, "list-thing-types")
	}
	return t, rev, err
}

// checkType refuses a type that a thing cannot take. Whoever asks holds the type's name.
func (r *Registry) checkType(ctx context.Context, name string) error {
	t, _, err := r.loadType(ctx, name)
	if err != nil {
		return err
	}
	if !t.Deprecated.IsZero() {
		return fault.New(fault.Invalid, "thing type %s is deprecated", name).
			WithRemedy("take another, or undo that: aws iot deprecate-thing-type --thing-type-name %s --undo-deprecate", name)
	}
	return nil
}

// retyped are the writes beside a thing's document when its type changes from old to now; either may be empty.
func retyped(thing, old, now string) []store.DocOp {
	var ops []store.DocOp
	if old == now {
		return nil
	}
	if old != "" {
		ops = append(ops, documents.Remove(typeThingsBucket, old+"/"+thing, store.Condition{}))
	}
	if now != "" {
		ops = append(ops, documents.Mark(typeThingsBucket, now+"/"+thing))
	}
	return ops
}
