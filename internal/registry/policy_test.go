package registry

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestCreatePolicy(t *testing.T) {
	r := newRegistry(t)
	p, err := r.CreatePolicy(t.Context(), "a+=,.@-_Z", allowAll)
	must(t, err)
	if v := p.DefaultVersion(); v.ID() != "1" || v.Document != allowAll || len(p.GenerationID) != 64 {
		t.Errorf("made %+v", p)
	}
	_, err = r.CreatePolicy(t.Context(), p.Name, allowAll)
	wantKind(t, err, fault.Exists, "")
	for _, name := range []string{"", "a b", "a/b", "a:b", strings.Repeat("p", 129)} {
		_, err := r.CreatePolicy(t.Context(), name, allowAll)
		wantKind(t, err, fault.Invalid, "")
	}
	for _, doc := range []string{"", "{}", "[]", "hello", `{"Version":"2012-10-17","Statement":{"Effect":"Maybe"}}`} {
		_, err := r.CreatePolicy(t.Context(), "bad", doc)
		wantKind(t, err, fault.Invalid, ErrMalformedPolicy)
	}
	long := strings.Replace(allowAll, `"*"`, `"`+strings.Repeat("x", 2048)+`"`, 1)
	_, err = r.CreatePolicy(t.Context(), "long", long)
	wantKind(t, err, fault.Invalid, "")
}

func TestPolicyVersions(t *testing.T) {
	r := newRegistry(t)
	_, err := r.CreatePolicy(t.Context(), "p", allowAll)
	must(t, err)
	for i := range 4 {
		v, err := r.CreatePolicyVersion(t.Context(), "p", allowOne, i == 1)
		must(t, err)
		if v.Number != i+2 {
			t.Errorf("version %d, want %d", v.Number, i+2)
		}
	}
	_, err = r.CreatePolicyVersion(t.Context(), "p", allowOne, false)
	wantKind(t, err, fault.Throttled, ErrVersionsLimitExceeded)
	_, err = r.CreatePolicyVersion(t.Context(), "p", "{", false)
	wantKind(t, err, fault.Invalid, ErrMalformedPolicy)
	_, err = r.CreatePolicyVersion(t.Context(), "q", allowOne, false)
	wantKind(t, err, fault.NotFound, "")

	wantKind(t, r.DeletePolicyVersion(t.Context(), "p", "3"), fault.InUse, ErrDeleteConflict) // the default
	wantKind(t, r.DeletePolicyVersion(t.Context(), "p", "9"), fault.NotFound, "")
	wantKind(t, r.DeletePolicyVersion(t.Context(), "p", "05"), fault.NotFound, "")
	wantKind(t, r.DeletePolicyVersion(t.Context(), "p", "x"), fault.Invalid, "")
	must(t, r.DeletePolicyVersion(t.Context(), "p", "5"))
	v, err := r.CreatePolicyVersion(t.Context(), "p", allowOne, false)
	must(t, err)
	if v.Number != 6 {
		t.Errorf("number %d was used again", v.Number)
	}
	must(t, r.SetDefaultPolicyVersion(t.Context(), "p", "1"))
	wantKind(t, r.SetDefaultPolicyVersion(t.Context(), "p", "5"), fault.NotFound, "")
	p, _, err := r.GetPolicyVersion(t.Context(), "p", "6")
	must(t, err)
	if p.Default != 1 || p.DefaultVersion().Document != allowAll {
		t.Errorf("default is %d", p.Default)
	}

	wantKind(t, r.DeletePolicy(t.Context(), "p"), fault.InUse, ErrDeleteConflict)
	for _, id := range []string{"2", "3", "4", "6"} {
		must(t, r.DeletePolicyVersion(t.Context(), "p", id))
	}
	must(t, r.DeletePolicy(t.Context(), "p"))
	wantKind(t, r.DeletePolicy(t.Context(), "p"), fault.NotFound, "")
}

