package control

import (
	"net/url"
	"strings"
)

const (
	longestPolicyName     = 128
	longestPolicyDocument = 131072
)

func (c *queryCall) policyName() (string, error) {
	return c.form.required("PolicyName", longestPolicyName)
}

func putUserPolicy(c *queryCall) (any, error) {
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	document, err := c.form.required("PolicyDocument", longestPolicyDocument)
	if err != nil {
		return nil, err
	}
	return nil, c.keys().PutUserPolicy(c.Context(), c.user, name, document)
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
		PolicyDocument string // percent-encoded: SDKs decode it (RFC 3986, no plus for a space)
	}{c.user, p.Name, strings.ReplaceAll(url.QueryEscape(p.Document), "+", "%20")}, nil
}

func listUserPolicies(c *queryCall) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	names, err := c.keys().ListUserPolicies(c.Context(), c.user)
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
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	return nil, c.keys().DeleteUserPolicy(c.Context(), c.user, name)
}
