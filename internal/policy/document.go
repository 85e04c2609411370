package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Kind is whose grammar and size limits a document obeys.
type Kind uint8

// The kinds of document.
const (
	IoT   Kind = iota // attached to certificates, thing groups and Cognito identities
	IAM               // identity policies of users and roles
	Trust             // who may assume a role: statements have a Principal and no Resource
)

// Sizes in characters, white space not counted: AWS IoT Core quotas "Policy document size", and IAM's largest, that of
// a role's inline policies. rawLimit bounds the text with its white space (PolicyDocument in the service model).
const (
	iotLimit = 2048
	iamLimit = 10240
	// IAM quotas, "Role trust policy length".
	trustLimit = 2048
	rawLimit   = 404600
)

// The versions of the policy language. Variables came with the second one; in documents of the first, which is also what
// a document without a Version is, ${iot:ClientId} is plain text.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Document is one parsed and compiled policy document. It is immutable and may be shared by any number of Sets.
type Document struct {
	version    string // "" when the text has none
	statements []statement
}

func (d *Document) hasVariables() bool { return d.version == version2012 }

// Parse reads a policy document strictly: what AWS would not understand is refused with words that name the place.
// Errors are fault.Invalid, or fault.TooLarge for a document over the limit of its kind.
func Parse(data []byte, k Kind) (*Document, error) {
	if err := checkSize(data, k); err != nil {
		return nil, err
	}
	root, err := readJSON(data)
	if err != nil {
		return nil, err
	}
	return parseDocument(root, k)
}

func checkSize(data []byte, k Kind) error {
	limit, name := iotLimit, "an AWS IoT policy"
	switch k {
	case IoT:
	case IAM:
		limit, name = iamLimit, "an IAM policy"
	case Trust:
		limit, name = trustLimit, "a trust policy"
	}
	size := 0
	for _, c := range string(data) {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			size++
		}
	}
	if size > limit || len(data) > rawLimit {
		return fault.New(fault.TooLarge, "the policy document has %d characters without white space; %s may have %d",
			size, name, limit)
	}
	return nil
}

func parseDocument(root node, k Kind) (*Document, error) {
	if root.kind != nodeObject {
		return nil, refuse("", "must be an object, is %v", root.kind)
	}
	d := &Document{}
	var list *node
	for i, name := range root.names {
		item := &root.items[i]
		switch name {
		case "Version":
			if item.kind != nodeString || item.text != version2008 && item.text != version2012 {
				return nil, refuse(name, "must be %q or %q", version2012, version2008)
			}
			d.version = item.text
		case "Id":
			if item.kind != nodeString {
				return nil, refuse(name, "must be a string, is %v", item.kind)
			}
		case "Statement":
			list = item
		default:
			return nil, unknownElement("", name, "Version", "Id", "Statement")
		}
	}
	if list == nil {
		return nil, refuse("", "has no Statement")
	}
	return d, d.parseStatements(*list, k)
}

func (d *Document) parseStatements(list node, k Kind) error {
	items := []node{list}
	if list.kind == nodeArray {
		items = list.items
	}
	var sids []string
	for i, item := range items {
		at := fmt.Sprintf("Statement[%d]", i)
		if list.kind != nodeArray {
			at = "Statement"
		}
		p := statementParser{at: at, kind: k, variables: d.hasVariables()}
		if err := p.parse(item); err != nil {
			return err
		}
		p.st.index, p.st.doc = i, d
		// IAM: "The Sid value must be unique within a JSON policy". AWS IoT says nothing of the kind.
		if k != IoT && p.st.sid != "" && slices.Contains(sids, p.st.sid) {
			return refuse(below(at, "Sid"), "%q is the Sid of another statement already", p.st.sid)
		}
		sids = append(sids, p.st.sid)
		d.statements = append(d.statements, p.st)
	}
	return nil
}

// unknownElement refuses a name and offers the one that was probably meant.
func unknownElement(at, name string, known ...string) error {
	err := refuse(at, "unknown element %q", name)
	if near := nearest(name, known); near != "" {
		return err.WithRemedy("did you mean %q?", near)
	}
	return err.WithRemedy("known are %s", strings.Join(known, ", "))
}
