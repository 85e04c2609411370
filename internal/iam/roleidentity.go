package iam

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// identifyRole makes the identity of a role's session from its token.
func (d *Directory) identifyRole(ctx context.Context, accessKeyID string, c *claims) (*Identity, error) {
	var bound *policy.Set
	if c.Policy != "" {
		document, err := policy.Parse([]byte(c.Policy), policy.IAM)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the policy of session %s cannot be read", c.Name)
		}
		bound = policy.Compile(policy.Source{Name: "policy of session " + c.Name, Document: document})
	}
	p, err := d.rolePrincipal(ctx, c.Role, c.RoleID)
	if err != nil {
		return nil, err
	}
	return d.roleIdentity(accessKeyID, p, c.Name, bound, c.issued(), c.expires()), nil
}

// roleAgain is Again for a role's session: with the role's policies as they are now.
func (d *Directory) roleAgain(ctx context.Context, id *Identity) (*Identity, error) {
	roleID, _, _ := strings.Cut(id.UserID, ":")
	p, err := d.rolePrincipal(ctx, id.Role, roleID)
	if err != nil {
		return nil, err
	}
	if err := d.checkExpiry(id); err != nil {
		return nil, err
	}
	return d.roleIdentity(id.AccessKeyID, p, id.session, id.bound, id.issued, id.Expires), nil
}

// rolePrincipal gives the role with a name and an id, from the cache if it is there.
func (d *Directory) rolePrincipal(ctx context.Context, name, roleID string) (*principal, error) {
	if p := d.cache.role(name); p != nil && p.id == roleID {
		return p, nil
	}
	clock := d.cache.now()
	r, _, err := d.loadRole(ctx, name)
	if fault.Is(err, fault.NotFound) || err == nil && r.ID != roleID {
		return nil, unknownKey("the role %s is gone", fault.Plain(name))
	}
	if err != nil {
		return nil, err
	}
	policies, err := r.Policies.compile("role " + r.Name)
	if err != nil {
		return nil, err
	}
	arn := d.RoleARN(r.Path, r.Name)
	p := &principal{name: r.Name, id: r.ID, arn: arn, policies: policies, vars: policy.Values{
		policy.Fold("aws:PrincipalArn"):     {arn},
		policy.Fold("aws:PrincipalAccount"): {d.cfg.Account},
		policy.Fold("aws:PrincipalType"):    {"AssumedRole"},
	}}
	for _, t := range r.Tags {
		p.vars[policy.Fold("aws:PrincipalTag/"+t.Key)] = []string{t.Value}
	}
	d.cache.keepRole(p, clock)
	return p, nil
}

// roleIdentity is a session of a role. aws:userid is ROLEID:SESSION, aws:PrincipalArn the role's ARN, and there is no
// aws:username (IAM user guide, "Where the principal's information comes from").
func (d *Directory) roleIdentity(accessKeyID string, p *principal, session string, bound *policy.Set, issued, expires time.Time) *Identity {
	userID := p.id + ":" + session
	vars := maps.Clone(p.vars)
	vars[policy.Fold("aws:userid")] = []string{userID}
	vars[policy.Fold("aws:TokenIssueTime")] = []string{issued.Format(time.RFC3339)}
	return &Identity{
		AccessKeyID: accessKeyID, Role: p.name, UserID: userID, ARN: d.sessionARN(p.name, session), Account: d.cfg.Account,
		Expires: expires, Policies: p.policies.Within(bound), Vars: vars, issued: issued, session: session, bound: bound,
	}
}
