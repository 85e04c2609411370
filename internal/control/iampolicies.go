package control

import "context"

const (
	longestPolicyName     = 128
	longestPolicyDocument = 131072
)

func (c *queryCall) policyName() (string, error) {
	return c.form.required("PolicyName", longestPolicyName)
}

func putUserPolicy(c *queryCall) (any, error) {
	return c.putPolicy(c.keys().PutUserPolicy, c.user)
}

// putPolicy gives an inline policy to a user or a role.
func (c *queryCall) putPolicy(put func(_ context.Context, owner, name, document string) error, owner string) (any, error) {
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	document, err := c.form.required("PolicyDocument", longestPolicyDocument)
	if err != nil {
		return nil, err
	}
	return nil, put(c.Context(), owner, name, document)
}

func getUserPolicy(c *queryCall) (any, error) {
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	p, err := c.keys().GetUserPolicy(c.Context(), c.user, name)
	if err != nil {
		return nil, err
	}
	return struct {
		UserName       string
		PolicyName     string
		PolicyDocument string
	}{c.user, p.Name, escaped(p.Document)}, nil
}

func listUserPolicies(c *queryCall) (any, error) {
	return c.listPolicyNames(c.keys().ListUserPolicies, c.user)
}

// listPolicyNames answers with the names of the inline policies of a user or a role.
func (c *queryCall) listPolicyNames(list func(context.Context, string) ([]string, error), owner string) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	names, err := list(c.Context(), owner)
	if err != nil {
		return nil, err
	}
	names, next := cut(names, page, func(name string) string { return name })
	return struct {
		PolicyNames xmlList[string]
		pageResult
	}{xmlList[string]{names}, c.pageResult(next)}, nil
}

func deleteUserPolicy(c *queryCall) (any, error) {
	return c.deletePolicy(c.keys().DeleteUserPolicy, c.user)
}

// deletePolicy takes an inline policy from a user or a role.
func (c *queryCall) deletePolicy(remove func(_ context.Context, owner, name string) error, owner string) (any, error) {
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	return nil, remove(c.Context(), owner, name)
}
