package iam_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
)

// Check is content with what a directory has written, and names each thing that it could not work with.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	if _, _, _, err := w.FirstKey(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	w.role("cloud", trusting(ownRoot, ""))
	for _, key := range []iam.Key{w.key, {}} {
		if problems, err := iam.Check(t.Context(), w.store, key); err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
	}
	wants := func(key iam.Key, want string) {
		t.Helper()
		problems, err := iam.Check(t.Context(), w.store, key)
		if err != nil || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("want %q in %q, %v", want, problems, err)
		}
	}
	wants(iam.NewKey(), "cannot be opened")
	for _, c := range []struct{ bucket, key, value, want string }{
		{"iam/users", "broken", "{", `document "broken" of iam/users cannot be read`},
		{"iam/users", "other", `{"name":"another","id":"1","keys":["AKIAMISSING"]}`, "has access key AKIAMISSING, which is not there"},
		{"iam/keys", "AKIASTRAY", `{"id":"AKIASTRAY","user":"nobody","userId":"2"}`, "belongs to user nobody, who does not have it"},
		{"iam/roles", "torn", "{", `document "torn" of iam/roles cannot be read`},
		{"iam/roles", "open", `{"name":"open","trust":"{}"}`, "the trust policy of role open cannot be read"},
		{"iam/roles", "mine", `{"name":"yours","trust":` + strconv.Quote(trusting(`"*"`, "")) + `}`, "role mine says that it is yours"},
		{"iam/roles", "half", `{"name":"half","policies":[{"name":"p","document":"{"}]}`, "the policy p of role half cannot be read"},
		{"iam/meta", "format", "9", "format 9"},
	} {
		op := store.DocOp{Bucket: c.bucket, Key: c.key, Value: []byte(c.value)}
		if err := w.store.Commit(&store.Batch{Docs: []store.DocOp{op}}).Wait(); err != nil {
			t.Fatal(err)
		}
		wants(w.key, c.want)
	}
}
