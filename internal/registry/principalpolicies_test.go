package registry

import (
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

// The deprecated calls see and change what the calls of today do, for certificates.
func TestPrincipalPolicies(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	_, arn := register(t, r)
	newGroups(t, r, "g")
	group, nobody := r.ARN("thinggroup/g"), r.ARN("cert/"+strings.Repeat("0", 64))
	for _, name := range []string{"p", "q"} {
		_, err := r.CreatePolicy(ctx, name, allowOne)
		must(t, err)
	}
	must(t, r.AttachPrincipalPolicy(ctx, "p", arn))
	must(t, r.AttachPrincipalPolicy(ctx, "p", arn))
	must(t, r.AttachPolicy(ctx, "q", arn))
	must(t, r.AttachPolicy(ctx, "p", group))
	names, _, err := r.ListPrincipalPolicies(ctx, arn, Page{})
	if must(t, err); !slices.Equal(names, []string{"p", "q"}) {
		t.Errorf("policies %v", names)
	}
	principals, _, err := r.ListPolicyPrincipals(ctx, "p", Page{})
	if must(t, err); !slices.Equal(principals, []string{arn}) {
		t.Errorf("principals %v", principals)
	}
	must(t, r.DetachPrincipalPolicy(ctx, "p", arn))
	must(t, r.DetachPrincipalPolicy(ctx, "p", arn))
	if principals, _, err = r.ListPolicyPrincipals(ctx, "p", Page{}); err != nil || len(principals) != 0 {
		t.Errorf("principals after the detachment: %v, %v", principals, err)
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"attach, no policy":       {r.AttachPrincipalPolicy(ctx, "none", arn), fault.NotFound},
		"attach, no certificate":  {r.AttachPrincipalPolicy(ctx, "p", nobody), fault.NotFound},
		"attach, a group":         {r.AttachPrincipalPolicy(ctx, "p", group), fault.Invalid},
		"detach, no policy":       {r.DetachPrincipalPolicy(ctx, "none", arn), fault.NotFound},
		"detach, no certificate":  {r.DetachPrincipalPolicy(ctx, "p", nobody), fault.NotFound},
		"detach, a group":         {r.DetachPrincipalPolicy(ctx, "p", group), fault.Invalid},
		"detach, bad name":        {r.DetachPrincipalPolicy(ctx, "a b", arn), fault.Invalid},
		"policies, no ARN":        {listed(r.ListPrincipalPolicies(ctx, "x", Page{})), fault.Invalid},
		"policies, a group":       {listed(r.ListPrincipalPolicies(ctx, group, Page{})), fault.Invalid},
		"policies, nobody":        {listed(r.ListPrincipalPolicies(ctx, nobody, Page{})), fault.NotFound},
		"principals, no policy":   {listed(r.ListPolicyPrincipals(ctx, "none", Page{})), fault.NotFound},
		"principals, a bad name":  {listed(r.ListPolicyPrincipals(ctx, "", Page{})), fault.Invalid},
		"principals, a long name": {listed(r.ListPolicyPrincipals(ctx, strings.Repeat("p", 129), Page{})), fault.Invalid},
	} {
		if !fault.Is(c.err, c.kind) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// listed is the error of a list.
func listed[T any](_ []T, _ string, err error) error { return err }
