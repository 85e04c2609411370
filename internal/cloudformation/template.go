package cloudformation

import (
	"errors"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Bounds of what a template declares: CloudFormation quotas.
const (
	maxParameters  = 200
	maxResources   = 500
	maxOutputs     = 200
	maxDescription = 1024 // bytes
)

// templateVersion is the only AWSTemplateFormatVersion there is.
const templateVersion = "2010-09-09"

// Template is a template that was checked as a whole: what it refers to is there, and all types and functions are known.
type Template struct {
	Version     string // "" when it has none
	Description string
	Parameters  []*Parameter // in their order, as everything here
	steps       int          // of all patterns
	conditions  []namedNode
	resources   []*resource // in the order in which they can be made
	outputs     []*output
}

type namedNode struct {
	name string
	node node
}

// resource is the declaration of a resource.
type resource struct {
	id         string // logical id
	kind       *resourceType
	properties node
	condition  string // "" for none
	after      []string
	retain     bool // DeletionPolicy: Retain
}

type output struct {
	key, condition      string
	value               node
	description, export node // kindNone for none
}

// ParseTemplate reads and checks the text of a template, JSON or YAML. Errors are fault.Invalid in CloudFormation's words,
// fault.Unsupported for what AWS has and Thingwire does not.
func ParseTemplate(text string) (*Template, error) {
	root, err := readTemplate(text)
	if err != nil {
		return nil, err
	}
	t := &Template{}
	for i, section := range root.names {
		if err := t.section(section, root.items[i]); err != nil {
			return nil, err
		}
	}
	if len(t.resources) == 0 {
		return nil, malformed("At least one Resources member must be defined.")
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) section(name string, n node) error {
	switch name {
	case "AWSTemplateFormatVersion":
		if n.kind != kindScalar || n.text != templateVersion {
			return malformed("Template format version not supported: %s", fault.Plain(n.text))
		}
		t.Version = n.text
		return nil
	case "Description":
		if n.kind != kindScalar || len(n.text) > maxDescription {
			return malformed("Description must be a string of at most %d bytes", maxDescription)
		}
		t.Description = n.text
		return nil
	case "Metadata":
		return nil
	case "Parameters":
		return each(n, name, maxParameters, t.addParameter)
	case "Conditions":
		return each(n, name, maxResources, t.addCondition)
	case "Resources":
		return each(n, name, maxResources, t.addResource)
	case "Outputs":
		return each(n, name, maxOutputs, t.addOutput)
	case "Mappings", "Transform", "Rules", "Hooks":
		return absent("the template section %s", name)
	}
	return malformed("Invalid template property or properties [%s]", fault.Plain(name))
}

// each calls add with every member of a section.
func each(n node, section string, most int, add func(name string, n node) error) error {
	if n.kind != kindObject {
		return malformed("'%s' must be an object, is %s%s", section, n.kind, n.where())
	}
	if len(n.names) > most {
		return malformed("'%s' has %d members, %d are allowed", section, len(n.names), most)
	}
	for i, name := range n.names {
		if err := add(name, n.items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) addParameter(name string, n node) error {
	p, err := parseParameter(name, n)
	if err != nil {
		return err
	}
	if t.steps += p.steps; t.steps > maxPatterns {
		return malformed("the AllowedPatterns of all parameters have more than %d steps", maxPatterns)
	}
	t.Parameters = append(t.Parameters, p)
	return nil
}

func (t *Template) addCondition(name string, n node) error {
	if !alphanumeric(name, 255) {
		return malformed("Condition name %s is non alphanumeric.", fault.Plain(name))
	}
	t.conditions = append(t.conditions, namedNode{name, n})
	return nil
}

func (t *Template) addResource(id string, n node) error {
	if !alphanumeric(id, 255) {
		return malformed("Resource name %s is non alphanumeric.", fault.Plain(id))
	}
	if n.kind != kindObject {
		return malformed("Every Resources object must contain a Type member%s", n.where())
	}
	r := &resource{id: id, properties: node{kind: kindObject}}
	for i, attribute := range n.names {
		if err := r.read(attribute, n.items[i]); err != nil {
			return err
		}
	}
	if r.kind == nil {
		return malformed("[/Resources/%s] Every Resources object must contain a Type member%s", id, n.where())
	}
	t.resources = append(t.resources, r)
	return nil
}

// read reads one attribute of a resource ("Resource attributes").
func (r *resource) read(attribute string, n node) error {
	switch attribute {
	case "Type":
		return r.readType(n)
	case "Properties":
		if n.kind != kindObject {
			return malformed("[/Resources/%s/Properties] must be an object, is %s%s", r.id, n.kind, n.where())
		}
		r.properties = n
	case "Condition":
		if n.kind != kindScalar {
			return malformed("[/Resources/%s/Condition] must be a string%s", r.id, n.where())
		}
		r.condition = n.text
	case "DependsOn":
		if n.kind == kindScalar {
			n = node{kind: kindList, items: []node{n}}
		}
		after, ok := n.texts()
		if !ok {
			return malformed("[/Resources/%s/DependsOn] must be a string or a list of strings%s", r.id, n.where())
		}
		r.after = after
	case "DeletionPolicy":
		switch n.text {
		case "Delete", "RetainExceptOnCreate":
		case "Retain":
			r.retain = true
		default:
			return malformed("Unrecognized DeletionPolicy %s for resource %s", fault.Plain(n.text), r.id)
		}
	case "UpdateReplacePolicy":
		if n.text != "Delete" {
			return absent("the UpdateReplacePolicy %s", fault.Plain(n.text))
		}
	case "Metadata":
	case "CreationPolicy", "UpdatePolicy":
		return absent("the resource attribute %s", attribute)
	default:
		return malformed("Invalid template resource property '%s'", fault.Plain(attribute))
	}
	return nil
}

func (r *resource) readType(n node) error {
	if n.kind != kindScalar {
		return malformed("[/Resources/%s/Type] must be a string%s", r.id, n.where())
	}
	if r.kind = resourceTypes[n.text]; r.kind != nil {
		return nil
	}
	for _, service := range []string{"AWS::", "Alexa::", "Custom::"} {
		if strings.HasPrefix(n.text, service) {
			return absent("the resource type %s (resource %s)", fault.Plain(n.text), r.id)
		}
	}
	return malformed("Unrecognized resource types: [%s]", fault.Plain(n.text))
}

func (t *Template) addOutput(key string, n node) error {
	if !alphanumeric(key, 255) {
		return malformed("Output name %s is non alphanumeric.", fault.Plain(key))
	}
	o := &output{key: key}
	if n.kind != kindObject {
		return malformed("[/Outputs/%s] must be an object, is %s%s", key, n.kind, n.where())
	}
	for i, attribute := range n.names {
		item := n.items[i]
		switch attribute {
		case "Value":
			o.value = item
		case "Description":
			o.description = item
		case "Condition":
			o.condition = item.text
		case "Export":
			name, ok := item.member("Name")
			if !ok || len(item.names) != 1 {
				return malformed("[/Outputs/%s/Export] must be an object with a Name%s", key, item.where())
			}
			o.export = name
		default:
			return malformed("Invalid template output property '%s'", fault.Plain(attribute))
		}
	}
	if o.value.kind == kindNone {
		return malformed("Every Outputs member must contain a Value object%s", n.where())
	}
	t.outputs = append(t.outputs, o)
	return nil
}

func (t *Template) resource(id string) *resource {
	i := slices.IndexFunc(t.resources, func(r *resource) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	return t.resources[i]
}

func (t *Template) condition(name string) (node, bool) {
	i := slices.IndexFunc(t.conditions, func(c namedNode) bool { return c.name == name })
	if i < 0 {
		return node{}, false
	}
	return t.conditions[i].node, true
}

// Types are the types of the resources, each once.
func (t *Template) Types() []string {
	var types []string
	for _, r := range t.resources {
		if !slices.Contains(types, r.kind.name) {
			types = append(types, r.kind.name)
		}
	}
	slices.Sort(types)
	return types
}

// The capabilities that a caller acknowledges (API reference, CreateStack).
const (
	CapabilityIAM      = "CAPABILITY_IAM"
	CapabilityNamedIAM = "CAPABILITY_NAMED_IAM"
)

// Capability is what a caller has to acknowledge: every type that there is belongs to IAM. reason says in
// CloudFormation's words why.
func (t *Template) Capability() (capability, reason string) {
	capability = CapabilityIAM
	for _, r := range t.resources {
		if r.kind.named == "" {
			continue
		}
		if _, named := r.properties.member(r.kind.named); named {
			capability = CapabilityNamedIAM
		}
	}
	return capability, "The following resource(s) require capabilities: [" + strings.Join(t.Types(), ", ") + "]"
}

// acknowledged refuses a template whose capability was not acknowledged. The stronger one covers the weaker.
func (t *Template) acknowledged(capabilities []string) error {
	for _, c := range capabilities {
		if c != CapabilityIAM && c != CapabilityNamedIAM && c != "CAPABILITY_AUTO_EXPAND" {
			return invalid("1 validation error detected: Value '[%s]' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: "+
				"[CAPABILITY_NAMED_IAM, CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]", fault.Plain(c))
		}
	}
	needed, _ := t.Capability()
	if slices.Contains(capabilities, needed) || slices.Contains(capabilities, CapabilityNamedIAM) {
		return nil
	}
	return refuse(fault.Invalid, ErrInsufficientCapabilities, "Requires capabilities : [%s]", needed)
}

// isRefusal reports whether an error is one of ours, with its words.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}
