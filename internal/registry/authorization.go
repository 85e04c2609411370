package registry

import (
	"context"
	"net/netip"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// EffectivePolicies gives the policies that decide about a device, in the order of their names: those of the principal,
// the ARN of a certificate or a thing group (with the groups above), and those of the groups of a thing. With a
// certificate the thing must be attached to it, as when it connects; either may be empty, but not both.
func (r *Registry) EffectivePolicies(ctx context.Context, principal, thing string) ([]Policy, error) {
	if principal == "" && thing == "" {
		return nil, fault.New(fault.Invalid, "neither principal nor thingName is given")
	}
	names, err := r.effectiveNames(ctx, principal, thing)
	if err != nil {
		return nil, err
	}
	list := make([]Policy, 0, len(names))
	for _, name := range names {
		p, _, err := r.loadPolicy(ctx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

func (r *Registry) effectiveNames(ctx context.Context, principal, thing string) ([]string, error) {
	var groups []string
	if thing != "" {
		t, _, err := r.loadThing(ctx, thing)
		if err != nil {
			return nil, err
		}
		groups = t.Groups
	}
	var own []string
	if principal != "" {
		t, err := r.targetOf(principal)
		if err != nil {
			return nil, err
		}
		if own, err = r.policiesOf(ctx, t); err != nil {
			return nil, err
		}
		if t.kind == groupKind {
			groups = append(slices.Clone(groups), t.name)
		} else if ok, err := r.isAttached(ctx, t.name, thing); err != nil || !ok {
			return own, err
		}
	}
	inherited, _, err := r.lineage(ctx, groups)
	return ordered(own, inherited), err
}

func (r *Registry) isAttached(ctx context.Context, certID, thing string) (bool, error) {
	_, _, err := documents.Load[Attachment](ctx, r.cfg.Store, certThingsBucket, certID+"/"+thing)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// AuthorizationTest asks what a principal may do, with other policies than it has if wanted.
type AuthorizationTest struct {
	Principal string   // ARN of a certificate, whatever its status, or of a thing group; empty for nobody
	ClientID  string   // may be empty
	Add, Skip []string // names of policies that count too, and that do not
	Questions []Question
}

// Question is one action, "iot:Publish", on one or more resources, all of which must be allowed.
type Question struct {
	Action    string
	Resources []string
}

// Verdict is the answer to a Question. The lists are names of policies, in their order, except Missing.
type Verdict struct {
	Allowed  bool
	Explicit bool     // a Deny statement matched
	Allowing []string // with a statement that allows
	Denying  []string // with a statement that denies
	Silent   []string // with neither
	Missing  []string // variables and condition keys that the policies ask for and that have no value
}

// TestAuthorization answers each question as the gateway would answer the principal's connection. What only a connection
// has (its address, its domain) has no value here.
func (r *Registry) TestAuthorization(ctx context.Context, t AuthorizationTest) ([]Verdict, error) {
	names, vars, err := r.testSubject(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, name := range t.Skip {
		if err := policyName.check(name); err != nil {
			return nil, err
		}
	}
	names = slices.DeleteFunc(ordered(names, t.Add), func(n string) bool { return slices.Contains(t.Skip, n) })
	sources := make([]policy.Source, 0, len(names))
	for _, name := range names {
		if _, _, err := r.loadPolicy(ctx, name); err != nil {
			return nil, err // an added one that is not there is the caller's mistake
		}
		s, err := r.policySource(ctx, name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s.Source)
	}
	set := policy.Compile(sources...)
	verdicts := make([]Verdict, 0, len(t.Questions))
	for _, q := range t.Questions {
		v := r.judge(set, vars, q)
		for _, name := range names {
			if !slices.Contains(v.Allowing, name) && !slices.Contains(v.Denying, name) {
				v.Silent = append(v.Silent, name)
			}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// testSubject gives the policies and the variables of the principal that is tested.
func (r *Registry) testSubject(ctx context.Context, t AuthorizationTest) ([]string, *policy.Connection, error) {
	stranger := &policy.Connection{ClientID: t.ClientID, HasClientID: t.ClientID != ""}
	if t.Principal == "" {
		return nil, stranger, nil
	}
	to, err := r.targetOf(t.Principal)
	if err != nil {
		return nil, nil, err
	}
	if to.kind == groupKind {
		names, err := r.effectiveNames(ctx, t.Principal, "")
		return names, stranger, err
	}
	c, _, err := r.loadCertificate(ctx, to.name)
	if err != nil {
		return nil, nil, err
	}
	id, err := r.identityOf(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	thing := ""
	if ref := id.Thing(t.ClientID); ref != nil {
		thing = ref.Name
	}
	names, err := r.effectiveNames(ctx, t.Principal, thing)
	return names, id.Connection(t.ClientID, netip.Addr{}, ""), err
}

func (r *Registry) judge(set *policy.Set, vars *policy.Connection, q Question) Verdict {
	v := Verdict{Allowed: true}
	for _, resource := range q.Resources {
		e := set.Evaluate(&policy.Request{Action: q.Action, Resource: resource, Vars: vars, Now: r.now()})
		v.Allowed = v.Allowed && e.Decision.Allowed
		v.Explicit = v.Explicit || e.Decision.Explicit
		v.Allowing = append(v.Allowing, namesOfSources(e.Allowing)...)
		v.Denying = append(v.Denying, namesOfSources(e.Denying)...)
		v.Missing = append(v.Missing, e.Missing...)
	}
	v.Allowing, v.Denying, v.Missing = ordered(v.Allowing), ordered(v.Denying), ordered(v.Missing)
	return v
}

func namesOfSources(sources []policy.Source) []string {
	names := make([]string, 0, len(sources))
	for _, s := range sources {
		names = append(names, s.Name)
	}
	return names
}
