package cloudformation

import (
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// desired is what a stack is to become.
type desired struct {
	template   *Template
	parameters map[string]string
	tags       []iam.Tag
}

// applier brings a stack from what it is to what it is to become: first everything that is new or changed, in the order of
// references, then what is not wanted any more, backwards. It changes the record's stack and the work's changes; after an
// error neither is to be kept.
type applier struct {
	*record
	w     *work
	scope *scope
	want  desired

	before []Resource // what was there
	leave  []Resource // of these what has to go in the end
	done   []*Resource
	failed *Resource // the one at which an error stopped
	change []ResourceChange
}

// ResourceChange is what a change set does to a resource.
type ResourceChange struct {
	Action      string // Add, Modify, Remove
	LogicalID   string
	PhysicalID  string // "" for what is added
	Type        string
	Replacement bool
}

func (s *Stacks) applier(r *record, w *work, want desired) *applier {
	r.hide = want.template.hasSecrets()
	return &applier{
		record: r, w: w, want: want, before: r.stack.Resources,
		scope: want.template.scope(want.parameters, s.pseudo(r.stack)),
	}
}

// run does it all.
func (a *applier) run() error {
	wanted, err := a.scope.wanted()
	if err != nil {
		return err
	}
	a.leave = slices.DeleteFunc(slices.Clone(a.before), func(b Resource) bool {
		return slices.ContainsFunc(wanted, func(r *resource) bool { return r.id == b.LogicalID })
	})
	a.stack.Resources = nil
	for _, r := range wanted {
		if err := a.resource(r); err != nil {
			return err
		}
	}
	outputs, err := a.outputs()
	if err != nil {
		return err
	}
	a.stack.Outputs = outputs
	return a.cleanUp()
}

// resource makes or changes one resource, or finds that it is as it should be.
func (a *applier) resource(r *resource) error {
	properties, err := a.scope.eval(r.properties)
	if err == nil && r.kind == roleType {
		properties, err = withStackTags(properties, a.want.tags)
	}
	res := &Resource{LogicalID: r.id, Type: r.kind.name, Retain: r.retain, Properties: properties.json(), Updated: a.at}
	if err != nil {
		return a.fails(res, CreateFailed, err)
	}
	i := slices.IndexFunc(a.before, func(b Resource) bool { return b.LogicalID == r.id })
	if i < 0 {
		return a.create(r, res, properties)
	}
	old := a.before[i]
	if old.Type != r.kind.name {
		a.replace(old)
		return a.create(r, res, properties)
	}
	return a.update(r, res, properties, old)
}

// withStackTags gives a role the stack's tags, too; its own go first.
func withStackTags(p node, tags []iam.Tag) (node, error) {
	if len(tags) == 0 {
		return p, nil
	}
	own, err := readTags(p)
	if err != nil {
		return p, err
	}
	all := node{kind: kindList}
	for _, t := range tags {
		if !slices.ContainsFunc(own, func(o iam.Tag) bool { return strings.EqualFold(o.Key, t.Key) }) {
			own = append(own, t)
		}
	}
	for _, t := range own {
		all.items = append(all.items, node{kind: kindObject, names: []string{"Key", "Value"}, items: []node{scalar(t.Key), scalar(t.Value)}})
	}
	out := node{kind: kindObject}
	for i, name := range p.names {
		if name != "Tags" {
			out.names, out.items = append(out.names, name), append(out.items, p.items[i])
		}
	}
	out.names, out.items = append(out.names, "Tags"), append(out.items, all)
	return out, nil
}

func (a *applier) create(r *resource, res *Resource, properties node) error {
	a.resourceIs(res, CreateInProgress, "")
	m, err := r.kind.create(a.w, r.id, properties)
	if err != nil {
		return a.fails(res, CreateFailed, err)
	}
	res.PhysicalID = m.physicalID
	a.resourceIs(res, CreateInProgress, "Resource creation Initiated")
	a.resourceIs(res, CreateComplete, "")
	if !slices.ContainsFunc(a.change, func(c ResourceChange) bool { return c.LogicalID == r.id }) {
		a.change = append(a.change, ResourceChange{Action: "Add", LogicalID: r.id, Type: res.Type})
	}
	a.keep(res, m)
	return nil
}

func (a *applier) keep(res *Resource, m made) {
	a.scope.made[res.LogicalID] = m
	a.stack.Resources = append(a.stack.Resources, *res)
	a.done = append(a.done, res)
}

// replace notes that another resource takes the place of one, which goes in the end: a DeletionPolicy is about the end of
// the stack.
func (a *applier) replace(old Resource) {
	old.Retain = false
	a.leave = append(a.leave, old)
	a.change = append(a.change, ResourceChange{Action: "Modify", LogicalID: old.LogicalID, PhysicalID: old.PhysicalID, Type: old.Type, Replacement: true})
}

func (a *applier) update(r *resource, res *Resource, properties node, old Resource) error {
	before, err := readJSON([]byte(old.Properties))
	if err != nil {
		return err
	}
	res.PhysicalID, res.Status = old.PhysicalID, old.Status
	same := old.Properties == res.Properties
	if !same {
		a.resourceIs(res, UpdateInProgress, "")
	}
	m, replace, err := r.kind.update(a.w, old.PhysicalID, before, properties)
	switch {
	case err != nil:
		return a.fails(res, UpdateFailed, err)
	case replace:
		a.replace(old)
		res.PhysicalID = ""
		return a.create(r, res, properties)
	case same:
		res.Updated, res.Reason = old.Updated, old.Reason
	default:
		a.resourceIs(res, UpdateComplete, "")
		a.change = append(a.change, ResourceChange{Action: "Modify", LogicalID: r.id, PhysicalID: old.PhysicalID, Type: old.Type})
	}
	a.keep(res, m)
	return nil
}

// cleanUp removes what is left, in the opposite of the order in which it was made.
func (a *applier) cleanUp() error {
	for _, b := range slices.Backward(a.before) {
		i := slices.IndexFunc(a.leave, func(l Resource) bool { return l.LogicalID == b.LogicalID })
		if i < 0 {
			continue
		}
		old := a.leave[i]
		if !slices.ContainsFunc(a.change, func(c ResourceChange) bool { return c.LogicalID == old.LogicalID }) {
			a.change = append(a.change, ResourceChange{Action: "Remove", LogicalID: old.LogicalID, PhysicalID: old.PhysicalID, Type: old.Type})
		}
		if err := a.remove(&old, nil); err != nil {
			return err
		}
	}
	return nil
}

// remove removes one resource, unless it is to stay.
func (a *applier) remove(res *Resource, retain []string) error {
	if res.Retain || slices.Contains(retain, res.LogicalID) {
		a.resourceIs(res, DeleteSkipped, "")
		return nil
	}
	a.resourceIs(res, DeleteInProgress, "")
	properties, err := readJSON([]byte(res.Properties))
	if err == nil {
		err = resourceTypes[res.Type].remove(a.w, res.PhysicalID, properties)
	}
	if err != nil {
		return a.fails(res, DeleteFailed, err)
	}
	a.resourceIs(res, DeleteComplete, "")
	return nil
}

// fails notes the resource at which an error stops everything.
func (a *applier) fails(res *Resource, status Status, err error) error {
	a.resourceIs(res, status, oneLine(err))
	a.failed = res
	return err
}

// outputs evaluates the outputs.
func (a *applier) outputs() ([]Output, error) {
	var list []Output
	for _, o := range a.want.template.outputs {
		if o.condition != "" {
			yes, err := a.scope.holds(o.condition)
			if err != nil {
				return nil, err
			}
			if !yes {
				continue
			}
		}
		out := Output{Key: o.key}
		for _, part := range []struct {
			from node
			to   *string
			what string
		}{{o.value, &out.Value, "Value"}, {o.description, &out.Description, "Description"}, {o.export, &out.Export, "Export"}} {
			value, err := a.scope.eval(part.from)
			if err != nil {
				return nil, err
			}
			if value.kind != kindScalar && part.from.kind != kindNone {
				return nil, invalid("Template format error: Output %s is malformed. The %s field of every Outputs member must evaluate to a String.", o.key, part.what)
			}
			*part.to = value.text
		}
		list = append(list, out)
	}
	return list, nil
}

// unchanged reports whether nothing was done that anybody could see.
func (a *applier) unchanged(before *Stack) bool {
	return len(a.change) == 0 && slices.Equal(before.Outputs, a.stack.Outputs) && slices.Equal(before.Tags, a.want.tags)
}

// ours reports whether an error is about the stack, so that it is rolled back, and not about the server.
func ours(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unavailable, fault.Conflict:
		return false
	case fault.Invalid, fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Exists, fault.InUse, fault.TooLarge, fault.Throttled, fault.Unsupported:
		return true
	}
	return false
}
