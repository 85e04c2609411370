package iam_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
)

const sigfox = "999999999999"

// Who may assume a role: its trust policy, and for whom it does not name, their own policies.
func TestWhoMayAssumeARole(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	all, _ := w.user("all")
	none, _ := w.user("none")
	w.must(w.DeleteUserPolicy(ctx, "none", "all"))
	denied, _ := w.user("denied")
	w.must(w.PutUserPolicy(ctx, "denied", "no", document("Deny", "sts:*", "*")))
	foreign, _, err := w.ForeignRoot(sigfox)
	w.must(err)
	first := w.role("first", trusting(ownRoot, ""))
	w.must(w.PutRolePolicy(ctx, "first", "q", document("Allow", "sts:AssumeRole", "*")))
	chained := w.assume(all, iam.Assumption{RoleARN: first.ARN, SessionName: "s1"})
	bounded := w.assume(all, iam.Assumption{RoleARN: first.ARN, SessionName: "s2", Policy: document("Allow", "iot:*", "*")})
	w.role("target", trusting(ownRoot, ""))

	const user, role = `"arn:aws:iam::` + account + `:user/`, `"arn:aws:iam::` + account + `:role/`
	const session = `"arn:aws:sts::` + account + `:assumed-role/first/`
	id := func(x string) string { return `{"StringEquals":{"sts:ExternalId":"` + x + `"}}` }
	for _, c := range []struct {
		name, trust string
		key         any
		externalID  string
		why         string // "" when it is allowed
	}{
		{"the account, and a policy of one's own", trusting(ownRoot, ""), all, "", ""},
		{"the account by its number", trusting(`{"AWS":"`+account+`"}`, ""), all, "", ""},
		{"the account, no policy of one's own", trusting(ownRoot, ""), none, "", "leaves it to the account"},
		{"the account, and an explicit deny", trusting(ownRoot, ""), denied, "", "denied by policy"},
		{"a user by name needs no policy", trusting(`{"AWS":[`+user+`x",`+user+`none"]}`, ""), none, "", ""},
		{"a user by name is denied", trusting(`{"AWS":`+user+`denied"}`, ""), denied, "", "denied by policy"},
		{"another user", trusting(`{"AWS":`+user+`x"}`, ""), all, "", "it is for arn:aws:iam::" + account + ":user/x, not for"},
		{"everybody", trusting(`"*"`, ""), none, "", ""},
		{"everybody of AWS", trusting(`{"AWS":"*"}`, ""), none, "", ""},
		{"another account", trusting(`{"AWS":"`+sigfox+`"}`, ""), all, "", "not for"},
		{"a service", trusting(`{"Service":"lambda.amazonaws.com"}`, ""), all, "", "not for"},
		{"a deny in the trust policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Principal":"*"},` +
			`{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":` + user + `all"}}]}`, all, "", "denied by policy"},
		{"another action", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:TagSession","Principal":"*"}}`, all, "", "sts:TagSession"},

		{"the root of a foreign account", trusting(`{"AWS":"arn:aws:iam::`+sigfox+`:root"}`, ""), foreign, "", ""},
		{"the root of a foreign account, not trusted", trusting(ownRoot, ""), foreign, "", "not for arn:aws:iam::" + sigfox + ":root"},
		{"the right external id", trusting(`{"AWS":"`+sigfox+`"}`, id("right")), foreign, "right", ""},
		{"the wrong external id", trusting(`{"AWS":"`+sigfox+`"}`, id("right")), foreign, "wrong", "sts:ExternalId is another one"},
		{"no external id", trusting(`{"AWS":"`+sigfox+`"}`, id("right")), foreign, "", "sts:ExternalId is absent"},
		{"a condition on the session's name", trusting(`"*"`, `{"StringLike":{"sts:RoleSessionName":"s*"}}`), all, "", ""},
		{"a condition on the user", trusting(`"*"`, `{"StringEquals":{"aws:username":"none"}}`), all, "", "aws:username"},

		{"a session of a role by its role", trusting(`{"AWS":`+role+`first"}`, ""), chained, "", ""},
		{"a session of a role by itself", trusting(`{"AWS":`+session+`s1"}`, ""), chained, "", ""},
		{"another session of a role", trusting(`{"AWS":`+session+`s2"}`, ""), chained, "", "not for"},
		{"a session whose own policy has no such action", trusting(`{"AWS":`+role+`first"}`, ""), bounded, "", "policy of session s2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.must(w.SetTrust(ctx, "target", c.trust))
			keyID, token := "", ""
			switch k := c.key.(type) {
			case iam.AccessKey:
				keyID = k.ID
			case string:
				keyID = k
			case *iam.AssumedRole:
				keyID, token = k.AccessKeyID, k.Token.Reveal()
			}
			_, err := w.try(keyID, token, iam.Assumption{RoleARN: w.RoleARN("/", "target"), SessionName: "s1", ExternalID: c.externalID})
			if c.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			want(t, err, fault.Denied, iam.ErrAccessDenied)
			e, _ := errors.AsType[*fault.Error](err)
			if e == nil || !strings.Contains(e.Remedy, c.why) || strings.Contains(e.Remedy, `"right"`) ||
				!strings.HasSuffix(e.Cause, "is not authorized to perform: sts:AssumeRole on resource: "+w.RoleARN("/", "target")) {
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
}

func TestAssumeRoleRefused(t *testing.T) {
	w := newWorld(t)
	key, _ := w.user("u")
	r := w.role("cloud", trusting(ownRoot, ""))
	good := iam.Assumption{RoleARN: r.ARN, SessionName: "s1"}
	for name, c := range map[string]struct {
		change func(*iam.Assumption)
		kind   fault.Kind
		as     iam.NameError
	}{
		"no such role":          {func(a *iam.Assumption) { a.RoleARN += "x" }, fault.Denied, iam.ErrAccessDenied},
		"another path":          {func(a *iam.Assumption) { a.RoleARN = w.RoleARN("/x/", "cloud") }, fault.Denied, iam.ErrAccessDenied},
		"another case":          {func(a *iam.Assumption) { a.RoleARN = w.RoleARN("/", "Cloud") }, fault.Denied, iam.ErrAccessDenied},
		"another account":       {func(a *iam.Assumption) { a.RoleARN = "arn:aws:iam::" + sigfox + ":role/cloud" }, fault.Denied, iam.ErrAccessDenied},
		"a name of no role":     {func(a *iam.Assumption) { a.RoleARN = w.RoleARN("/", "*") }, fault.Denied, iam.ErrAccessDenied},
		"a user":                {func(a *iam.Assumption) { a.RoleARN = w.UserARN("u") }, fault.Invalid, iam.ErrValidation},
		"no ARN":                {func(a *iam.Assumption) { a.RoleARN = "cloud" }, fault.Invalid, iam.ErrValidation},
		"a short session name":  {func(a *iam.Assumption) { a.SessionName = "s" }, fault.Invalid, iam.ErrValidation},
		"a slash in the name":   {func(a *iam.Assumption) { a.SessionName = "a/b" }, fault.Invalid, iam.ErrValidation},
		"a long session name":   {func(a *iam.Assumption) { a.SessionName = strings.Repeat("s", 65) }, fault.Invalid, iam.ErrValidation},
		"a short external id":   {func(a *iam.Assumption) { a.ExternalID = "x" }, fault.Invalid, iam.ErrValidation},
		"a long external id":    {func(a *iam.Assumption) { a.ExternalID = strings.Repeat("x", 1225) }, fault.Invalid, iam.ErrValidation},
		"a bad external id":     {func(a *iam.Assumption) { a.ExternalID = "a b" }, fault.Invalid, iam.ErrValidation},
		"ten minutes":           {func(a *iam.Assumption) { a.Duration = 10 * time.Minute }, fault.Invalid, iam.ErrValidation},
		"more than the role's":  {func(a *iam.Assumption) { a.Duration = 2 * time.Hour }, fault.Invalid, iam.ErrValidation},
		"more than any role's":  {func(a *iam.Assumption) { a.Duration = 13 * time.Hour }, fault.Invalid, iam.ErrValidation},
		"a time before it is 0": {func(a *iam.Assumption) { a.Duration = -1 }, fault.Invalid, iam.ErrValidation},
	} {
		a := good
		c.change(&a)
		t.Run(name, func(t *testing.T) { want(t, second(w.try(key.ID, "", a)), c.kind, c.as) })
	}
}

// A session that takes a session gets an hour, whatever the role says.
func TestChainedSessionsAreShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, _ := w.user("u")
	r := w.role("cloud", trusting(ownRoot, ""))
	w.must(w.PutRolePolicy(t.Context(), "cloud", "q", document("Allow", "sts:AssumeRole", "*")))
	w.must(w.UpdateRole(t.Context(), "cloud", nil, iam.MaxRoleSession))
	s := w.assume(key, iam.Assumption{RoleARN: r.ARN, SessionName: "s1", Duration: iam.MaxRoleSession})
	for duration, ok := range map[time.Duration]bool{time.Hour: true, time.Hour + time.Second: false} {
		_, err := w.try(s.AccessKeyID, s.Token.Reveal(), iam.Assumption{RoleARN: r.ARN, SessionName: "s2", Duration: duration})
		if ok != (err == nil) {
			t.Errorf("%s: %v", duration, err)
		}
	}
}

