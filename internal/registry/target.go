package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// target is what policies are attached to: the resource part of an ARN, "cert/<id>" or "thinggroup/<name>".
type target struct{ kind, name string }

const (
	certificateKind = "cert"
	groupKind       = "thinggroup"
)

func certificateTarget(id string) target { return target{certificateKind, id} }
func groupTarget(name string) target     { return target{groupKind, name} }

func (t target) String() string { return t.kind + "/" + t.name }

// targetOf is what an ARN names.
func (r *Registry) targetOf(arn string) (target, error) {
	name, ok := strings.CutPrefix(arn, r.ARN(groupKind+"/"))
	if ok {
		return groupTarget(name), groupName.check(name)
	}
	id, err := r.certificateOf(arn)
	return certificateTarget(id), err
}

// policiesOf are the names of the policies attached to a target itself.
func (r *Registry) policiesOf(ctx context.Context, t target) ([]string, error) {
	if t.kind == groupKind {
		g, _, err := r.loadGroup(ctx, t.name)
		if err != nil {
			return nil, err
		}
		return g.Policies, nil
	}
	c, _, err := r.loadCertificate(ctx, t.name)
	if err != nil {
		return nil, err
	}
	return c.Policies, nil
}

// changePolicies rewrites the list of a target's policies under its document's revision.
func (r *Registry) changePolicies(ctx context.Context, t target, relied []string, change func(policies *[]string) ([]store.DocOp, error)) error {
	if t.kind == groupKind {
		return r.changeGroup(ctx, t.name, relied, func(g *ThingGroup) ([]store.DocOp, error) { return change(&g.Policies) })
	}
	return r.changeCertificate(ctx, t.name, relied, func(c *Certificate) ([]store.DocOp, error) { return change(&c.Policies) })
}

// lineage gives the names of the policies of groups and of all groups above them, each once and in order, and the
// documents that this was read from. A group that is gone has none: the change is on its way.
func (r *Registry) lineage(ctx context.Context, groups []string) (policies []string, from []document, err error) {
	seen := map[string]bool{}
	for queue := slices.Clone(groups); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if seen[name] {
			continue
		}
		seen[name] = true
		from = append(from, document{groupsBucket, name})
		g, _, err := r.loadGroup(ctx, name)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		policies = append(policies, g.Policies...)
		queue = append(queue, g.Ancestors...)
	}
	return ordered(policies), from, nil
}

// ordered is the union of lists of names: sorted, each once.
func ordered(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// targetKey is the key of one target of a policy.
func targetKey(policyName string, t target) string { return policyName + "/" + t.String() }
