package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// node is a JSON value with its members in the order of the text. encoding/json alone would take the last of two equal
// names in silence, and a policy that says something twice says nothing.
type node struct {
	kind  nodeKind
	text  string // of a string, number or boolean
	names []string
	items []node // of an array; of an object, beside names
}

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeString
	nodeNumber
	nodeBool
	nodeArray
	nodeObject
)

var nodeWords = [...]string{"null", "a string", "a number", "a boolean", "an array", "an object"}

func (k nodeKind) String() string { return nodeWords[k] }

// readJSON reads one JSON value and refuses duplicate names, bytes that are not UTF-8, and anything behind the value.
func readJSON(data []byte) (node, error) {
	if !utf8.Valid(data) {
		return node{}, fault.New(fault.Invalid, "the policy document is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return node{}, badJSON(data, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	n, err := readNode(dec, "")
	if err != nil && fault.KindOf(err) == fault.Internal {
		return node{}, badJSON(data, err)
	}
	return n, err
}

// badJSON names line and column of a syntax error.
func badJSON(data []byte, err error) error {
	se, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return fault.Wrap(fault.Invalid, err, "the policy document is not JSON")
	}
	before := data[:min(max(se.Offset-1, 0), int64(len(data)))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fault.Wrap(fault.Invalid, err, "the policy document is not JSON: line %d, column %d", line, column)
}

func readNode(dec *json.Decoder, at string) (node, error) {
	tok, err := dec.Token()
	if err != nil {
		return node{}, err
	}
	switch t := tok.(type) {
	case string:
		return node{kind: nodeString, text: t}, nil
	case json.Number:
		return node{kind: nodeNumber, text: t.String()}, nil
	case bool:
		return node{kind: nodeBool, text: fmt.Sprint(t)}, nil
	case json.Delim:
		if t == '{' {
			return readObject(dec, at)
		}
		return readArray(dec, at)
	}
	return node{}, nil
}

func readObject(dec *json.Decoder, at string) (node, error) {
	n := node{kind: nodeObject}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return node{}, err
		}
		name, _ := tok.(string)
		if slices.Contains(n.names, name) {
			return node{}, refuse(at, "%q is there twice", name)
		}
		item, err := readNode(dec, below(at, name))
		if err != nil {
			return node{}, err
		}
		n.names = append(n.names, name)
		n.items = append(n.items, item)
	}
	_, err := dec.Token()
	return n, err
}

func readArray(dec *json.Decoder, at string) (node, error) {
	n := node{kind: nodeArray}
	for dec.More() {
		item, err := readNode(dec, fmt.Sprintf("%s[%d]", at, len(n.items)))
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err := dec.Token()
	return n, err
}

// below is the place of a member of the object at at: "Statement[1].Condition".
func below(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// refuse is the refusal of what stands at a place of the document.
func refuse(at, format string, args ...any) *fault.Error {
	if at == "" {
		at = "the policy document"
	}
	return fault.New(fault.Invalid, "%s: %s", at, fmt.Sprintf(format, args...))
}
