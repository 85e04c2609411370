package iam

import (
	"context"
	"slices"
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Check reads all documents of a directory of keys and says in words what it could not work with. With the store's key
// it also opens each secret; a zero Key leaves that out. An error is one of reading.
func Check(ctx context.Context, s store.Docs, key Key) (problems []string, err error) {
	c := checker{Checker: documents.Checker{Context: ctx, Store: s}, users: map[string]*userDoc{}}
	if err := c.format(); err != nil {
		return nil, err
	}
	if err := c.allUsers(); err != nil {
		return nil, err
	}
	if err := c.allKeys(key); err != nil {
		return nil, err
	}
	if err := c.allRoles(); err != nil {
		return nil, err
	}
	return c.Problems, nil
}

type checker struct {
	documents.Checker
	users map[string]*userDoc // by id
}

// format accepts a store in which no directory was ever opened.
func (c *checker) format() error {
	d, err := c.Store.Get(c.Context, metaBucket, formatKey)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err == nil && string(d.Value) != strconv.Itoa(format):
		c.Problem("the access keys have format %s, this thingwire knows format %d", fault.Plain(string(d.Value)), format)
	}
	return err
}

func (c *checker) allUsers() error {
	for d, err := range c.Store.List(c.Context, usersBucket, "", "", 0) {
		if err != nil {
			return err
		}
		u, err := documents.Decode[userDoc](usersBucket, d)
		if err != nil {
			c.Problem("%s", err)
			continue
		}
		if userKey(u.Name) != d.Key {
			c.Problem("user %s says that it is %s", fault.Plain(d.Key), fault.Plain(u.Name))
		}
		c.users[u.ID] = u
	}
	return nil
}

// allRoles reads roles as a session would, which is refused everything by a policy that cannot be read.
func (c *checker) allRoles() error {
	return c.Each(rolesBucket, func(d store.Doc) {
		r, err := documents.Decode[roleDoc](rolesBucket, d)
		if err != nil {
			c.Problem("%s", err)
			return
		}
		if roleKey(r.Name) != d.Key {
			c.Problem("role %s says that it is %s", fault.Plain(d.Key), fault.Plain(r.Name))
		}
		if _, err := r.trust(); err != nil {
			c.Problem("%s", err)
		}
		if _, err := r.Policies.compile("role " + fault.Plain(r.Name)); err != nil {
			c.Problem("%s", err)
		}
	})
}

func (c *checker) allKeys(key Key) error {
	secrets, err := sealFor(&key, "secrets")
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for d, err := range c.Store.List(c.Context, keysBucket, "", "", 0) {
		if err != nil {
			return err
		}
		k, err := documents.Decode[keyDoc](keysBucket, d)
		if err != nil {
			c.Problem("%s", err)
			continue
		}
		found[k.ID] = true
		if u := c.users[k.UserID]; u == nil || !slices.Contains(u.Keys, k.ID) {
			c.Problem("access key %s belongs to user %s, who does not have it", fault.Plain(k.ID), fault.Plain(k.User))
		}
		if key == (Key{}) {
			continue
		}
		if _, err := secrets.open(k.Sealed, k.belongsTo()); err != nil {
			c.Problem("the secret of access key %s cannot be opened: %s", fault.Plain(k.ID), err)
		}
	}
	for _, u := range c.users {
		for _, id := range u.Keys {
			if !found[id] {
				c.Problem("user %s has access key %s, which is not there", fault.Plain(u.Name), fault.Plain(id))
			}
		}
	}
	return nil
}

// ReadKeyFile reads the key of a file that is there.
func ReadKeyFile(file string) (Key, error) { return readKeyFile(file) }
