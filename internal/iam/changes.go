package iam

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Changes are changes of roles, and of users' inline policies, that become durable together: each sees those before it,
// and Ops is all of them, for one store.Commit. It belongs to one goroutine and one try.
type Changes struct {
	d     *Directory
	ctx   context.Context //nolint:containedctx // Changes live as long as one call
	roles map[string]*draft[roleDoc]
	users map[string]*draft[userDoc]
}

// draft is a document as it will be.
type draft[T any] struct {
	doc     *T     // nil when it is not there
	rev     uint64 // that was read; 0 when it was not there
	changed bool
}

// Begin begins changes that the caller commits, with changes of its own: the commit is to be tried again from Begin when
// it answers fault.Conflict.
func (d *Directory) Begin(ctx context.Context) *Changes {
	return &Changes{d: d, ctx: ctx, roles: map[string]*draft[roleDoc]{}, users: map[string]*draft[userDoc]{}}
}

// change makes changes durable, and makes them again when somebody else changed the same documents.
func (d *Directory) change(ctx context.Context, fn func(*Changes) error) error {
	return retry(func() error {
		c := d.Begin(ctx)
		if err := fn(c); err != nil {
			return err
		}
		return documents.Commit(d.cfg.Store, c.Ops()...)
	})
}

// Ops are the changes as the store takes them: all or nothing, and nothing when somebody else was faster.
func (c *Changes) Ops() []store.DocOp {
	return append(opsOf(rolesBucket, c.roles), opsOf(usersBucket, c.users)...)
}

func opsOf[T any](bucket string, drafts map[string]*draft[T]) []store.DocOp {
	var ops []store.DocOp
	for _, key := range slices.Sorted(maps.Keys(drafts)) {
		switch d := drafts[key]; {
		case !d.changed, d.doc == nil && d.rev == 0:
		case d.doc == nil:
			ops = append(ops, documents.Remove(bucket, key, documents.AtRev(d.rev)))
		case d.rev == 0:
			ops = append(ops, documents.Put(bucket, key, d.doc, documents.Absent))
		default:
			ops = append(ops, documents.Put(bucket, key, d.doc, documents.AtRev(d.rev)))
		}
	}
	return ops
}

// draftOf reads a document once. What is not there is an empty draft.
func draftOf[T any](drafts map[string]*draft[T], key string, load func() (*T, uint64, error)) (*draft[T], error) {
	if d := drafts[key]; d != nil {
		return d, nil
	}
	doc, rev, err := load()
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	d := &draft[T]{doc: doc, rev: rev}
	drafts[key] = d
	return d, nil
}

func (c *Changes) draftRole(name string) (*draft[roleDoc], error) {
	return draftOf(c.roles, roleKey(name), func() (*roleDoc, uint64, error) { return c.d.loadRole(c.ctx, name) })
}

// changeRole gives the document of a role to be changed.
func (c *Changes) changeRole(name string) (*roleDoc, error) {
	d, err := c.draftRole(name)
	if err != nil {
		return nil, err
	}
	if d.doc == nil {
		return nil, noRole(name)
	}
	d.changed = true
	return d.doc, nil
}

func (c *Changes) draftUser(name string) (*draft[userDoc], error) {
	return draftOf(c.users, userKey(name), func() (*userDoc, uint64, error) { return c.d.loadUser(c.ctx, name) })
}

// User gives a user.
func (c *Changes) User(name string) (*User, error) {
	d, err := c.draftUser(name)
	if err != nil {
		return nil, err
	}
	if d.doc == nil {
		return nil, noUser(name)
	}
	return c.d.user(d.doc), nil
}

func (c *Changes) changeUser(name string) (*userDoc, error) {
	d, err := c.draftUser(name)
	if err != nil {
		return nil, err
	}
	if d.doc == nil {
		return nil, noUser(name)
	}
	d.changed = true
	return d.doc, nil
}

// Role gives a role as it will be.
func (c *Changes) Role(name string) (*Role, error) {
	d, err := c.draftRole(name)
	if err != nil {
		return nil, err
	}
	if d.doc == nil {
		return nil, noRole(name)
	}
	return c.d.role(d.doc), nil
}

