package iam

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
)

// maxInline is how much all inline policies of a user hold together, without white space: IAM quotas.
const maxInline = 2048

// Everything is the text of a policy that allows everything, which the user of the first start has.
const Everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// InlinePolicy is a policy that is part of its user.
type InlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"` // as it was given
}

// PutUserPolicy gives a user an inline policy. One of the same name is replaced.
func (d *Directory) PutUserPolicy(ctx context.Context, user, name, document string) error {
	if err := checkPolicyName(name); err != nil {
		return err
	}
	if _, err := policy.Parse([]byte(document), policy.IAM); err != nil {
		if fault.Is(err, fault.TooLarge) {
			return refuse(fault.Throttled, ErrLimitExceeded, "the policy document is refused: %v", err)
		}
		return refuse(fault.Invalid, ErrMalformedPolicy, "the policy document is malformed: %v", err)
	}
	return d.changeUser(ctx, user, func(u *userDoc) ([]store.DocOp, error) {
		p := InlinePolicy{Name: name, Document: document}
		if i, there := u.findPolicy(name); there {
			u.Policies[i] = p
		} else {
			u.Policies = slices.Insert(u.Policies, i, p)
		}
		size := 0
		for i := range u.Policies {
			size += length(u.Policies[i].Document)
		}
		if size > maxInline {
			return nil, refuse(fault.Throttled, ErrLimitExceeded, "Maximum policy size of %d bytes exceeded for user %s", maxInline, u.Name)
		}
		return nil, nil
	})
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

// GetUserPolicy gives an inline policy.
func (d *Directory) GetUserPolicy(ctx context.Context, user, name string) (InlinePolicy, error) {
	if err := checkPolicyName(name); err != nil {
		return InlinePolicy{}, err
	}
	u, _, err := d.loadUser(ctx, user)
	if err != nil {
		return InlinePolicy{}, err
	}
	i, there := u.findPolicy(name)
	if !there {
		return InlinePolicy{}, noPolicy(name)
	}
	return u.Policies[i], nil
}

// ListUserPolicies gives the names of a user's inline policies in order.
func (d *Directory) ListUserPolicies(ctx context.Context, user string) ([]string, error) {
	u, _, err := d.loadUser(ctx, user)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(u.Policies))
	for i := range u.Policies {
		names[i] = u.Policies[i].Name
	}
	return names, nil
}

// DeleteUserPolicy deletes an inline policy.
func (d *Directory) DeleteUserPolicy(ctx context.Context, user, name string) error {
	if err := checkPolicyName(name); err != nil {
		return err
	}
	return d.changeUser(ctx, user, func(u *userDoc) ([]store.DocOp, error) {
		i, there := u.findPolicy(name)
		if !there {
			return nil, noPolicy(name)
		}
		u.Policies = slices.Delete(u.Policies, i, i+1)
		return nil, nil
	})
}

func noPolicy(name string) error {
	return refuse(fault.NotFound, ErrNoSuchEntity, "The user policy with name %s cannot be found.", plain(name))
}

func (u *userDoc) findPolicy(name string) (int, bool) {
	return slices.BinarySearchFunc(u.Policies, name, func(p InlinePolicy, name string) int { return strings.Compare(p.Name, name) })
}

// compile puts a user's policies together. A document that an older version of this program took and this one does not
// understand denies the user everything, with words: a policy that is left out could have been one that denies.
func (u *userDoc) compile() (*policy.Set, error) {
	sources := make([]policy.Source, len(u.Policies))
	for i := range u.Policies {
		document, err := policy.Parse([]byte(u.Policies[i].Document), policy.IAM)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the policy %s of user %s cannot be read", u.Policies[i].Name, u.Name)
		}
		sources[i] = policy.Source{Name: u.Policies[i].Name, Document: document}
	}
	return policy.Compile(sources...), nil
}
