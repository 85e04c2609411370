package cloudformation

import (
	"slices"
)

// policyType is AWS::IAM::Policy: an inline policy of roles and users.
var policyType = &resourceType{
	name:       "AWS::IAM::Policy",
	properties: []string{"PolicyDocument", "PolicyName", "Roles", "Users"},
	required:   []string{"PolicyDocument", "PolicyName"},
	absent:     []string{"Groups"},
	create:     createPolicy, update: updatePolicy, remove: removePolicy,
}

const longestPolicyID = 128

// inline is what the properties of a policy say.
type inline struct {
	name, document string
	roles, users   []string
}

func readPolicy(p node) (i inline, err error) {
	if i.name, err = text(p, "PolicyName"); err != nil {
		return i, err
	}
	if i.document, err = document(p, "PolicyDocument"); err != nil {
		return i, err
	}
	if i.roles, err = texts(p, "Roles"); err != nil {
		return i, err
	}
	if i.users, err = texts(p, "Users"); err != nil {
		return i, err
	}
	if len(i.roles)+len(i.users) == 0 {
		return i, invalid("At least one of [Groups,Roles,Users] must be non-empty.")
	}
	return i, nil
}

func createPolicy(w *work, logicalID string, p node) (made, error) {
	i, err := readPolicy(p)
	if err != nil {
		return made{}, err
	}
	return made{physicalID: w.newName(logicalID, longestPolicyID)}, w.put(i)
}

func updatePolicy(w *work, physicalID string, old, p node) (made, bool, error) {
	before, err := readPolicy(old)
	if err != nil {
		return made{}, false, err
	}
	i, err := readPolicy(p)
	if err != nil {
		return made{}, false, err
	}
	if before.name == i.name && before.document == i.document && slices.Equal(before.roles, i.roles) && slices.Equal(before.users, i.users) {
		return made{physicalID: physicalID}, false, nil
	}
	if before.name == i.name {
		before.roles = slices.DeleteFunc(before.roles, func(r string) bool { return slices.Contains(i.roles, r) })
		before.users = slices.DeleteFunc(before.users, func(u string) bool { return slices.Contains(i.users, u) })
	}
	if err := w.take(before); err != nil {
		return made{}, false, err
	}
	return made{physicalID: physicalID}, false, w.put(i)
}

func removePolicy(w *work, _ string, old node) error {
	i, err := readPolicy(old)
	if err != nil {
		return err
	}
	return w.take(i)
}

// put gives a policy to all that it names.
func (w *work) put(i inline) error {
	for _, name := range i.roles {
		r, err := w.iam.Role(name)
		if err != nil {
			return err
		}
		if err := w.may("iam:PutRolePolicy", r.ARN); err != nil {
			return err
		}
		if err := w.iam.PutRolePolicy(name, i.name, i.document); err != nil {
			return err
		}
	}
	for _, name := range i.users {
		u, err := w.iam.User(name)
		if err != nil {
			return err
		}
		if err := w.may("iam:PutUserPolicy", u.ARN); err != nil {
			return err
		}
		if err := w.iam.PutUserPolicy(name, i.name, i.document); err != nil {
			return err
		}
	}
	return nil
}

// take takes a policy away from all that it names and that are still there.
func (w *work) take(i inline) error {
	for _, name := range i.roles {
		r, err := w.iam.Role(name)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.removeRolePolicy(r.ARN, name, i.name); err != nil {
			return err
		}
	}
	for _, name := range i.users {
		u, err := w.iam.User(name)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.may("iam:DeleteUserPolicy", u.ARN); err != nil {
			return err
		}
		if err := w.iam.DeleteUserPolicy(name, i.name); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}
