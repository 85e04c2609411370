package iam_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"b", "A", "c.d@e-f_g=h,i+j"} {
		u, err := w.CreateUser(ctx, name)
		w.must(err)
		if u.Name != name || u.ARN != "arn:aws:iam::"+account+":user/"+name || !strings.HasPrefix(u.ID, "AIDA") || u.Created.Unix() != w.clock.Load() {
			t.Errorf("created %+v", u)
		}
	}
	want(t, second(w.CreateUser(ctx, "a")), fault.Exists, iam.ErrEntityAlreadyExists)
	if u, err := w.GetUser(ctx, "a"); err != nil || u.Name != "A" {
		t.Errorf("names are distinguished by case: %+v, %v", u, err)
	}
	for _, name := range []string{"", "a/b", "a b", "ü", strings.Repeat("a", 65)} {
		want(t, second(w.CreateUser(ctx, name)), fault.Invalid, iam.ErrValidation)
		want(t, second(w.GetUser(ctx, name)), fault.Invalid, iam.ErrValidation)
	}
	if got := w.names(iam.Page{}); !slices.Equal(got, []string{"A", "b", "c.d@e-f_g=h,i+j"}) {
		t.Errorf("listed %v", got)
	}
	users, next, err := w.ListUsers(ctx, iam.Page{Limit: 2})
	if err != nil || len(users) != 2 || next != "b" {
		t.Errorf("first page %v, %s, %v", users, next, err)
	}
	users, next, err = w.ListUsers(ctx, iam.Page{After: next, Limit: 2})
	if err != nil || len(users) != 1 || next != "" {
		t.Errorf("second page %v, %s, %v", users, next, err)
	}
	w.must(w.DeleteUser(ctx, "B"))
	want(t, w.DeleteUser(ctx, "b"), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(w.GetUser(ctx, "b")), fault.NotFound, iam.ErrNoSuchEntity)
}

func (w *world) names(p iam.Page) []string {
	users, _, err := w.ListUsers(w.t.Context(), p)
	w.must(err)
	var names []string
	for _, u := range users {
		names = append(names, u.Name)
	}
	return names
}

func TestUserWithKeysOrPoliciesStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	want(t, w.DeleteUser(ctx, "u"), fault.InUse, iam.ErrDeleteConflict)
	w.must(w.DeleteAccessKey(ctx, "u", key.ID))
	want(t, w.DeleteUser(ctx, "u"), fault.InUse, iam.ErrDeleteConflict)
	w.must(w.DeleteUserPolicy(ctx, "u", "all"))
	w.must(w.DeleteUser(ctx, "u"))
}

const publishOwn = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${aws:username}/*"}]}`

func TestInlinePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("Ann")
	heard := w.changes()
	id, err := w.Identify(ctx, key.ID, "")
	w.must(err)
	if !may(id, "thingwire:Why", "*") {
		t.Error("the user may not do everything")
	}

	w.must(w.PutUserPolicy(ctx, "ann", "all", publishOwn)) // replaces
	waitFor(ctx, t, heard, iam.Change{User: "ann"})
	now, err := w.Again(ctx, id)
	w.must(err)
	const topic = "arn:aws:iot:us-east-1:" + account + ":topic/"
	if !may(now, "iot:Publish", topic+"Ann/x") || may(now, "iot:Publish", topic+"ann/x") || may(now, "thingwire:Why", "*") {
		t.Error("the new policy does not decide")
	}

	w.must(w.PutUserPolicy(ctx, "ann", "a", iam.Everything))
	if names, err := w.ListUserPolicies(ctx, "Ann"); err != nil || !slices.Equal(names, []string{"a", "all"}) {
		t.Errorf("listed %v, %v", names, err)
	}
	if p, err := w.GetUserPolicy(ctx, "Ann", "all"); err != nil || p != (iam.InlinePolicy{Name: "all", Document: publishOwn}) {
		t.Errorf("got %v, %v", p, err)
	}
	w.must(w.DeleteUserPolicy(ctx, "Ann", "a"))
	w.must(w.DeleteUserPolicy(ctx, "Ann", "all"))
	if now, err = w.Again(ctx, id); err != nil || may(now, "iot:Publish", topic+"Ann/x") {
		t.Errorf("may still publish, %v", err)
	}

	want(t, w.DeleteUserPolicy(ctx, "Ann", "all"), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(w.GetUserPolicy(ctx, "Ann", "all")), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(w.ListUserPolicies(ctx, "nobody")), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, second(w.GetUserPolicy(ctx, "nobody", "p")), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, w.PutUserPolicy(ctx, "nobody", "p", iam.Everything), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, w.PutUserPolicy(ctx, "Ann", "a b", iam.Everything), fault.Invalid, iam.ErrValidation)
	want(t, w.PutUserPolicy(ctx, "Ann", "p", `{"Version":`), fault.Invalid, iam.ErrMalformedPolicy)
	want(t, w.PutUserPolicy(ctx, "Ann", "p", sized(10241)), fault.Throttled, iam.ErrLimitExceeded)
}

// sized is a policy of so many characters, and some white space, which does not count.
func sized(n int) string {
	const head, tail = "{\"Version\":\"2012-10-17\",\n\t\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:Publish\",\"Resource\":\"*", "\"}]}"
	return head + strings.Repeat("a", n-len(head)-len(tail)+2) + tail
}

// IAM quotas: all inline policies of a user together, white space not counted.
func TestInlinePoliciesHoldSoMuchTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.must(second(w.CreateUser(ctx, "u")))
	w.must(w.PutUserPolicy(ctx, "u", "a", sized(1024)))
	w.must(w.PutUserPolicy(ctx, "u", "b", sized(1024)))
	w.must(w.PutUserPolicy(ctx, "u", "b", sized(1023)))
	want(t, w.PutUserPolicy(ctx, "u", "b", sized(1025)), fault.Throttled, iam.ErrLimitExceeded)
	want(t, w.PutUserPolicy(ctx, "u", "c", sized(200)), fault.Throttled, iam.ErrLimitExceeded)
}
