package cloudformation

import (
	"slices"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// roleType is AWS::IAM::Role.
var roleType = &resourceType{
	name:       "AWS::IAM::Role",
	properties: []string{"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path", "Policies", "RoleName", "Tags"},
	required:   []string{"AssumeRolePolicyDocument"},
	absent:     []string{"PermissionsBoundary"},
	attributes: []string{"Arn", "RoleId"},
	named:      "RoleName",
	create:     createRole, update: updateRole, remove: removeRole,
}

const longestRoleName = 64

// role is what the properties of a role say.
type role struct {
	iam.NewRole
	policies []iam.InlinePolicy
}

func readRole(p node) (r role, err error) {
	for name, to := range map[string]*string{"RoleName": &r.Name, "Path": &r.Path, "Description": &r.Description} {
		if *to, err = text(p, name); err != nil {
			return r, err
		}
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Trust, err = document(p, "AssumeRolePolicyDocument"); err != nil {
		return r, err
	}
	seconds, err := text(p, "MaxSessionDuration")
	if err != nil {
		return r, err
	}
	if seconds != "" {
		n, err := strconv.Atoi(seconds)
		if err != nil || n < 1 || n > 1<<30 {
			return r, invalid("Value of property MaxSessionDuration must be of type Integer")
		}
		r.MaxSession = time.Duration(n) * time.Second
	}
	managed, err := texts(p, "ManagedPolicyArns")
	if err != nil {
		return r, err
	}
	if len(managed) > 0 {
		return r, absent("the managed policy %s", fault.Plain(managed[0]))
	}
	if r.Tags, err = readTags(p); err != nil {
		return r, err
	}
	policies, err := objects(p, "Policies", "PolicyName", "PolicyDocument")
	for _, n := range policies {
		name, err := text(n, "PolicyName")
		if err != nil {
			return r, err
		}
		document, err := document(n, "PolicyDocument")
		if err != nil {
			return r, err
		}
		r.policies = append(r.policies, iam.InlinePolicy{Name: name, Document: document})
	}
	return r, err
}

func readTags(p node) ([]iam.Tag, error) {
	list, err := objects(p, "Tags", "Key", "Value")
	tags := make([]iam.Tag, 0, len(list))
	for _, n := range list {
		key, err := text(n, "Key")
		if err != nil {
			return nil, err
		}
		value, err := text(n, "Value")
		if err != nil {
			return nil, err
		}
		tags = append(tags, iam.Tag{Key: key, Value: value})
	}
	return tags, err
}

func createRole(w *work, logicalID string, p node) (made, error) {
	r, err := readRole(p)
	if err != nil {
		return made{}, err
	}
	if r.Name == "" {
		r.Name = w.newName(logicalID, longestRoleName)
	}
	arn := w.keys.RoleARN(r.Path, r.Name)
	if err := w.may("iam:CreateRole", arn); err != nil {
		return made{}, err
	}
	if len(r.Tags) > 0 {
		if err := w.may("iam:TagRole", arn); err != nil {
			return made{}, err
		}
	}
	there, err := w.iam.CreateRole(r.NewRole)
	if err != nil {
		return made{}, err
	}
	return madeRole(there), w.putRolePolicies(there.ARN, there.Name, r.policies)
}

func madeRole(r *iam.Role) made {
	return made{physicalID: r.Name, attributes: map[string]string{"Arn": r.ARN, "RoleId": r.ID}}
}

func (w *work) putRolePolicies(arn, name string, policies []iam.InlinePolicy) error {
	for _, p := range policies {
		if err := w.may("iam:PutRolePolicy", arn); err != nil {
			return err
		}
		if err := w.iam.PutRolePolicy(name, p.Name, p.Document); err != nil {
			return err
		}
	}
	return nil
}

// removeRolePolicy takes a policy away that may be gone already.
func (w *work) removeRolePolicy(arn, role, name string) error {
	if err := w.may("iam:DeleteRolePolicy", arn); err != nil {
		return err
	}
	if err := w.iam.DeleteRolePolicy(role, name); err != nil && !gone(err) {
		return err
	}
	return nil
}

func updateRole(w *work, physicalID string, old, p node) (made, bool, error) {
	before, err := readRole(old)
	if err != nil {
		return made{}, false, err
	}
	r, err := readRole(p)
	if err != nil || r.Name != before.Name || r.Path != before.Path {
		return made{}, true, err
	}
	there, err := w.iam.Role(physicalID)
	if err != nil {
		return made{}, false, err
	}
	for _, change := range []struct {
		needed bool
		action string
		apply  func() error
	}{
		{r.Trust != before.Trust, "iam:UpdateAssumeRolePolicy", func() error { return w.iam.SetTrust(physicalID, r.Trust) }},
		{r.Description != before.Description || r.MaxSession != before.MaxSession, "iam:UpdateRole", func() error {
			if r.MaxSession == 0 {
				r.MaxSession = iam.DefaultRoleSession
			}
			return w.iam.UpdateRole(physicalID, &r.Description, r.MaxSession)
		}},
		{!slices.Equal(r.Tags, before.Tags), "iam:TagRole", func() error { return w.iam.SetTags(physicalID, r.Tags) }},
	} {
		if !change.needed {
			continue
		}
		if err := w.may(change.action, there.ARN); err != nil {
			return made{}, false, err
		}
		if err := change.apply(); err != nil {
			return made{}, false, err
		}
	}
	for _, b := range before.policies {
		if slices.ContainsFunc(r.policies, func(p iam.InlinePolicy) bool { return p.Name == b.Name }) {
			continue
		}
		if err := w.removeRolePolicy(there.ARN, physicalID, b.Name); err != nil {
			return made{}, false, err
		}
	}
	changed := slices.DeleteFunc(r.policies, func(p iam.InlinePolicy) bool { return slices.Contains(before.policies, p) })
	return madeRole(there), false, w.putRolePolicies(there.ARN, physicalID, changed)
}

// removeRole deletes a role with the policies that the stack gave it. One that somebody else gave keeps it, as on AWS.
func removeRole(w *work, physicalID string, old node) error {
	r, err := readRole(old)
	if err != nil {
		return err
	}
	there, err := w.iam.Role(physicalID)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range r.policies {
		if err := w.removeRolePolicy(there.ARN, physicalID, p.Name); err != nil {
			return err
		}
	}
	if err := w.may("iam:DeleteRole", there.ARN); err != nil {
		return err
	}
	return w.iam.DeleteRole(physicalID)
}
