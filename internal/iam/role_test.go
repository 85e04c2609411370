package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
)

// trusting is a trust policy for principals, as JSON, with a condition or "".
func trusting(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + principal + condition + `}]}`
}

const ownRoot = `{"AWS":"arn:aws:iam::` + account + `:root"}`

func document(effect, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":%q}}`, effect, action, resource)
}

// role makes a role that may publish to topics below own/.
func (w *world) role(name, trust string) *iam.Role {
	w.t.Helper()
	r, err := w.CreateRole(w.t.Context(), iam.NewRole{Name: name, Trust: trust})
	w.must(err)
	w.must(w.PutRolePolicy(w.t.Context(), name, "p", document("Allow", "iot:Publish", topics+"own/*")))
	return r
}

const topics = "arn:aws:iot:us-east-1:" + account + ":topic/"

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	r, err := w.CreateRole(ctx, iam.NewRole{
		Name: "Cloud", Path: "/of/others/", Trust: trusting(ownRoot, ""), Description: "d", MaxSession: 2 * time.Hour, Tags: []iam.Tag{{"b", "1"}, {"a", "2"}},
	})
	w.must(err)
	if r.ARN != "arn:aws:iam::"+account+":role/of/others/Cloud" || !strings.HasPrefix(r.ID, "AROA") || r.MaxSession != 2*time.Hour || r.Tags[0].Key != "a" {
		t.Errorf("created %+v", r)
	}
	want(t, second(w.CreateRole(ctx, iam.NewRole{Name: "cloud", Trust: trusting(ownRoot, "")})), fault.Exists, iam.ErrEntityAlreadyExists)
	w.must(second(w.CreateRole(ctx, iam.NewRole{Name: "b", Trust: trusting(`"*"`, "")})))
	if got, err := w.GetRole(ctx, "CLOUD"); err != nil || got.ID != r.ID || got.Description != "d" {
		t.Errorf("got %+v, %v", got, err)
	}
	roles, next, err := w.ListRoles(ctx, "", iam.Page{Limit: 1})
	if err != nil || len(roles) != 1 || roles[0].Name != "b" || next != "b" {
		t.Errorf("first page %v, %q, %v", roles, next, err)
	}
	roles, next, err = w.ListRoles(ctx, "", iam.Page{Limit: 1, After: next})
	if err != nil || len(roles) != 1 || roles[0].Name != "Cloud" || next != "" {
		t.Errorf("second page %v, %q, %v", roles, next, err)
	}
	if roles, _, err := w.ListRoles(ctx, "/of/", iam.Page{}); err != nil || len(roles) != 1 {
		t.Errorf("by path %v, %v", roles, err)
	}
	text := "another"
	w.must(w.UpdateRole(ctx, "cloud", &text, 3*time.Hour))
	w.must(w.SetTrust(ctx, "cloud", trusting(`"*"`, "")))
	w.must(w.TagRole(ctx, "cloud", []iam.Tag{{"A", "3"}}))
	w.must(w.UntagRole(ctx, "cloud", []string{"B", "none"}))
	if got, err := w.GetRole(ctx, "cloud"); err != nil || got.Description != text || got.MaxSession != 3*time.Hour ||
		got.Trust != trusting(`"*"`, "") || !slices.Equal(got.Tags, []iam.Tag{{"A", "3"}}) {
		t.Errorf("changed %+v, %v", got, err)
	}
	w.must(w.PutRolePolicy(ctx, "cloud", "p", iam.Everything))
	want(t, w.DeleteRole(ctx, "cloud"), fault.InUse, iam.ErrDeleteConflict)
	if names, err := w.ListRolePolicies(ctx, "cloud"); err != nil || !slices.Equal(names, []string{"p"}) {
		t.Errorf("policies %v, %v", names, err)
	}
	if p, err := w.GetRolePolicy(ctx, "cloud", "p"); err != nil || p.Document != iam.Everything {
		t.Errorf("policy %v, %v", p, err)
	}
	w.must(w.DeleteRolePolicy(ctx, "cloud", "p"))
	want(t, w.DeleteRolePolicy(ctx, "cloud", "p"), fault.NotFound, iam.ErrNoSuchEntity)
	w.must(w.DeleteRole(ctx, "cloud"))
	want(t, w.DeleteRole(ctx, "cloud"), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(w.GetRole(ctx, "cloud")), fault.NotFound, iam.ErrNoSuchEntity)
}

