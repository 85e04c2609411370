package cloudformation

import (
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// pseudoParameters are the names beginning with AWS:: that Ref and Fn::Sub know ("Pseudo parameters").
var pseudoParameters = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// check looks at everything that refers to something else, and puts the resources in the order in which they can be made.
func (t *Template) check() error {
	for _, c := range t.conditions {
		k := checker{t: t, at: "Conditions", inCondition: true}
		if err := k.conditionNode(c.node); err != nil {
			return err
		}
	}
	for _, r := range t.resources {
		if err := t.checkResource(r); err != nil {
			return err
		}
	}
	for _, o := range t.outputs {
		k := checker{t: t, at: "Outputs"}
		for _, n := range []node{o.value, o.description, o.export} {
			if err := k.node(n); err != nil {
				return err
			}
		}
		if o.condition != "" {
			if err := k.conditionName(o.condition); err != nil {
				return err
			}
		}
	}
	for _, r := range t.resources {
		if t.parameter(r.id) != nil {
			return malformed("%s is a parameter and a resource", r.id)
		}
	}
	return t.order()
}

func (t *Template) checkResource(r *resource) error {
	for _, name := range r.properties.names {
		switch {
		case slices.Contains(r.kind.properties, name):
		case slices.Contains(r.kind.absent, name):
			return absent("the property %s of %s (resource %s)", name, r.kind.name, r.id)
		default:
			return invalid("Encountered unsupported property %s of %s (resource %s)", fault.Plain(name), r.kind.name, r.id).
				WithRemedy("known are %s", strings.Join(r.kind.properties, ", "))
		}
	}
	for _, name := range r.kind.required {
		if _, there := r.properties.member(name); !there {
			return invalid("Property %s of resource %s cannot be empty", name, r.id)
		}
	}
	k := checker{t: t, at: "Resources", by: r}
	if err := k.node(r.properties); err != nil {
		return err
	}
	for _, id := range r.after {
		if t.resource(id) == nil {
			return malformed("Unresolved resource dependencies [%s] in the Resources block of the template", fault.Plain(id))
		}
	}
	if r.condition != "" {
		return k.conditionName(r.condition)
	}
	return nil
}

// checker walks through one value and looks at the functions in it.
type checker struct {
	t           *Template
	at          string    // the section, for messages
	by          *resource // whose dependencies are collected; nil for none
	inCondition bool      // resources are not there yet
}

// node checks a value.
func (k *checker) node(n node) error {
	c, ok, err := n.asCall()
	if err != nil {
		return err
	}
	if ok {
		return k.call(c, n)
	}
	for i := range n.items {
		if err := k.node(n.items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) call(c call, n node) error {
	switch {
	case slices.Contains(absentFunctions, c.name):
		return absent("the function %s", c.name)
	case slices.Contains(conditionFunctions, c.name) && !k.inCondition:
		return malformed("%s may stand in Conditions only%s", c.name, n.where())
	}
	switch c.name {
	case fnRef:
		if c.arg.kind != kindScalar {
			return malformed("All Ref references must be of type string%s", n.where())
		}
		return k.reference(c.arg.text, "")
	case fnGetAtt:
		return k.getAtt(c.arg, n)
	case fnSub:
		return k.sub(c.arg, n)
	case fnJoin, fnSplit:
		if err := arguments(c, n, 2); err != nil {
			return err
		}
		if c.arg.items[0].kind != kindScalar {
			return malformed("the delimiter of %s must be a string%s", c.name, n.where())
		}
		return k.node(c.arg.items[1])
	case fnSelect:
		if err := arguments(c, n, 2); err != nil {
			return err
		}
		return k.items(c.arg.items)
	case fnIf:
		if err := arguments(c, n, 3); err != nil {
			return err
		}
		if err := k.conditionName(c.arg.items[0].text); err != nil {
			return err
		}
		return k.items(c.arg.items[1:])
	}
	return malformed("Unrecognized function %s%s", fault.Plain(c.name), n.where())
}

func (k *checker) items(items []node) error {
	for i := range items {
		if err := k.node(items[i]); err != nil {
			return err
		}
	}
	return nil
}

func arguments(c call, n node, many int) error {
	if c.arg.kind != kindList || len(c.arg.items) != many {
		return malformed("%s must have %d arguments, in a list%s", c.name, many, n.where())
	}
	return nil
}

func (k *checker) getAtt(arg, n node) error {
	if arg.kind == kindScalar { // JSON knows the list only, YAML's long form both
		id, attribute, _ := strings.Cut(arg.text, ".")
		return k.reference(id, attribute)
	}
	names, ok := arg.texts()
	if !ok || len(names) != 2 || names[1] == "" {
		return malformed("Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute%s", n.where())
	}
	return k.reference(names[0], names[1])
}

func (k *checker) sub(arg, n node) error {
	text, own := arg, node{kind: kindObject}
	if arg.kind == kindList && len(arg.items) == 2 {
		text, own = arg.items[0], arg.items[1]
	}
	if text.kind != kindScalar || own.kind != kindObject {
		return malformed("One or more Fn::Sub intrinsic functions don't specify expected arguments: a string, or a string and a map%s", n.where())
	}
	parts, err := parseSub(text.text)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.name == "" || slices.Contains(own.names, p.name) {
			continue
		}
		id, attribute, _ := strings.Cut(p.name, ".")
		if err := k.reference(id, attribute); err != nil {
			return err
		}
	}
	return k.items(own.items)
}

// reference checks what Ref, Fn::GetAtt (with an attribute) or Fn::Sub names.
func (k *checker) reference(name, attribute string) error {
	if attribute == "" && (slices.Contains(pseudoParameters, name) || k.t.parameter(name) != nil) {
		return nil
	}
	r := k.t.resource(name)
	if r == nil || k.inCondition {
		return malformed("Unresolved resource dependencies [%s] in the %s block of the template", fault.Plain(name), k.at)
	}
	if attribute != "" && !slices.Contains(r.kind.attributes, attribute) {
		return malformed("Resource type %s does not support attribute {%s} (resource %s)", r.kind.name, fault.Plain(attribute), name)
	}
	if k.by != nil && !slices.Contains(k.by.after, name) {
		k.by.after = append(k.by.after, name)
	}
	return nil
}

func (k *checker) conditionName(name string) error {
	if _, ok := k.t.condition(name); !ok {
		return malformed("Unresolved condition dependency %s in the %s block of the template", fault.Plain(name), k.at)
	}
	return nil
}

// conditionNode checks what the section Conditions has for one name.
func (k *checker) conditionNode(n node) error {
	if n.kind != kindObject || len(n.names) != 1 {
		return malformed("Conditions can only be boolean operations on parameters and other conditions%s", n.where())
	}
	c := call{n.names[0], n.items[0]}
	switch c.name {
	case fnCondition:
		return k.conditionName(c.arg.text)
	case fnEquals:
		if err := arguments(c, n, 2); err != nil {
			return err
		}
		return k.items(c.arg.items)
	case fnNot:
		if err := arguments(c, n, 1); err != nil {
			return err
		}
	case fnAnd, fnOr:
		if c.arg.kind != kindList || len(c.arg.items) < 2 || len(c.arg.items) > 10 {
			return malformed("%s must have 2 to 10 conditions, in a list%s", c.name, n.where())
		}
	default:
		return malformed("Conditions can only be boolean operations on parameters and other conditions%s", n.where())
	}
	for i := range c.arg.items {
		if err := k.conditionNode(c.arg.items[i]); err != nil {
			return err
		}
	}
	return nil
}

// order sorts the resources so that each comes behind those that it refers to.
func (t *Template) order() error {
	var sorted []*resource
	done := map[string]bool{}
	for len(sorted) < len(t.resources) {
		before := len(sorted)
		for _, r := range t.resources {
			if !done[r.id] && !slices.ContainsFunc(r.after, func(id string) bool { return !done[id] }) {
				sorted, done[r.id] = append(sorted, r), true
			}
		}
		if len(sorted) == before {
			return invalid("Circular dependency between resources: [%s]", strings.Join(t.undone(done), ", "))
		}
	}
	t.resources = sorted
	return nil
}

func (t *Template) undone(done map[string]bool) (ids []string) {
	for _, r := range t.resources {
		if !done[r.id] {
			ids = append(ids, r.id)
		}
	}
	return ids
}
