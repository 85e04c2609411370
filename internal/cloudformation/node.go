package cloudformation

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// Bounds of a template: CloudFormation quotas, and a depth that no template of people reaches.
const (
	maxTemplate = 51200 // bytes
	maxDepth    = 64
)

// node is a value of a template, with its members in the order of the text. Numbers and booleans are the text that stands
// there: CloudFormation makes strings of them, too, where a document wants JSON.
type node struct {
	kind  nodeKind
	text  string // of a scalar
	names []string
	items []node // of a list; of an object, beside names
	line  int    // in the template, 0 where it is not known
}

type nodeKind uint8

const (
	kindNone   nodeKind = iota // no value: AWS::NoValue
	kindScalar                 // text
	kindList
	kindObject
)

var nodeWords = [...]string{"nothing", "a string", "a list", "an object"}

func (k nodeKind) String() string { return nodeWords[k] }

func scalar(text string) node { return node{kind: kindScalar, text: text} }

// object of one member, as functions are.
func single(name string, item node) node {
	return node{kind: kindObject, names: []string{name}, items: []node{item}, line: item.line}
}

// member is what an object has under a name.
func (n *node) member(name string) (node, bool) {
	if i := slices.Index(n.names, name); n.kind == kindObject && i >= 0 {
		return n.items[i], true
	}
	return node{}, false
}

// readTemplate reads the text of a template: JSON if it is, else YAML.
func readTemplate(text string) (node, error) {
	switch {
	case text == "":
		return node{}, malformed("the template is empty")
	case len(text) > maxTemplate:
		return node{}, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxTemplate)
	case !utf8.ValidString(text):
		return node{}, malformed("the template is not UTF-8")
	}
	data := []byte(text)
	var root node
	var err error
	if json.Valid(data) {
		root, err = readJSON(data)
	} else {
		root, err = readYAML(data)
	}
	if err == nil && root.kind != kindObject {
		err = malformed("unsupported structure: it must be an object, is %s", root.kind)
	}
	return root, err
}

// add puts a member into an object, once.
func (n *node) add(name string, item node) error {
	if slices.Contains(n.names, name) {
		return malformed("%s is there twice%s", fault.Plain(name), item.where())
	}
	n.names = append(n.names, name)
	n.items = append(n.items, item)
	return nil
}

// where says in which line a node stands.
func (n *node) where() string {
	if n.line == 0 {
		return ""
	}
	return " (line " + itoa(n.line) + ")"
}

// json is the node as JSON, members in their order, every scalar a string.
func (n *node) json() string {
	var b strings.Builder
	n.writeJSON(&b)
	return b.String()
}

func (n *node) writeJSON(b *strings.Builder) {
	switch n.kind {
	case kindNone:
		b.WriteString("null")
	case kindScalar:
		writeText(b, n.text)
	case kindList:
		b.WriteByte('[')
		for i := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			n.items[i].writeJSON(b)
		}
		b.WriteByte(']')
	case kindObject:
		b.WriteByte('{')
		for i := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, n.names[i])
			b.WriteByte(':')
			n.items[i].writeJSON(b)
		}
		b.WriteByte('}')
	}
}

// writeText writes a JSON string without the escapes that are for HTML.
func writeText(b *strings.Builder, text string) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be written
	b.Write(bytes.TrimSuffix(out.Bytes(), []byte("\n")))
}
