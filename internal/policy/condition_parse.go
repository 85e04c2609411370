package policy

import (
	"errors"
	"strings"
)

// conditions reads the Condition element: operator, key, values.
func (p *statementParser) conditions(n node) error {
	at := below(p.at, "Condition")
	if n.kind != nodeObject {
		return refuse(at, "must be an object, is %v", n.kind)
	}
	for i, name := range n.names {
		if err := p.operator(at, name, n.items[i]); err != nil {
			return err
		}
	}
	return nil
}

// operator reads the keys under one operator.
func (p *statementParser) operator(at, name string, n node) error {
	c, err := parseOperator(name)
	if err != nil {
		return refuseOperator(at, name, err)
	}
	at = below(at, name)
	if n.kind != nodeObject {
		return refuse(at, "must be an object of keys and values, is %v", n.kind)
	}
	for i, key := range n.names {
		c := c
		c.key, c.keyText = Fold(key), key
		if key == "" {
			return refuse(at, "a condition key is empty")
		}
		// IAM Access Analyzer, "Duplicate keys with different case": which of the two counts would be a guess.
		for _, other := range n.names[:i] {
			if Fold(other) == c.key {
				return refuse(at, "%q and %q are the same key", other, key)
			}
		}
		if c.operands, err = p.operands(below(at, key), c.op, n.items[i]); err != nil {
			return err
		}
		p.st.conditions = append(p.st.conditions, c)
	}
	return nil
}

var (
	errUnknownOperator = errors.New("unknown operator")
	errNullQualified   = errors.New("neither prefix nor IfExists go with Null, but there is")
)

// parseOperator takes prefix and suffix off an operator.
func parseOperator(name string) (condition, error) {
	c := condition{opText: name}
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.set = rest, forAnyValue
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	op, ok := findOperator(base)
	if !ok {
		return c, errUnknownOperator
	}
	if op.family == familyNull && base != name {
		return c, errNullQualified
	}
	c.op = op
	return c, nil
}

func refuseOperator(at, name string, err error) error {
	refusal := refuse(at, "%s %q", err, name)
	_, base, qualified := strings.Cut(name, ":")
	if !qualified {
		base = name
	}
	if near := nearest(strings.TrimSuffix(base, "IfExists"), operatorNames()); near != "" && near != "Null" {
		return refusal.WithRemedy("did you mean %q?", near)
	}
	return refusal
}

// operands reads the values of one key: a string, number or boolean, or a list of them. An empty list is legal; the
// AWS page "Connect policy examples" has one.
func (p *statementParser) operands(at string, op *operator, n node) ([]operand, error) {
	items := []node{n}
	if n.kind == nodeArray {
		items = n.items
	}
	list := make([]operand, 0, len(items))
	for _, item := range items {
		if item.kind != nodeString && item.kind != nodeNumber && item.kind != nodeBool {
			return nil, refuse(at, "must be a string or an array of strings, has %v", item.kind)
		}
		o, err := op.operand(item.text, p.variables)
		if err != nil {
			return nil, refuse(at, "%q: %s", item.text, err)
		}
		list = append(list, o)
	}
	return list, nil
}
