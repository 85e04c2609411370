package iam

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// User is who has access keys and inline policies.
type User struct {
	Name    string
	ID      string // AIDA…; another user of the same name has another one
	ARN     string
	Created time.Time
}

// Page asks for a part of a list: at most Limit entries behind After.
type Page struct {
	After string // "" is the beginning; else what the page before gave as next
	Limit int    // no limit when 0
}

func (d *Directory) user(u *userDoc) *User {
	return &User{Name: u.Name, ID: u.ID, ARN: d.UserARN(u.Name), Created: u.Created}
}

// CreateUser creates a user without keys and policies. Names are not distinguished by case.
func (d *Directory) CreateUser(ctx context.Context, name string) (*User, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkUserName(name); err != nil {
		return nil, err
	}
	u := d.newUser(name)
	err := documents.Commit(d.cfg.Store, documents.Put(usersBucket, userKey(name), u, documents.Absent))
	if fault.Is(err, fault.Conflict) {
		return nil, refuse(fault.Exists, ErrEntityAlreadyExists, "User with name %s already exists.", name)
	}
	if err != nil {
		return nil, err
	}
	return d.user(u), nil
}

func (d *Directory) newUser(name string) *userDoc {
	return &userDoc{Name: name, ID: newID(userPrefix), Created: d.now()}
}

// GetUser gives a user.
func (d *Directory) GetUser(ctx context.Context, name string) (*User, error) {
	u, _, err := d.loadUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.user(u), nil
}

// ListUsers gives users in the order of their names. next is "" when nothing follows.
func (d *Directory) ListUsers(ctx context.Context, p Page) (users []*User, next string, err error) {
	limit := 0
	if p.Limit > 0 {
		limit = p.Limit + 1 // one more, to know whether a page follows
	}
	for u, err := range documents.List[userDoc](ctx, d.cfg.Store, usersBucket, "", userKey(p.After), limit) {
		if err != nil {
			return nil, "", err
		}
		users = append(users, d.user(u))
	}
	if p.Limit > 0 && len(users) > p.Limit {
		users = users[:p.Limit]
		next = users[p.Limit-1].Name
	}
	return users, next, nil
}

// DeleteUser deletes a user that has neither keys nor policies.
func (d *Directory) DeleteUser(ctx context.Context, name string) error {
	return retry(func() error {
		u, rev, err := d.loadUser(ctx, name)
		if err != nil {
			return err
		}
		if len(u.Keys) > 0 {
			return refuse(fault.InUse, ErrDeleteConflict, "Cannot delete entity, must delete access keys first.")
		}
		if len(u.Policies) > 0 {
			return refuse(fault.InUse, ErrDeleteConflict, "Cannot delete entity, must delete policies first.")
		}
		return documents.Commit(d.cfg.Store, documents.Remove(usersBucket, userKey(name), documents.AtRev(rev)))
	})
}

func (d *Directory) loadUser(ctx context.Context, name string) (*userDoc, uint64, error) {
	if err := checkUserName(name); err != nil {
		return nil, 0, err
	}
	u, rev, err := documents.Load[userDoc](ctx, d.cfg.Store, usersBucket, userKey(name))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, noUser(name)
	}
	return u, rev, err
}

// changeUser rewrites a user's document, together with what change asks for, under the revision that it read.
func (d *Directory) changeUser(ctx context.Context, name string, change func(u *userDoc) ([]store.DocOp, error)) error {
	return retry(func() error {
		u, rev, err := d.loadUser(ctx, name)
		if err != nil {
			return err
		}
		more, err := change(u)
		if err != nil {
			return err
		}
		return documents.Commit(d.cfg.Store, append(more, documents.Put(usersBucket, userKey(name), u, documents.AtRev(rev)))...)
	})
}
