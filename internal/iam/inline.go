package iam

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// How much all inline policies of a user or a role hold together, without white space: IAM quotas.
const (
	maxUserInline = 2048
	maxRoleInline = 10240
)

// Everything is the text of a policy that allows everything, which the user of the first start has.
const Everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// InlinePolicy is a policy that is part of its user or role.
type InlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"` // as it was given
}

// inlinePolicies are those of one user or role, in the order of their names.
type inlinePolicies []InlinePolicy

// put adds a policy, or replaces one of the same name. Owner is whose it is, in words.
func (ps *inlinePolicies) put(p InlinePolicy, most int, owner string) error {
	if err := checkPolicyName(p.Name); err != nil {
		return err
	}
	if err := checkDocument(p.Document, policy.IAM); err != nil {
		return err
	}
	if i, there := ps.find(p.Name); there {
		(*ps)[i] = p
	} else {
		*ps = slices.Insert(*ps, i, p)
	}
	size := 0
	for _, p := range *ps {
		size += length(p.Document)
	}
	if size > most {
		return refuse(fault.Throttled, ErrLimitExceeded, "Maximum policy size of %d bytes exceeded for %s", most, owner)
	}
	return nil
}

// checkDocument says in IAM's names what is wrong with a policy document.
func checkDocument(document string, kind policy.Kind) error {
	_, err := policy.Parse([]byte(document), kind)
	switch {
	case fault.Is(err, fault.TooLarge):
		return refuse(fault.Throttled, ErrLimitExceeded, "the policy document is refused: %v", err)
	case err != nil:
		return refuse(fault.Invalid, ErrMalformedPolicy, "the policy document is malformed: %v", err)
	}
	return nil
}

func (ps *inlinePolicies) remove(name, of string) error {
	if err := checkPolicyName(name); err != nil {
		return err
	}
	i, there := ps.find(name)
	if !there {
		return noPolicy(name, of)
	}
	*ps = slices.Delete(*ps, i, i+1)
	return nil
}

// get gives a policy; of says whose it is, user or role.
func (ps inlinePolicies) get(name, of string) (InlinePolicy, error) {
	if err := checkPolicyName(name); err != nil {
		return InlinePolicy{}, err
	}
	i, there := ps.find(name)
	if !there {
		return InlinePolicy{}, noPolicy(name, of)
	}
	return ps[i], nil
}

func (ps inlinePolicies) names() []string {
	names := make([]string, len(ps))
	for i := range ps {
		names[i] = ps[i].Name
	}
	return names
}

func noPolicy(name, of string) error {
	return refuse(fault.NotFound, ErrNoSuchEntity, "The %s policy with name %s cannot be found.", of, fault.Plain(name))
}

func (ps inlinePolicies) find(name string) (int, bool) {
	return slices.BinarySearchFunc(ps, name, func(p InlinePolicy, name string) int { return strings.Compare(p.Name, name) })
}

// compile puts policies together. A document that an older version of this program took and this one does not understand
// denies its owner everything, with words: a policy that is left out could have been one that denies.
func (ps inlinePolicies) compile(owner string) (*policy.Set, error) {
	sources := make([]policy.Source, len(ps))
	for i := range ps {
		document, err := policy.Parse([]byte(ps[i].Document), policy.IAM)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the policy %s of %s cannot be read", ps[i].Name, owner)
		}
		sources[i] = policy.Source{Name: ps[i].Name, Document: document}
	}
	return policy.Compile(sources...), nil
}

// length counts characters as IAM does.
func length(document string) int {
	n := 0
	for _, r := range document {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// PutUserPolicy gives a user an inline policy. One of the same name is replaced.
func (d *Directory) PutUserPolicy(ctx context.Context, user, name, document string) error {
	return d.change(ctx, func(c *Changes) error { return c.PutUserPolicy(user, name, document) })
}

// GetUserPolicy gives an inline policy.
func (d *Directory) GetUserPolicy(ctx context.Context, user, name string) (InlinePolicy, error) {
	u, _, err := d.loadUser(ctx, user)
	if err != nil {
		return InlinePolicy{}, err
	}
	return u.Policies.get(name, "user")
}

// ListUserPolicies gives the names of a user's inline policies in order.
func (d *Directory) ListUserPolicies(ctx context.Context, user string) ([]string, error) {
	u, _, err := d.loadUser(ctx, user)
	if err != nil {
		return nil, err
	}
	return u.Policies.names(), nil
}

// DeleteUserPolicy deletes an inline policy.
func (d *Directory) DeleteUserPolicy(ctx context.Context, user, name string) error {
	return d.change(ctx, func(c *Changes) error { return c.DeleteUserPolicy(user, name) })
}
