package registry

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

func wantTags(t *testing.T, r *Registry, arn string, want ...Tag) {
	t.Helper()
	got, err := r.ListTags(t.Context(), arn)
	must(t, err)
	if len(got)+len(want) > 0 && !cmp.Equal(want, got) {
		t.Errorf("%s: tags %v, want %v", arn, got, want)
	}
}

func TestTags(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	policy := r.ARN("policy/p")
	_, err := r.CreatePolicy(ctx, "p", allowOne, Tag{"b", "2"}, Tag{"a", ""})
	must(t, err)
	wantTags(t, r, policy, Tag{"a", ""}, Tag{"b", "2"})
	must(t, r.TagResource(ctx, policy, []Tag{{"a", "Küche, oben"}, {"Ort/Straße 1", "x"}}))
	wantTags(t, r, policy, Tag{"Ort/Straße 1", "x"}, Tag{"a", "Küche, oben"}, Tag{"b", "2"})
	must(t, r.UntagResource(ctx, policy, []string{"a", "b", "nothing"}))
	wantTags(t, r, policy, Tag{"Ort/Straße 1", "x"})

	var most []Tag
	for i := range maxTags {
		most = append(most, Tag{fmt.Sprint("k", i), strings.Repeat("v", maxTagValue)})
	}
	wantKind(t, r.TagResource(ctx, policy, most), fault.Throttled, ErrLimitExceeded)
	wantTags(t, r, policy, Tag{"Ort/Straße 1", "x"})
	must(t, r.UntagResource(ctx, policy, []string{"Ort/Straße 1"}))
	must(t, r.TagResource(ctx, policy, most))
	must(t, r.TagResource(ctx, policy, []Tag{{"k0", "another"}}))
	wantKind(t, r.TagResource(ctx, policy, []Tag{{"one", "more"}}), fault.Throttled, ErrLimitExceeded)
}

func TestTagsRefused(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	policy := r.ARN("policy/p")
	_, err := r.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	many := make([]Tag, maxTags+1)
	for i := range many {
		many[i].Key = fmt.Sprint("k", i)
	}
	for name, tags := range map[string][]Tag{
		"no key": {{"", "v"}}, "long key": {{strings.Repeat("k", 129), ""}}, "sign in a key": {{"a!", ""}}, "line in a key": {{"a\nb", ""}},
		"long value": {{"k", strings.Repeat("v", 257)}}, "AWS's": {{"aws:x", "1"}}, "AWS's in capitals": {{"AWS:x", "1"}},
		"twice": {{"k", "1"}, {"k", "2"}}, "too many": many,
	} {
		if err := r.TagResource(ctx, policy, tags); !fault.Is(err, fault.Invalid) && name != "too many" {
			t.Errorf("%s: %v", name, err)
		}
		_, p := r.CreatePolicy(ctx, "q", allowOne, tags...)
		_, g := r.CreateThingGroup(ctx, ThingGroupSpec{Name: "q", Tags: tags})
		_, k := r.CreateThingType(ctx, ThingTypeSpec{Name: "q", Tags: tags})
		_, c := r.RegisterCACertificate(ctx, CASpec{Tags: tags})
		_, b := r.CreateBillingGroup(ctx, BillingGroupSpec{Name: "q", Tags: tags})
		for _, err := range []error{p, g, k, c, b} {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("created with %s: %v", name, err)
			}
		}
	}
	wantTags(t, r, policy)
	newThings(t, r, "lamp")
	_, cert := register(t, r)
	for arn, kind := range map[string]fault.Kind{
		"": fault.Invalid, "policy/p": fault.Invalid, r.ARN("thing/lamp"): fault.Invalid, cert: fault.Invalid, r.ARN("policy/"): fault.Invalid,
		"arn:aws:iot:eu-west-1:000000000000:policy/p": fault.Invalid, r.ARN("policy/a b"): fault.Invalid, r.ARN("cacert/x"): fault.Invalid,
		r.ARN("policy/q"): fault.NotFound, r.ARN("thinggroup/p"): fault.NotFound, r.ARN("cacert/" + strings.Repeat("A", 64)): fault.NotFound,
	} {
		_, err := r.ListTags(ctx, arn)
		for _, err := range []error{err, r.TagResource(ctx, arn, []Tag{{"k", "v"}}), r.UntagResource(ctx, arn, []string{"k"})} {
			if !fault.Is(err, kind) {
				t.Errorf("%s: %v", arn, err)
			}
		}
	}
	wantKind(t, r.UntagResource(ctx, policy, []string{"a!"}), fault.Invalid, "")
}

