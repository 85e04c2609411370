package iam

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// How long a session of a role may last at most, which each role says for itself: IAM API reference, CreateRole.
const (
	MinRoleSession     = time.Hour // the least that a role may say
	MaxRoleSession     = 12 * time.Hour
	DefaultRoleSession = time.Hour
)

// maxDescription is the longest description of a role, in characters.
const maxDescription = 1000

// Role is who has policies and no keys: sessions take it (AssumeRole), if its trust policy lets them.
type Role struct {
	Name, Path, ID, ARN string // the id is AROA…; another role of the same name has another one
	Created             time.Time
	Description         string
	Trust               string        // the trust policy as it was given
	MaxSession          time.Duration // how long a session may last
	Tags                []Tag         // in the order of their keys
}

// NewRole is what a role begins with.
type NewRole struct {
	Name        string
	Path        string // "/" when empty
	Description string
	Trust       string        // a trust policy, which says who may assume it
	MaxSession  time.Duration // DefaultRoleSession when 0
	Tags        []Tag
}

func (d *Directory) role(r *roleDoc) *Role {
	return &Role{
		Name: r.Name, Path: r.Path, ID: r.ID, ARN: d.RoleARN(r.Path, r.Name), Created: r.Created, Description: r.Description,
		Trust: r.Trust, MaxSession: time.Duration(r.MaxSession) * time.Second, Tags: r.Tags,
	}
}

// CreateRole creates a role without inline policies. Names are not distinguished by case.
func (d *Directory) CreateRole(ctx context.Context, n NewRole) (role *Role, err error) {
	err = d.change(ctx, func(c *Changes) error {
		role, err = c.CreateRole(n)
		return err
	})
	return role, err
}

// GetRole gives a role.
func (d *Directory) GetRole(ctx context.Context, name string) (*Role, error) {
	r, _, err := d.loadRole(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.role(r), nil
}

// ListRoles gives the roles whose path begins with a prefix in the order of their names. next is "" when nothing follows.
func (d *Directory) ListRoles(ctx context.Context, pathPrefix string, p Page) (roles []*Role, next string, err error) {
	for r, err := range documents.List[roleDoc](ctx, d.cfg.Store, rolesBucket, "", roleKey(p.After), 0) {
		if err != nil {
			return nil, "", err
		}
		if len(r.Path) < len(pathPrefix) || r.Path[:len(pathPrefix)] != pathPrefix {
			continue
		}
		if p.Limit > 0 && len(roles) == p.Limit {
			return roles, roles[p.Limit-1].Name, nil
		}
		roles = append(roles, d.role(r))
	}
	return roles, "", nil
}

// UpdateRole changes what is given of a role, for all sessions that begin afterwards.
func (d *Directory) UpdateRole(ctx context.Context, name string, description *string, maxSession time.Duration) error {
	return d.change(ctx, func(c *Changes) error { return c.UpdateRole(name, description, maxSession) })
}

// SetTrust replaces the trust policy of a role. Sessions that are there go on, as on AWS.
func (d *Directory) SetTrust(ctx context.Context, name, trust string) error {
	return d.change(ctx, func(c *Changes) error { return c.SetTrust(name, trust) })
}

// DeleteRole deletes a role that has no policies. Its sessions end.
func (d *Directory) DeleteRole(ctx context.Context, name string) error {
	return d.change(ctx, func(c *Changes) error { return c.DeleteRole(name) })
}

// PutRolePolicy gives a role an inline policy. One of the same name is replaced.
func (d *Directory) PutRolePolicy(ctx context.Context, role, name, document string) error {
	return d.change(ctx, func(c *Changes) error { return c.PutRolePolicy(role, name, document) })
}

// GetRolePolicy gives an inline policy.
func (d *Directory) GetRolePolicy(ctx context.Context, role, name string) (InlinePolicy, error) {
	r, _, err := d.loadRole(ctx, role)
	if err != nil {
		return InlinePolicy{}, err
	}
	return r.Policies.get(name, "role")
}

// ListRolePolicies gives the names of a role's inline policies in order.
func (d *Directory) ListRolePolicies(ctx context.Context, role string) ([]string, error) {
	r, _, err := d.loadRole(ctx, role)
	if err != nil {
		return nil, err
	}
	return r.Policies.names(), nil
}

// DeleteRolePolicy deletes an inline policy.
func (d *Directory) DeleteRolePolicy(ctx context.Context, role, name string) error {
	return d.change(ctx, func(c *Changes) error { return c.DeleteRolePolicy(role, name) })
}

func (d *Directory) loadRole(ctx context.Context, name string) (*roleDoc, uint64, error) {
	if err := checkRoleName(name); err != nil {
		return nil, 0, err
	}
	r, rev, err := documents.Load[roleDoc](ctx, d.cfg.Store, rolesBucket, roleKey(name))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, noRole(name)
	}
	return r, rev, err
}

// trust is the compiled trust policy.
func (r *roleDoc) trust() (*policy.Set, error) {
	document, err := policy.Parse([]byte(r.Trust), policy.Trust)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the trust policy of role %s cannot be read", r.Name)
	}
	return policy.Compile(policy.Source{Name: "trust policy of " + r.Name, Document: document}), nil
}

// checkMaxSession takes 0 for DefaultRoleSession.
func checkMaxSession(d time.Duration) error {
	if d != 0 && (d < MinRoleSession || d > MaxRoleSession) {
		return refuse(fault.Invalid, ErrValidation, "maxSessionDuration must be from %d to %d, not %d",
			MinRoleSession/time.Second, MaxRoleSession/time.Second, d/time.Second)
	}
	return nil
}

func checkDescription(text string) error {
	n := 0
	for _, r := range text {
		if !isDescriptionRune(r) {
			return refuse(fault.Invalid, ErrValidation, "description has the character %q, which is none of Latin text", r)
		}
		n++
	}
	if n > maxDescription {
		return refuse(fault.Invalid, ErrValidation, "description has %d characters, %d are allowed", n, maxDescription)
	}
	return nil
}

// isDescriptionRune is the pattern of IAM API reference, CreateRole, Description.
func isDescriptionRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || ' ' <= r && r <= '~' || 0xA1 <= r && r <= 0xFF
}

func checkTrust(document string) error {
	err := checkDocument(document, policy.Trust)
	if fault.Is(err, fault.Throttled) {
		return refuse(fault.Throttled, ErrLimitExceeded, "Cannot exceed quota for ACLSizePerRole: 2048")
	}
	return err
}