// The root of another account may assume roles that trust it and nothing else, and its key dies with the process.
func TestForeignRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, secret, err := w.ForeignRoot(sigfox)
	w.must(err)
	id, err := w.Identify(ctx, key, "")
	w.must(err)
	if id.ARN != "arn:aws:iam::"+sigfox+":root" || id.Account != sigfox || id.Session() || id.Owner() != "account "+sigfox {
		t.Errorf("%+v", id)
	}
	if got, err := w.Secret(ctx, key, ""); err != nil || got != secret.Reveal() {
		t.Error(err)
	}
	for _, action := range []string{"iot:Publish", "iam:CreateRole", "iot:ListThings", "thingwire:Subscribe"} {
		if may(id, action, "*") {
			t.Errorf("it may %s", action)
		}
	}
	w.must(second(w.Again(ctx, id)))
	_, err = w.SessionToken(ctx, id, 0)
	want(t, err, fault.Denied, iam.ErrAccessDenied)
	wantUnknown(t, second(w.open(w.key).Secret(ctx, key, "")))
	for _, account := range []string{account, "", "1"} {
		if _, _, err := w.ForeignRoot(account); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", account, err)
		}
	}
}

// Changes are all there or none, and see each other.
func TestChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.must(second(w.CreateUser(ctx, "u")))
	c := w.Begin(ctx)
	w.must(second(c.CreateRole(iam.NewRole{Name: "a", Trust: trusting(ownRoot, "")})))
	w.must(c.PutRolePolicy("A", "p", iam.Everything))
	w.must(c.PutUserPolicy("u", "p", iam.Everything))
	w.must(second(c.Role("a")))
	want(t, c.DeleteRole("a"), fault.InUse, iam.ErrDeleteConflict)
	want(t, second(w.GetRole(ctx, "a")), fault.NotFound, iam.ErrNoSuchEntity)
	w.must(second(w.CreateRole(ctx, iam.NewRole{Name: "a", Trust: trusting(ownRoot, "")})))
	if err := w.commit(c.Ops()); !fault.Is(err, fault.Conflict) {
		t.Errorf("somebody else was faster: %v", err)
	}
	if names, err := w.ListUserPolicies(ctx, "u"); err != nil || len(names) > 0 {
		t.Errorf("half of it is there: %v, %v", names, err)
	}
	w.must(w.DeleteRole(ctx, "a"))
	w.must(w.commit(c.Ops()))
	if names, err := w.ListRolePolicies(ctx, "a"); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	c = w.Begin(ctx)
	w.must(c.DeleteRolePolicy("a", "p"))
	w.must(c.DeleteRole("a"))
	want(t, c.SetTrust("a", "x"), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(c.Role("a")), fault.NotFound, iam.ErrNoSuchEntity)
	w.must(second(c.CreateRole(iam.NewRole{Name: "a", Trust: trusting(ownRoot, "")})))
	w.must(c.DeleteRole("a"))
	w.must(c.DeleteUserPolicy("u", "p"))
	w.must(w.commit(c.Ops()))
	want(t, second(w.GetRole(ctx, "a")), fault.NotFound, iam.ErrNoSuchEntity)
}

