package control

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

type roleMember struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string // percent-encoded, as documents are
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	Tags                     *xmlList[iam.Tag] `xml:",omitempty"`
}

type roleResult struct{ Role roleMember }

// roleOf is a role in answers; lists leave its tags out (IAM API reference, ListRoles).
func roleOf(r *iam.Role, withTags bool) roleMember {
	m := roleMember{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, Arn: r.ARN, CreateDate: r.Created.UTC(), AssumeRolePolicyDocument: escaped(r.Trust),
		Description: r.Description, MaxSessionDuration: int(r.MaxSession / time.Second),
	}
	if withTags && len(r.Tags) > 0 {
		m.Tags = &xmlList[iam.Tag]{r.Tags}
	}
	return m
}

// escaped is a document as answers have it: SDKs decode it (RFC 3986, no plus for a space).
func escaped(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

func (c *queryCall) maxSession() (time.Duration, error) {
	seconds, err := c.form.number("MaxSessionDuration", int(iam.MinRoleSession/time.Second), int(iam.MaxRoleSession/time.Second), 0)
	return time.Duration(seconds) * time.Second, err
}

func createRole(c *queryCall) (any, error) {
	trust, err := c.form.required("AssumeRolePolicyDocument", longestPolicyDocument)
	if err != nil {
		return nil, err
	}
	longest, err := c.maxSession()
	if err != nil {
		return nil, err
	}
	tags, err := c.form.tags()
	if err != nil {
		return nil, err
	}
	description, _ := c.form.optional("Description")
	path, given := c.form.optional("Path")
	if given && path == "" {
		return nil, invalid("path is empty, 1 to 512 characters are allowed")
	}
	r, err := c.keys().CreateRole(c.Context(), iam.NewRole{
		Name: c.role, Path: path, Description: description, Trust: trust, MaxSession: longest, Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return roleResult{roleOf(r, true)}, nil
}

func getRole(c *queryCall) (any, error) {
	r, err := c.keys().GetRole(c.Context(), c.role)
	if err != nil {
		return nil, err
	}
	return roleResult{roleOf(r, true)}, nil
}

func listRoles(c *queryCall) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	prefix, given := c.form.optional("PathPrefix")
	if given && !pathPrefix.MatchString(prefix) {
		return nil, invalid("pathPrefix %q is no path", fault.Shortened(prefix))
	}
	roles, next, err := c.keys().ListRoles(c.Context(), prefix, page)
	if err != nil {
		return nil, err
	}
	out := struct {
		Roles xmlList[roleMember]
		pageResult
	}{pageResult: c.pageResult(next)}
	for _, r := range roles {
		out.Roles.Members = append(out.Roles.Members, roleOf(r, false))
	}
	return out, nil
}

// updateRole changes the description and the longest session. A description that is not given stays (IAM API reference,
// UpdateRole, does not say otherwise).
func updateRole(c *queryCall) (any, error) {
	longest, err := c.maxSession()
	if err != nil {
		return nil, err
	}
	var description *string
	if text, given := c.form.optional("Description"); given {
		description = &text
	}
	return struct{}{}, c.keys().UpdateRole(c.Context(), c.role, description, longest)
}

func updateRoleDescription(c *queryCall) (any, error) {
	text, given := c.form.optional("Description")
	if !given {
		return nil, missing("Description")
	}
	if err := c.keys().UpdateRole(c.Context(), c.role, &text, 0); err != nil {
		return nil, err
	}
	return getRole(c)
}

func updateAssumeRolePolicy(c *queryCall) (any, error) {
	trust, err := c.form.required("PolicyDocument", longestPolicyDocument)
	if err != nil {
		return nil, err
	}
	return nil, c.keys().SetTrust(c.Context(), c.role, trust)
}

func deleteRole(c *queryCall) (any, error) { return nil, c.keys().DeleteRole(c.Context(), c.role) }

func putRolePolicy(c *queryCall) (any, error) {
	return c.putPolicy(c.keys().PutRolePolicy, c.role)
}

func getRolePolicy(c *queryCall) (any, error) {
	name, err := c.policyName()
	if err != nil {
		return nil, err
	}
	p, err := c.keys().GetRolePolicy(c.Context(), c.role, name)
	if err != nil {
		return nil, err
	}
	return struct{ RoleName, PolicyName, PolicyDocument string }{c.role, p.Name, escaped(p.Document)}, nil
}

func listRolePolicies(c *queryCall) (any, error) {
	return c.listPolicyNames(c.keys().ListRolePolicies, c.role)
}

func deleteRolePolicy(c *queryCall) (any, error) {
	return c.deletePolicy(c.keys().DeleteRolePolicy, c.role)
}

// attachRolePolicy refuses: there are no managed policies that it could attach.
func attachRolePolicy(c *queryCall) (any, error) {
	return nil, c.managedPolicy("Policy %s does not exist or is not attachable.")
}

func detachRolePolicy(c *queryCall) (any, error) {
	return nil, c.managedPolicy("Policy %s was not found.")
}

func (c *queryCall) managedPolicy(words string) error {
	if _, err := c.keys().GetRole(c.Context(), c.role); err != nil {
		return err
	}
	arn, given := c.form.optional("PolicyArn")
	switch {
	case !given:
		return missing("PolicyArn")
	case len(arn) < 20 || len(arn) > 2048:
		return invalid("policyArn has %d characters, 20 to 2048 are allowed", len(arn))
	}
	return fault.Wrap(fault.NotFound, iam.ErrNoSuchEntity, words, fault.Shortened(arn)).
		WithRemedy("Thingwire has no managed policies, neither AWS's nor of your own: give the role an inline policy (PutRolePolicy)")
}

// listAttachedRolePolicies and listInstanceProfilesForRole answer with nothing: tools ask both before they delete a role.
func listAttachedRolePolicies(c *queryCall) (any, error) {
	if err := c.emptyPage(); err != nil {
		return nil, err
	}
	return struct {
		AttachedPolicies xmlList[string]
		pageResult
	}{}, nil
}

func listInstanceProfilesForRole(c *queryCall) (any, error) {
	if err := c.emptyPage(); err != nil {
		return nil, err
	}
	return struct {
		InstanceProfiles xmlList[string]
		pageResult
	}{}, nil
}

// emptyPage checks what a list of a role's that is always empty is asked with.
func (c *queryCall) emptyPage() error {
	if _, err := c.page(); err != nil {
		return err
	}
	if prefix, given := c.form.optional("PathPrefix"); given && !pathPrefix.MatchString(prefix) {
		return invalid("pathPrefix %q is no path", fault.Shortened(prefix))
	}
	_, err := c.keys().GetRole(c.Context(), c.role)
	return err
}

func tagRole(c *queryCall) (any, error) {
	tags, err := c.form.tags()
	if err != nil {
		return nil, err
	}
	if err := c.form.needed("Tags", len(tags)); err != nil {
		return nil, err
	}
	return nil, c.keys().TagRole(c.Context(), c.role, tags)
}

func untagRole(c *queryCall) (any, error) {
	keys, err := c.form.list("TagKeys")
	if err != nil {
		return nil, err
	}
	if err := c.form.needed("TagKeys", len(keys)); err != nil {
		return nil, err
	}
	return nil, c.keys().UntagRole(c.Context(), c.role, keys)
}

func listRoleTags(c *queryCall) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	r, err := c.keys().GetRole(c.Context(), c.role)
	if err != nil {
		return nil, err
	}
	tags, next := cut(r.Tags, page, func(t iam.Tag) string { return t.Key })
	return struct {
		Tags xmlList[iam.Tag]
		pageResult
	}{xmlList[iam.Tag]{tags}, c.pageResult(next)}, nil
}

// tags are the members Tags.member.N.Key and .Value.
func (f queryForm) tags() ([]iam.Tag, error) {
	groups, err := f.structures("Tags", "Key", "Value")
	if err != nil {
		return nil, err
	}
	tags := make([]iam.Tag, len(groups))
	for i, g := range groups {
		key, given := g["Key"]
		if !given {
			return nil, missing("Tags." + strconv.Itoa(i+1) + ".Key")
		}
		tags[i] = iam.Tag{Key: key, Value: g["Value"]}
	}
	return tags, nil
}
