package registry

import (
	"context"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// ThingFilter chooses things; all conditions that are set must hold.
type ThingFilter struct {
	AttributeName  string
	AttributeValue string
	ValuePrefix    bool // AttributeValue is the beginning of the value
	Type           string
}

// ListThings gives things, in the order of their names; those whose attribute begins with something are in the order of
// its values. Filters have indexes, so that a page costs the same however many things there are; with type and attribute
// together it may be short although more follow.
func (r *Registry) ListThings(ctx context.Context, f ThingFilter, p Page) (things []Thing, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	switch {
	case f.AttributeName != "":
		prefix := attributeKey(f.AttributeName, f.AttributeValue, "")
		if f.ValuePrefix {
			prefix = strings.TrimSuffix(prefix, " ")
		}
		return r.thingsOfIndex(ctx, attributeThingsBucket, prefix, " ", f, p)
	case f.Type != "":
		return r.thingsOfIndex(ctx, typeThingsBucket, f.Type+"/", "/", f, p)
	}
	return walk(ctx, r, thingsBucket, "", p, func(d store.Doc) (*Thing, error) { return documents.Decode[Thing](thingsBucket, d) })
}

// thingsOfIndex gives things that an index names at the ends of its keys, behind the last separator.
func (r *Registry) thingsOfIndex(ctx context.Context, bucket, prefix, separator string, f ThingFilter, p Page) (things []Thing, next string, err error) {
	return walk(ctx, r, bucket, prefix, p, func(d store.Doc) (*Thing, error) {
		t, _, err := r.loadThing(ctx, d.Key[strings.LastIndex(d.Key, separator)+1:])
		if fault.Is(err, fault.NotFound) || err == nil && !f.matches(t) {
			return nil, nil //nolint:nilnil // deleted or changed meanwhile, or of another type: nil is not taken
		}
		return t, err
	})
}

func (f ThingFilter) check() error {
	if (f.AttributeName == "") != (f.AttributeValue == "") {
		return fault.New(fault.Invalid, "attributeName and attributeValue go together")
	}
	if err := attributeName.checkIf(f.AttributeName); err != nil {
		return err
	}
	if err := attributeValue.check(f.AttributeValue); err != nil {
		return err
	}
	return typeName.checkIf(f.Type)
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

// attributeKey is the key of a thing in the index of attributes. Spaces part it, which none of the three may hold.
func attributeKey(name, value, thing string) string { return name + " " + value + " " + thing }

// attributed are the writes beside a thing's document when its attributes change from old to now; either may be empty.
func attributed(thing string, old, now map[string]string) (ops []store.DocOp) {
	for name, value := range old {
		if v, stays := now[name]; !stays || v != value {
			ops = append(ops, documents.Remove(attributeThingsBucket, attributeKey(name, value, thing), store.Condition{}))
		}
	}
	for name, value := range now {
		if v, was := old[name]; !was || v != value {
			ops = append(ops, documents.Mark(attributeThingsBucket, attributeKey(name, value, thing)))
		}
	}
	return ops
}

// attributesIndexed is in registry/meta when all things are in the index of attributes.
const attributesIndexed = "attribute-things"

// indexAttributes makes the index in a store that was written before there was one.
func (r *Registry) indexAttributes(ctx context.Context) error {
	_, err := r.cfg.Store.Get(ctx, metaBucket, attributesIndexed)
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	const atOnce = 1000
	var ops []store.DocOp
	for d, err := range r.cfg.Store.List(ctx, thingsBucket, "", "", 0) {
		if err != nil {
			return err
		}
		t, err := documents.Decode[Thing](thingsBucket, d)
		if err != nil {
			continue // whoever asks for it is told, and so is who checks the store
		}
		if ops = append(ops, attributed(t.Name, nil, t.Attributes)...); len(ops) >= atOnce {
			if err := documents.Commit(r.cfg.Store, ops...); err != nil {
				return err
			}
			ops = nil
		}
	}
	return documents.Commit(r.cfg.Store, append(ops, documents.Mark(metaBucket, attributesIndexed))...)
}
