package registry

import (
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// What is said of an index is the same whether a sum or the keys are kept: nothing is said twice.
func TestCheckSaysEachProblemOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	newThings(t, openOn(t, s, nil), "lamp")
	for _, d := range []store.DocOp{
		{Bucket: thingsBucket, Key: "grouped", Value: []byte(`{"name":"grouped","groups":["g"]}`)},
		{Bucket: groupThingsBucket, Key: "g/grouped", Value: []byte("{}")}, // a member of what is not there
		{Bucket: typeThingsBucket, Key: "t/lamp", Value: []byte("{}")},
		{Bucket: attributeThingsBucket, Key: "floor 3 lamp", Value: []byte("{}")},
	} {
		must(t, documents.Commit(s, d))
	}
	problems, err := Check(t.Context(), s)
	must(t, err)
	want := []string{
		`registry/group-things has "g/grouped", and "g" is not in registry/groups`,
		`registry/type-things has "t/lamp", and "t" is not in registry/types`,
		`registry/attribute-things has "floor 3 lamp", which no document says`,
	}
	if !slices.Equal(problems, want) {
		t.Errorf("%q, want %q", problems, want)
	}
}

// Check is content with what a registry has written, and names each thing that it could not work with.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := openOn(t, s, nil)
	newThings(t, r, "lamp")
	must(t, r.UpdateThing(t.Context(), "lamp", ThingUpdate{Attributes: map[string]string{"floor": "1"}}))
	_, arn := register(t, r)
	_, err := r.CreatePolicy(t.Context(), "p", policy.AllowEverything("000000000000", "us-east-1"))
	must(t, err)
	must(t, r.AttachPolicy(t.Context(), "p", arn))
	must(t, r.AttachThingPrincipal(t.Context(), "lamp", arn, ""))
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	for _, c := range []struct {
		bucket, key, value, want string
	}{
		{thingsBucket, "broken", "{", `document "broken" of registry/things cannot be read`},
		{thingsBucket, "other", `{"name":"another"}`, `says that it is "another"`},
		{policiesBucket, "empty", `{"name":"empty","default":3}`, `policy "empty" has no version 3`},
		{certThingsBucket, "nobody/lamp", "{}", `"nobody" is not in registry/certificates`},
		{billingThingsBucket, "nobody/lamp", "{}", `"nobody" is not in registry/billing-groups`},
		{tagsBucket, "policy/nobody", "{}", `registry/tags has "policy/nobody", which is not there`},
		{tagsBucket, "policy/p", "[]", `document "policy/p" of registry/tags cannot be read`},
		{thingsBucket, "tagged", `{"name":"tagged","attributes":{"floor":"2"}}`, `registry/attribute-things lacks "floor 2 tagged"`},
		{thingsBucket, "grouped", `{"name":"grouped","groups":["g"],"type":"t","billingGroup":"b"}`, `registry/group-things lacks "g/grouped"`},
		{attributeThingsBucket, "floor 3 lamp", "{}", `registry/attribute-things has "floor 3 lamp", which no document says`},
		{byAgeBucket, "policies/asc/0000000000000000/p", "{}", `which no document says`},
		{certificatesBucket, "a", `{"id":"a","things":2,"policies":["p"]}`, `certificate "a" counts 2 attachment(s) more`},
		{certificatesBucket, "a", `{"id":"a","policies":["p"]}`, `registry/policy-targets lacks "p/cert/a"`},
		{certThingsBucket, "a/lamp", "{}", `registry/thing-certs lacks "lamp/a"`},
		{metaBucket, formatKey, "9", `format "9"`},
	} {
		must(t, documents.Commit(s, store.DocOp{Bucket: c.bucket, Key: c.key, Value: []byte(c.value)}))
		problems, err := Check(t.Context(), s)
		if err != nil || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("want %q in %q, %v", c.want, problems, err)
		}
	}
}