// Tags are given with a resource, count when it is created once more, and go with it: whoever has its name later has none.
func TestTagsOfEachKind(t *testing.T) {
	s := newStore(t)
	clock := time.Now()
	r, err := Open(t.Context(), Config{Store: s, Now: func() time.Time { return clock }})
	must(t, err)
	defer r.Close()
	ctx := t.Context()
	mine := newCA(t, "mine")
	tags, other := []Tag{{"a", "1"}}, []Tag{{"a", "2"}}
	for _, kind := range []struct {
		name, arn string
		create    func(tags ...Tag) error
		remove    func() error
		again     bool // creating the same once more is no error
	}{
		{
			"policy", r.ARN("policy/x"), func(tags ...Tag) error { _, err := r.CreatePolicy(ctx, "x", allowOne, tags...); return err },
			func() error { return r.DeletePolicy(ctx, "x") }, false,
		},
		{"thing group", r.ARN("thinggroup/x"), func(tags ...Tag) error {
			_, err := r.CreateThingGroup(ctx, ThingGroupSpec{Name: "x", Tags: tags})
			return err
		}, func() error { return r.DeleteThingGroup(ctx, "x", nil) }, true},
		{"thing type", r.ARN("thingtype/x"), func(tags ...Tag) error {
			_, err := r.CreateThingType(ctx, ThingTypeSpec{Name: "x", Tags: tags})
			return err
		}, func() error {
			must(t, r.DeprecateThingType(ctx, "x", false))
			clock = clock.Add(typeRest)
			return r.DeleteThingType(ctx, "x")
		}, true},
		{"billing group", r.ARN("billinggroup/x"), func(tags ...Tag) error {
			_, err := r.CreateBillingGroup(ctx, BillingGroupSpec{Name: "x", Tags: tags})
			return err
		}, func() error { return r.DeleteBillingGroup(ctx, "x", nil) }, true},
		{"CA certificate", r.ARN("cacert/" + Fingerprint(mine.cert.Raw)), func(tags ...Tag) error {
			_, err := r.RegisterCACertificate(ctx, CASpec{PEM: toPEM(mine.cert), Mode: SNIOnly, Tags: tags})
			return err
		}, func() error { return r.DeleteCACertificate(ctx, Fingerprint(mine.cert.Raw)) }, false},
	} {
		t.Run(kind.name, func(t *testing.T) {
			must(t, kind.create(tags...))
			wantTags(t, r, kind.arn, tags...)
			if err := kind.create(tags...); kind.again == (err != nil) {
				t.Errorf("the same again: %v", err)
			}
			wantKind(t, kind.create(other...), fault.Exists, "")
			wantKind(t, kind.create(), fault.Exists, "")
			wantTags(t, r, kind.arn, tags...)
			if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
				t.Error(problems, err)
			}
			must(t, kind.remove())
			_, err := r.ListTags(ctx, kind.arn)
			wantKind(t, err, fault.NotFound, "")
			must(t, kind.create())
			wantTags(t, r, kind.arn)
		})
	}
}

// Of changes at once none is lost, and none is left when the resource goes.
func TestConcurrentTags(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	ctx := t.Context()
	arn := r.ARN("policy/p")
	_, err := r.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if err := r.TagResource(ctx, arn, []Tag{{fmt.Sprint("k", i), ""}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := r.ListTags(ctx, arn); err != nil || len(got) != 40 {
		t.Fatalf("%d tags, %v", len(got), err)
	}
	for i := range 8 {
		wg.Go(func() {
			if err := r.TagResource(ctx, arn, []Tag{{fmt.Sprint("k", i), "late"}}); err != nil && !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		})
	}
	must(t, r.DeletePolicy(ctx, "p"))
	wg.Wait()
	if problems, err := Check(ctx, s); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestUpdateThingType(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	_, err := r.CreateThingType(ctx, ThingTypeSpec{Name: "bulb", Description: "shines", Searchable: []string{"watt"}})
	must(t, err)
	words, none, long := "glows", "", strings.Repeat("d", maxDescription+1)
	for _, c := range []struct {
		update     ThingTypeUpdate
		words      string
		searchable string
	}{
		{ThingTypeUpdate{}, "shines", "watt"},
		{ThingTypeUpdate{Description: &words}, "glows", "watt"},
		{ThingTypeUpdate{Searchable: []string{"lumen", "watt"}}, "glows", "lumen watt"},
		{ThingTypeUpdate{Description: &none, Searchable: []string{}}, "", ""},
	} {
		must(t, r.UpdateThingType(ctx, "bulb", c.update))
		got, err := r.DescribeThingType(ctx, "bulb")
		if must(t, err); got.Description != c.words || strings.Join(got.Searchable, " ") != c.searchable {
			t.Errorf("updated to %+v, want %+v", got, c)
		}
	}
	for _, bad := range []ThingTypeUpdate{
		{Description: &long}, {Searchable: []string{"a", "b", "c", "d"}}, {Searchable: []string{"a b"}},
	} {
		wantKind(t, r.UpdateThingType(ctx, "bulb", bad), fault.Invalid, "")
	}
	wantKind(t, r.UpdateThingType(ctx, "nobody", ThingTypeUpdate{}), fault.NotFound, "")
	wantKind(t, r.UpdateThingType(ctx, "a b", ThingTypeUpdate{}), fault.Invalid, "")
}
