package cloudformation

import (
	"bytes"
	"encoding/json"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// readJSON reads a template that is JSON.
func readJSON(data []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	r := jsonReader{dec: dec, data: data}
	return r.node(0)
}

type jsonReader struct {
	dec  *json.Decoder
	data []byte
	at   int // how far lines are counted
	line int
}

// here is the line of the token that was read last.
func (r *jsonReader) here() int {
	to := int(r.dec.InputOffset())
	r.line += bytes.Count(r.data[r.at:to], []byte{'\n'})
	r.at = to
	return r.line + 1
}

func (r *jsonReader) node(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, malformed("more than %d levels", maxDepth)
	}
	tok, err := r.dec.Token()
	if err != nil {
		return node{}, malformed("JSON not well-formed: %v", err)
	}
	line := r.here()
	switch t := tok.(type) {
	case string:
		return node{kind: kindScalar, text: t, line: line}, nil
	case json.Number:
		return node{kind: kindScalar, text: t.String(), line: line}, nil
	case bool:
		return node{kind: kindScalar, text: strconv.FormatBool(t), line: line}, nil
	case json.Delim:
		return r.compound(t, line, depth)
	}
	return node{}, malformed("'null' values are not allowed in templates (line %d)", line)
}

func (r *jsonReader) compound(open json.Delim, line, depth int) (node, error) {
	n := node{kind: kindList, line: line}
	if open == '{' {
		n.kind = kindObject
	}
	for r.dec.More() {
		var name string
		if n.kind == kindObject {
			tok, err := r.dec.Token()
			if err != nil {
				return node{}, malformed("JSON not well-formed: %v", err)
			}
			name, _ = tok.(string)
		}
		item, err := r.node(depth + 1)
		if err != nil {
			return node{}, err
		}
		if n.kind == kindList {
			n.items = append(n.items, item)
		} else if err := n.add(name, item); err != nil {
			return node{}, err
		}
	}
	_, err := r.dec.Token()
	return n, err
}