func TestAttachPolicy(t *testing.T) {
	r := newRegistry(t)
	_, arn := register(t, r)
	_, other := register(t, r)
	var names []string
	for i := range 11 {
		names = append(names, fmt.Sprintf("p%02d", i))
		_, err := r.CreatePolicy(t.Context(), names[i], allowOne)
		must(t, err)
	}
	for i := range 10 {
		must(t, r.AttachPolicy(t.Context(), names[9-i], arn))
	}
	must(t, r.AttachPolicy(t.Context(), names[3], arn)) // again
	wantKind(t, r.AttachPolicy(t.Context(), names[10], arn), fault.Throttled, ErrLimitExceeded)
	must(t, r.AttachPolicy(t.Context(), names[3], other))

	var got []string
	page := Page{Limit: 4}
	for {
		list, next, err := r.ListAttachedPolicies(t.Context(), arn, false, page)
		must(t, err)
		got = append(got, list...)
		if page.After = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(names[:10], got); diff != "" {
		t.Error(diff)
	}
	targets, next, err := r.ListTargetsForPolicy(t.Context(), names[3], Page{Limit: 1})
	must(t, err)
	rest, end, err := r.ListTargetsForPolicy(t.Context(), names[3], Page{Limit: 1, After: next})
	must(t, err)
	if all := append(targets, rest...); len(all) != 2 || all[0] == all[1] || end != "" {
		t.Errorf("targets %v", all)
	}

	wantKind(t, r.DeletePolicy(t.Context(), names[3]), fault.InUse, ErrDeleteConflict)
	must(t, r.DetachPolicy(t.Context(), names[3], arn))
	must(t, r.DetachPolicy(t.Context(), names[3], arn)) // again
	must(t, r.DetachPolicy(t.Context(), "nobody", arn))
	must(t, r.DetachPolicy(t.Context(), names[3], r.ARN("cert/"+strings.Repeat("0", 64))))
	must(t, r.DetachPolicy(t.Context(), names[3], other))
	must(t, r.DeletePolicy(t.Context(), names[3]))
}

func TestTargets(t *testing.T) {
	r := newRegistry(t)
	_, err := r.CreatePolicy(t.Context(), "p", allowOne)
	must(t, err)
	id, _ := register(t, r)
	for target, kind := range map[string]fault.Kind{
		"":                                       fault.Invalid,
		"me":                                     fault.Invalid,
		r.ARN("cert/" + strings.Repeat("0", 64)): fault.NotFound,
		r.ARN("cert/short"):                      fault.Invalid,
		r.ARN("thinggroup/lamps"):                fault.NotFound,
		r.ARN("thinggroup/a b"):                  fault.Invalid,
		r.ARN("thing/lamp"):                      fault.Invalid,
		"arn:aws:iot:us-east-1:999999999999:cert/" + id:  fault.Invalid,
		"arn:aws:iot:eu-west-1:000000000000:cert/" + id:  fault.Invalid,
		"arn:aws:s3:us-east-1:000000000000:cert/" + id:   fault.Invalid,
		"us-east-1:00000000-0000-0000-0000-000000000000": fault.Invalid,
		r.ARN("cert/" + id):                              0,
	} {
		err := r.AttachPolicy(t.Context(), "p", target)
		if kind == 0 {
			must(t, err)
			continue
		}
		wantKind(t, err, kind, "")
	}
	wantKind(t, r.AttachPolicy(t.Context(), "q", r.ARN("cert/"+id)), fault.NotFound, "")
}

func TestListPoliciesByAge(t *testing.T) {
	r := newRegistry(t)
	for _, n := range []string{"c", "a", "b"} {
		_, err := r.CreatePolicy(t.Context(), n, allowOne)
		must(t, err)
	}
	up, _, err := r.ListPolicies(t.Context(), true, Page{})
	must(t, err)
	if len(up) != 3 {
		t.Errorf("policies %v", up)
	}
}

// A policy cannot vanish while it is being attached: either the attachment or the deletion is refused.
func TestAttachAgainstDelete(t *testing.T) {
	r := newRegistry(t)
	_, arn := register(t, r)
	for i := range 50 {
		name := fmt.Sprintf("p%d", i)
		_, err := r.CreatePolicy(t.Context(), name, allowOne)
		must(t, err)
		var attached, deleted atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { attached.Store(r.AttachPolicy(t.Context(), name, arn) == nil) })
		wg.Go(func() { deleted.Store(r.DeletePolicy(t.Context(), name) == nil) })
		wg.Wait()
		if attached.Load() == deleted.Load() {
			t.Fatalf("attached %v, deleted %v", attached.Load(), deleted.Load())
		}
		must(t, r.DetachPolicy(t.Context(), name, arn))
	}
}