// CreateRole is Directory.CreateRole.
func (c *Changes) CreateRole(n NewRole) (*Role, error) {
	if n.Path == "" {
		n.Path = "/"
	}
	if n.MaxSession == 0 {
		n.MaxSession = DefaultRoleSession
	}
	for _, err := range []error{
		checkRoleName(n.Name), checkPath(n.Path), checkDescription(n.Description), checkMaxSession(n.MaxSession), checkTrust(n.Trust),
	} {
		if err != nil {
			return nil, err
		}
	}
	tags, err := withTags(nil, n.Tags)
	if err != nil {
		return nil, err
	}
	d, err := c.draftRole(n.Name)
	if err != nil {
		return nil, err
	}
	if d.doc != nil {
		return nil, refuse(fault.Exists, ErrEntityAlreadyExists, "Role with name %s already exists.", n.Name)
	}
	d.changed = true
	d.doc = &roleDoc{
		Name: n.Name, Path: n.Path, ID: newID(rolePrefix), Created: c.d.now(), Description: n.Description, Trust: n.Trust,
		MaxSession: int(n.MaxSession / time.Second), Tags: tags,
	}
	return c.d.role(d.doc), nil
}

// UpdateRole is Directory.UpdateRole.
func (c *Changes) UpdateRole(name string, description *string, maxSession time.Duration) error {
	if err := checkMaxSession(maxSession); err != nil {
		return err
	}
	r, err := c.changeRole(name)
	if err != nil {
		return err
	}
	if description != nil {
		r.Description = *description
	}
	if maxSession != 0 {
		r.MaxSession = int(maxSession / time.Second)
	}
	return checkDescription(r.Description)
}

// SetTrust is Directory.SetTrust.
func (c *Changes) SetTrust(name, trust string) error {
	r, err := c.changeRole(name)
	if err != nil {
		return err
	}
	r.Trust = trust
	return checkTrust(trust)
}

// TagRole is Directory.TagRole.
func (c *Changes) TagRole(name string, tags []Tag) error {
	r, err := c.changeRole(name)
	if err != nil {
		return err
	}
	r.Tags, err = withTags(r.Tags, tags)
	return err
}

// SetTags replaces all tags of a role.
func (c *Changes) SetTags(name string, tags []Tag) error {
	r, err := c.changeRole(name)
	if err != nil {
		return err
	}
	r.Tags, err = withTags(nil, tags)
	return err
}

// DeleteRole is Directory.DeleteRole.
func (c *Changes) DeleteRole(name string) error {
	r, err := c.changeRole(name)
	if err != nil {
		return err
	}
	if len(r.Policies) > 0 {
		return refuse(fault.InUse, ErrDeleteConflict, "Cannot delete entity, must delete policies first.")
	}
	c.roles[roleKey(name)].doc = nil
	return nil
}

// PutRolePolicy is Directory.PutRolePolicy.
func (c *Changes) PutRolePolicy(role, name, document string) error {
	r, err := c.changeRole(role)
	if err != nil {
		return err
	}
	return r.Policies.put(InlinePolicy{name, document}, maxRoleInline, "role "+r.Name)
}

// DeleteRolePolicy is Directory.DeleteRolePolicy.
func (c *Changes) DeleteRolePolicy(role, name string) error {
	r, err := c.changeRole(role)
	if err != nil {
		return err
	}
	return r.Policies.remove(name, "role")
}

// PutUserPolicy is Directory.PutUserPolicy.
func (c *Changes) PutUserPolicy(user, name, document string) error {
	u, err := c.changeUser(user)
	if err != nil {
		return err
	}
	return u.Policies.put(InlinePolicy{name, document}, maxUserInline, "user "+u.Name)
}

// DeleteUserPolicy is Directory.DeleteUserPolicy.
func (c *Changes) DeleteUserPolicy(user, name string) error {
	u, err := c.changeUser(user)
	if err != nil {
		return err
	}
	return u.Policies.remove(name, "user")
}