func TestRolesRefused(t *testing.T) {
	w := newWorld(t)
	good := iam.NewRole{Name: "r", Trust: trusting(ownRoot, "")}
	many := make([]iam.Tag, 51)
	for i := range many {
		many[i] = iam.Tag{Key: fmt.Sprint("k", i)}
	}
	for name, c := range map[string]struct {
		change func(*iam.NewRole)
		kind   fault.Kind
		as     iam.NameError
	}{
		"no name":              {func(n *iam.NewRole) { n.Name = "" }, fault.Invalid, iam.ErrValidation},
		"a long name":          {func(n *iam.NewRole) { n.Name = strings.Repeat("a", 65) }, fault.Invalid, iam.ErrValidation},
		"a slash in its name":  {func(n *iam.NewRole) { n.Name = "a/b" }, fault.Invalid, iam.ErrValidation},
		"a path without end":   {func(n *iam.NewRole) { n.Path = "/a" }, fault.Invalid, iam.ErrValidation},
		"a path with a space":  {func(n *iam.NewRole) { n.Path = "/a b/" }, fault.Invalid, iam.ErrValidation},
		"a long description":   {func(n *iam.NewRole) { n.Description = strings.Repeat("ü", 1001) }, fault.Invalid, iam.ErrValidation},
		"sessions of a day":    {func(n *iam.NewRole) { n.MaxSession = 24 * time.Hour }, fault.Invalid, iam.ErrValidation},
		"sessions of a minute": {func(n *iam.NewRole) { n.MaxSession = time.Minute }, fault.Invalid, iam.ErrValidation},
		"no trust":             {func(n *iam.NewRole) { n.Trust = "" }, fault.Invalid, iam.ErrMalformedPolicy},
		"an identity policy":   {func(n *iam.NewRole) { n.Trust = iam.Everything }, fault.Invalid, iam.ErrMalformedPolicy},
		"a long trust":         {func(n *iam.NewRole) { n.Trust = trusting(`{"AWS":"`+strings.Repeat("1", 2048)+`"}`, "") }, fault.Throttled, iam.ErrLimitExceeded},
		"too many tags":        {func(n *iam.NewRole) { n.Tags = many }, fault.Throttled, iam.ErrLimitExceeded},
		"the same tag twice":   {func(n *iam.NewRole) { n.Tags = []iam.Tag{{"a", ""}, {"A", ""}} }, fault.Invalid, iam.ErrInvalidInput},
		"a tag of AWS's":       {func(n *iam.NewRole) { n.Tags = []iam.Tag{{"aws:x", ""}} }, fault.Invalid, iam.ErrInvalidInput},
		"a tag with a bar":     {func(n *iam.NewRole) { n.Tags = []iam.Tag{{"a|b", ""}} }, fault.Invalid, iam.ErrValidation},
	} {
		n := good
		c.change(&n)
		t.Run(name, func(t *testing.T) { want(t, second(w.CreateRole(t.Context(), n)), c.kind, c.as) })
	}
	if roles, _, err := w.ListRoles(t.Context(), "", iam.Page{}); err != nil || len(roles) > 0 {
		t.Errorf("left behind: %v, %v", roles, err)
	}
	w.must(second(w.CreateRole(t.Context(), good)))
	for i := range 5 { // 5 of 2,048 characters are 10,240
		padding := strings.Repeat("a", 2048-len(document("Allow", "iot:Publish", topics)))
		w.must(w.PutRolePolicy(t.Context(), "r", fmt.Sprint(i), document("Allow", "iot:Publish", topics+padding)))
	}
	want(t, w.PutRolePolicy(t.Context(), "r", "more", iam.Everything), fault.Throttled, iam.ErrLimitExceeded)
	want(t, w.PutRolePolicy(t.Context(), "r", "0", trusting(`"*"`, "")), fault.Invalid, iam.ErrMalformedPolicy)
}

// A session of a role: what it may, what it is called, and after a restart.
func TestSessionsOfRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	r := w.role("cloud", trusting(ownRoot, ""))
	w.must(w.TagRole(ctx, "cloud", []iam.Tag{{"Team", "x"}}))
	s := w.assume(key, iam.Assumption{RoleARN: r.ARN, SessionName: "s1"})
	if s.ARN != "arn:aws:sts::"+account+":assumed-role/cloud/s1" || s.ID != r.ID+":s1" || !strings.HasPrefix(s.AccessKeyID, "ASIA") ||
		s.Expires.Unix() != w.clock.Load()+3600 {
		t.Errorf("%+v", s)
	}
	for name, d := range map[string]*iam.Directory{"here": w.Directory, "after a restart": w.open(w.key)} {
		id, err := d.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
		w.must(err)
		if id.ARN != s.ARN || id.UserID != s.ID || id.Role != "cloud" || id.Name != "" || !id.Session() || id.Owner() != "role cloud, session s1" {
			t.Errorf("%s: %+v", name, id)
		}
		if !may(id, "iot:Publish", topics+"own/a") || may(id, "iot:Publish", topics+"a") || may(id, "iot:ListThings", "*") {
			t.Errorf("%s: wrong rights", name)
		}
		for key, want := range map[string]string{
			"aws:userid": s.ID, "aws:principalarn": r.ARN, "aws:principaltype": "AssumedRole", "aws:tokenissuetime": "2026-11-21T20:00:00Z",
			"aws:principaltag/team": "x", "aws:username": "",
		} {
			if got := strings.Join(id.Vars[key], ""); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		again, err := d.Again(ctx, id)
		if err != nil || again.ARN != id.ARN || !again.Expires.Equal(id.Expires) || again.Vars["aws:tokenissuetime"] == nil {
			t.Errorf("%s: again %+v, %v", name, again, err)
		}
		if secret, err := d.Secret(ctx, s.AccessKeyID, s.Token.Reveal()); err != nil || secret != s.Secret.Reveal() {
			t.Errorf("%s: %v", name, err)
		}
		_, err = d.SessionToken(ctx, id, 0)
		want(t, err, fault.Denied, iam.ErrAccessDenied)
	}
	w.pass(time.Hour)
	want(t, second(w.Secret(ctx, s.AccessKeyID, s.Token.Reveal())), fault.Unauthenticated, iam.ErrExpiredToken)
}