// Variables of the caller's connection count in both policies.
func TestAssumeRoleAsksTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, _ := w.user("u")
	r := w.role("cloud", trusting(ownRoot, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`))
	by, err := w.Identify(t.Context(), key.ID, "")
	w.must(err)
	for ip, ok := range map[string]bool{"10.1.2.3": true, "11.1.2.3": false} {
		_, err := w.AssumeRole(t.Context(), by, policy.Values{"aws:sourceip": {ip}}, iam.Assumption{RoleARN: r.ARN, SessionName: "s1"})
		if ok != (err == nil) {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

// AssumeRole as the Sigfox cloud calls it: the trust policy parsed and decided, claims sealed.
func BenchmarkAssumeRole(b *testing.B) {
	b.ReportAllocs()
	w := newWorld(b)
	r := w.role("cloud", trusting(`{"AWS":"`+sigfox+`"}`, `{"StringEquals":{"sts:ExternalId":"ours"}}`))
	key, _, err := w.ForeignRoot(sigfox)
	w.must(err)
	by, err := w.Identify(b.Context(), key, "")
	w.must(err)
	for b.Loop() {
		if _, err := w.AssumeRole(b.Context(), by, by.Vars, iam.Assumption{RoleARN: r.ARN, SessionName: "s1", ExternalID: "ours"}); err != nil {
			b.Fatal(err)
		}
	}
}
