package cloudformation

import (
	"context"
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Check reads all documents of stacks and says in words what it could not work with. An error is one of reading.
func Check(ctx context.Context, s store.Docs) (problems []string, err error) {
	c := verifier{Checker: documents.Checker{Context: ctx, Store: s}, ids: map[string]string{}}
	for _, look := range []func() error{c.format, c.stacks, c.gone, c.below} {
		if err := look(); err != nil {
			return nil, err
		}
	}
	return c.Problems, nil
}

type verifier struct {
	documents.Checker
	ids map[string]string // the names of stacks, by their UUIDs; "" for those that are gone
}

// format accepts a store in which no stack was ever made.
func (c *verifier) format() error {
	d, err := c.Store.Get(c.Context, metaBucket, formatKey)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil && string(d.Value) != strconv.Itoa(format) {
		c.Problem("the stacks have format %s, this thingwire knows format %d", fault.Plain(string(d.Value)), format)
	}
	return err
}

func (c *verifier) stacks() error {
	return c.Each(stacksBucket, func(d store.Doc) {
		st, err := documents.Decode[Stack](stacksBucket, d)
		if err != nil {
			c.Problem("%s", err)
			return
		}
		if st.Name != d.Key {
			c.Problem("stack %s says that it is %s", fault.Plain(d.Key), fault.Plain(st.Name))
		}
		c.ids[uuidOf(st.ID)] = st.Name
		if st.Template != "" {
			if _, err := ParseTemplate(st.Template); err != nil {
				c.Problem("the template of stack %s cannot be read: %s", fault.Plain(st.Name), err)
			}
		}
		for _, r := range st.Resources {
			if _, err := readJSON([]byte(r.Properties)); err != nil || resourceTypes[r.Type] == nil {
				c.Problem("resource %s of stack %s is a %s that cannot be read", fault.Plain(r.LogicalID), fault.Plain(st.Name), fault.Plain(r.Type))
			}
		}
	})
}

func (c *verifier) gone() error {
	return c.Each(goneBucket, func(d store.Doc) {
		if _, err := documents.Decode[Stack](goneBucket, d); err != nil {
			c.Problem("%s", err)
		}
		c.ids[d.Key] = ""
	})
}

// below looks at what belongs to stacks.
func (c *verifier) below() error {
	if err := c.Each(idsBucket, func(d store.Doc) {
		id, err := documents.Decode[idDoc](idsBucket, d)
		if err != nil {
			c.Problem("%s", err)
		} else if c.ids[d.Key] != id.Name {
			c.Problem("the id %s leads to stack %s, which has another one", fault.Plain(d.Key), fault.Plain(id.Name))
		}
	}); err != nil {
		return err
	}
	for bucket, decode := range map[string]func(store.Doc) error{
		eventsBucket: func(d store.Doc) error { _, err := documents.Decode[Event](eventsBucket, d); return err },
		setsBucket:   func(d store.Doc) error { _, err := documents.Decode[ChangeSet](setsBucket, d); return err },
	} {
		if err := c.Each(bucket, func(d store.Doc) {
			if err := decode(d); err != nil {
				c.Problem("%s", err)
			}
			if owner := d.Key[:min(len(d.Key), 36)]; !known(c.ids, owner) {
				c.Problem("%s of %s belongs to no stack", fault.Plain(d.Key), bucket)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

func known(ids map[string]string, id string) bool {
	_, ok := ids[id]
	return ok
}
