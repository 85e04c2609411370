package cloudformation

import (
	"slices"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// maxWork bounds what evaluating one template makes, in bytes of text and values together: Fn::Sub in Fn::Sub doubles
// both with each level.
const maxWork = 1 << 20

// scope is what the values of a template may refer to while a stack is made.
type scope struct {
	t          *Template
	parameters map[string]string
	pseudo     map[string]string
	conditions map[string]*bool // nil while it is being found out

	made  map[string]made // resources that are there, by logical id
	spent int             // of maxWork
}

// made is a resource that is there.
type made struct {
	physicalID string
	attributes map[string]string
}

func (t *Template) scope(parameters, pseudo map[string]string) *scope {
	return &scope{t: t, parameters: parameters, pseudo: pseudo, conditions: map[string]*bool{}, made: map[string]made{}}
}

// eval gives the value of a node. kindNone is AWS::NoValue.
func (s *scope) eval(n node) (node, error) {
	if err := s.spend(1 + len(n.text)); err != nil {
		return node{}, err
	}
	c, ok, err := n.asCall()
	if err != nil {
		return node{}, err
	}
	if ok {
		return s.call(c)
	}
	out := node{kind: n.kind, text: n.text, line: n.line}
	for i := range n.items {
		item, err := s.eval(n.items[i])
		if err != nil {
			return node{}, err
		}
		if item.kind == kindNone {
			continue
		}
		out.items = append(out.items, item)
		if n.kind == kindObject {
			out.names = append(out.names, n.names[i])
		}
	}
	return out, nil
}

// spend counts what was made.
func (s *scope) spend(n int) error {
	if s.spent += n; s.spent > maxWork {
		return invalid("Template error: the functions of the template make more than %d bytes", maxWork)
	}
	return nil
}

func (s *scope) call(c call) (node, error) {
	switch c.name {
	case fnRef:
		return s.ref(c.arg.text)
	case fnGetAtt:
		if names, ok := c.arg.texts(); ok {
			return s.getAtt(names[0], names[1])
		}
		id, attribute, _ := strings.Cut(c.arg.text, ".")
		return s.getAtt(id, attribute)
	case fnSub:
		return s.sub(c.arg)
	case fnJoin:
		return s.join(c.arg.items[0].text, c.arg.items[1])
	case fnSplit:
		return s.split(c.arg.items[0].text, c.arg.items[1])
	case fnSelect:
		return s.selected(c.arg.items[0], c.arg.items[1])
	case fnIf:
		yes, err := s.holds(c.arg.items[0].text)
		if err != nil {
			return node{}, err
		}
		if yes {
			return s.eval(c.arg.items[1])
		}
		return s.eval(c.arg.items[2])
	}
	return node{}, malformed("Unrecognized function %s", fault.Plain(c.name))
}

func (s *scope) ref(name string) (node, error) {
	if name == "AWS::NoValue" {
		return node{}, nil
	}
	if value, ok := s.pseudo[name]; ok {
		return scalar(value), s.spend(len(value))
	}
	if p := s.t.parameter(name); p != nil {
		value := s.parameters[name]
		return p.node(value), s.spend(len(value))
	}
	m, ok := s.made[name]
	if !ok {
		return node{}, missing(name)
	}
	return scalar(m.physicalID), s.spend(len(m.physicalID))
}

// missing is about a resource that its condition leaves out.
func missing(id string) error {
	return malformed("Unresolved resource dependencies [%s]: its condition leaves it out", fault.Plain(id))
}

func (s *scope) getAtt(id, attribute string) (node, error) {
	m, ok := s.made[id]
	if !ok {
		return node{}, missing(id)
	}
	value := m.attributes[attribute]
	return scalar(value), s.spend(len(value))
}

func (s *scope) sub(arg node) (node, error) {
	own := node{kind: kindObject}
	if arg.kind == kindList {
		own, arg = arg.items[1], arg.items[0]
	}
	parts, err := parseSub(arg.text)
	if err != nil {
		return node{}, err
	}
	var b strings.Builder
	for _, p := range parts {
		text := p.literal
		if p.name != "" {
			value, err := s.variable(p.name, &own)
			if err != nil {
				return node{}, err
			}
			if value.kind != kindScalar {
				return node{}, invalid("Template error: ${%s} in Fn::Sub is %s, not a string", fault.Plain(p.name), value.kind)
			}
			text = value.text
		}
		if err := s.spend(len(text)); err != nil {
			return node{}, err
		}
		b.WriteString(text)
	}
	return scalar(b.String()), nil
}

// variable is what ${name} stands for: the map of Fn::Sub goes first.
func (s *scope) variable(name string, own *node) (node, error) {
	if n, ok := own.member(name); ok {
		return s.eval(n)
	}
	if id, attribute, ok := strings.Cut(name, "."); ok {
		return s.getAtt(id, attribute)
	}
	return s.ref(name)
}

// list evaluates what must be a list of strings.
func (s *scope) list(function string, n node) ([]string, error) {
	value, err := s.eval(n)
	if err != nil {
		return nil, err
	}
	texts, ok := value.texts()
	if !ok {
		return nil, invalid("Template error: every %s object requires a list of strings%s", function, n.where())
	}
	return texts, nil
}

func (s *scope) join(delimiter string, n node) (node, error) {
	texts, err := s.list(fnJoin, n)
	if err != nil {
		return node{}, err
	}
	size := len(delimiter) * len(texts)
	for _, text := range texts {
		size += len(text)
	}
	if err := s.spend(size); err != nil {
		return node{}, err
	}
	return scalar(strings.Join(texts, delimiter)), nil
}

func (s *scope) split(delimiter string, n node) (node, error) {
	value, err := s.eval(n)
	if err != nil {
		return node{}, err
	}
	if value.kind != kindScalar || delimiter == "" {
		return node{}, invalid("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split%s", n.where())
	}
	out := node{kind: kindList}
	for text := range strings.SplitSeq(value.text, delimiter) {
		out.items = append(out.items, scalar(text))
	}
	return out, s.spend(len(value.text))
}

func (s *scope) selected(index, n node) (node, error) {
	at, err := s.eval(index)
	if err != nil {
		return node{}, err
	}
	texts, err := s.list(fnSelect, n)
	if err != nil {
		return node{}, err
	}
	i, err := strconv.Atoi(at.text)
	if err != nil || i < 0 || i >= len(texts) {
		return node{}, invalid("Template error: Fn::Select cannot select nonexistent value at index %s", fault.Plain(at.text))
	}
	return scalar(texts[i]), nil
}

// holds says whether a condition holds.
func (s *scope) holds(name string) (bool, error) {
	if known, begun := s.conditions[name]; begun {
		if known == nil {
			return false, malformed("Circular dependency between conditions: [%s]", fault.Plain(name))
		}
		return *known, nil
	}
	n, ok := s.t.condition(name)
	if !ok {
		return false, malformed("Unresolved condition dependency %s", fault.Plain(name))
	}
	s.conditions[name] = nil
	yes, err := s.decide(n)
	s.conditions[name] = &yes
	return yes, err
}

func (s *scope) decide(n node) (bool, error) {
	name, arg := n.names[0], n.items[0]
	switch name {
	case fnCondition:
		return s.holds(arg.text)
	case fnEquals:
		a, err := s.eval(arg.items[0])
		if err != nil {
			return false, err
		}
		b, err := s.eval(arg.items[1])
		return a.json() == b.json(), err
	case fnNot:
		yes, err := s.decide(arg.items[0])
		return !yes, err
	}
	for i := range arg.items {
		yes, err := s.decide(arg.items[i])
		if err != nil || yes == (name == fnOr) {
			return yes, err
		}
	}
	return name == fnAnd, nil
}

// wanted are the resources whose conditions hold, in the order in which they are made.
func (s *scope) wanted() ([]*resource, error) {
	var list []*resource
	for _, r := range s.t.resources {
		if r.condition != "" {
			yes, err := s.holds(r.condition)
			if err != nil {
				return nil, err
			}
			if !yes {
				continue
			}
		}
		list = append(list, r)
	}
	return slices.Clip(list), nil
}
