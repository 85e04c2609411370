package cloudformation

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thingwire/thingwire/internal/fault"
)

// readYAML reads a template that is YAML.
func readYAML(data []byte) (node, error) {
	var doc yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(data))
	if err := in.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return node{}, malformed("the template is empty")
		}
		return node{}, malformed("YAML not well-formed. %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := in.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return node{}, malformed("there is a second document behind the first")
	}
	if len(doc.Content) != 1 {
		return node{}, malformed("the template is empty")
	}
	return yamlNode(doc.Content[0], 0)
}

// yamlNode converts a node. Anchors may stand there, aliases not: CloudFormation has none ("Template formats"), and they
// make much of little.
func yamlNode(y *yaml.Node, depth int) (node, error) {
	if depth > maxDepth {
		return node{}, malformed("more than %d levels (line %d)", maxDepth, y.Line)
	}
	if y.Kind == yaml.AliasNode {
		return node{}, malformed("YAML aliases are not allowed in CloudFormation templates (line %d)", y.Line)
	}
	n, err := yamlPlain(y, depth)
	if err != nil {
		return node{}, err
	}
	if tag := y.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") && tag != "!" {
		return shortForm(tag[1:], n)
	}
	return n, nil
}

// yamlPlain leaves the tag aside, with which a scalar stays the text that stands there: 2012-10-17 is no date.
func yamlPlain(y *yaml.Node, depth int) (node, error) {
	n := node{line: y.Line}
	switch y.Kind {
	case yaml.ScalarNode:
		if y.Tag == "!!null" {
			return node{}, malformed("'null' values are not allowed in templates (line %d)", y.Line)
		}
		n.kind, n.text = kindScalar, y.Value
	case yaml.SequenceNode:
		n.kind = kindList
		for _, c := range y.Content {
			item, err := yamlNode(c, depth+1)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, item)
		}
	case yaml.MappingNode:
		n.kind = kindObject
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return node{}, malformed("a key must be a string (line %d)", key.Line)
			}
			item, err := yamlNode(y.Content[i+1], depth+1)
			if err != nil {
				return node{}, err
			}
			if err := n.add(key.Value, item); err != nil {
				return node{}, err
			}
		}
	case yaml.DocumentNode, yaml.AliasNode:
		return node{}, malformed("unsupported structure (line %d)", y.Line)
	}
	return n, nil
}

// shortForm is the long form of !Ref and its like ("Intrinsic function reference").
func shortForm(tag string, n node) (node, error) {
	switch tag {
	case fnRef, fnCondition:
		return single(tag, n), nil
	case "GetAtt":
		if n.kind == kindScalar {
			id, attribute, _ := strings.Cut(n.text, ".")
			n = node{kind: kindList, items: []node{scalar(id), scalar(attribute)}, line: n.line}
		}
	}
	if !isFunction("Fn::" + tag) {
		return node{}, malformed("the tag !%s is unknown%s", fault.Plain(tag), n.where())
	}
	return single("Fn::"+tag, n), nil
}