// What changes of a role is what its sessions may, at once; without the role they are over, and another role of the same
// name is another one.
func TestSessionsFollowTheirRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	r := w.role("Cloud", trusting(ownRoot, ""))
	s := w.assume(key, iam.Assumption{RoleARN: r.ARN, SessionName: "s1"})
	id, err := w.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
	w.must(err)
	heard := w.changes()
	w.must(w.DeleteRolePolicy(ctx, "cloud", "p"))
	waitFor(ctx, t, heard, iam.Change{Role: "cloud"})
	if !(iam.Change{Role: "cloud"}).Concerns(id) || (iam.Change{User: "cloud"}).Concerns(id) || (iam.Change{Role: "u"}).Concerns(id) {
		t.Error("a change concerns somebody else")
	}
	for _, get := range []func() (*iam.Identity, error){
		func() (*iam.Identity, error) { return w.Identify(ctx, s.AccessKeyID, s.Token.Reveal()) },
		func() (*iam.Identity, error) { return w.Again(ctx, id) },
	} {
		if now, err := get(); err != nil || may(now, "iot:Publish", topics+"own/a") {
			t.Errorf("%+v, %v", now, err)
		}
	}
	w.must(w.SetTrust(ctx, "cloud", trusting(`{"AWS":"999999999999"}`, ""))) // ends nobody's session
	w.must(second(w.Again(ctx, id)))
	w.must(w.DeleteUser(ctx, w.free("u"))) // nor does the end of who took it
	w.must(second(w.Again(ctx, id)))
	w.must(w.DeleteRole(ctx, "cloud"))
	for range 2 {
		wantUnknown(t, second(w.Secret(ctx, s.AccessKeyID, s.Token.Reveal())))
		wantUnknown(t, second(w.Again(ctx, id)))
		_, _ = w.CreateRole(ctx, iam.NewRole{Name: "cloud", Trust: trusting(ownRoot, "")}) // the second time there is another one
	}
}

// free takes from a user all that keeps it.
func (w *world) free(user string) string {
	w.t.Helper()
	keys, err := w.ListAccessKeys(w.t.Context(), user)
	w.must(err)
	for _, k := range keys {
		w.must(w.DeleteAccessKey(w.t.Context(), user, k.ID))
	}
	w.must(w.DeleteUserPolicy(w.t.Context(), user, "all"))
	return user
}

// assume takes a session of a role, which has to succeed.
func (w *world) assume(key iam.AccessKey, a iam.Assumption) *iam.AssumedRole {
	w.t.Helper()
	s, err := w.try(key.ID, "", a)
	w.must(err)
	return s
}

func (w *world) try(id, token string, a iam.Assumption) (*iam.AssumedRole, error) {
	w.t.Helper()
	by, err := w.Identify(w.t.Context(), id, token)
	w.must(err)
	return w.AssumeRole(w.t.Context(), by, by.Vars, a)
}

// A session may at most what its own policy says, of what its role may.
func TestSessionPolicies(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	r := w.role("cloud", trusting(ownRoot, ""))
	s := w.assume(key, iam.Assumption{RoleARN: r.ARN, SessionName: "s1", Policy: document("Allow", "iot:Publish", topics+"*/a")})
	if s.PolicySize < 1 || s.PolicySize > 100 {
		t.Errorf("the policy is %d per cent", s.PolicySize)
	}
	for name, d := range map[string]*iam.Directory{"here": w.Directory, "after a restart": w.open(w.key)} {
		id, err := d.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
		w.must(err)
		again, err := d.Again(ctx, id)
		w.must(err)
		for _, id := range []*iam.Identity{id, again} {
			if !may(id, "iot:Publish", topics+"own/a") || may(id, "iot:Publish", topics+"own/b") || may(id, "iot:Publish", topics+"x/a") {
				t.Errorf("%s: wrong rights", name)
			}
			why := id.Policies.Explain(&policy.Request{Action: "iot:Publish", Resource: topics + "own/b"})
			if !strings.Contains(why, "policy of session s1") {
				t.Errorf("%s: %s", name, why)
			}
		}
	}
	for name, c := range map[string]struct {
		policy string
		as     iam.NameError
	}{
		"no policy":   {"{", iam.ErrMalformedPolicy},
		"a long one":  {document("Allow", "iot:Publish", topics+strings.Repeat("a", 2048)), iam.ErrPackedPolicy},
		"a trust one": {trusting(`"*"`, ""), iam.ErrMalformedPolicy},
	} {
		_, err := w.try(key.ID, "", iam.Assumption{RoleARN: r.ARN, SessionName: "s1", Policy: c.policy})
		t.Run(name, func(t *testing.T) { want(t, err, fault.Invalid, c.as) })
	}
}
