package cloudformation

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// resourceType is what a template may say of a type of resource, and how one is made, changed and removed. Properties
// come evaluated.
type resourceType struct {
	name       string
	properties []string // that a template may give
	required   []string
	absent     []string // AWS's that are refused
	attributes []string // of Fn::GetAtt
	named      string   // the property that gives it a name of its own, "" if none does

	create func(w *work, logicalID string, p node) (made, error)
	// update changes what can be changed in place. replace says that another one has to be made instead.
	update func(w *work, physicalID string, old, p node) (m made, replace bool, err error)
	remove func(w *work, physicalID string, old node) error
}

// resourceTypes are all that there are.
var resourceTypes = map[string]*resourceType{roleType.name: roleType, policyType.name: policyType}

// work is what making a stack changes, in the name of a caller.
type work struct {
	keys  *iam.Directory
	iam   *iam.Changes
	may   func(action, resource string) error
	stack string // its name
}

// newName is the physical id of a resource to which the template gives no name: STACK-LOGICALID-RANDOM, cut to the length
// that its kind of name may have.
func (w *work) newName(logicalID string, longest int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var b [12]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	head := w.stack + "-" + logicalID
	if room := longest - 1 - len(b); len(head) > room {
		head = head[:room]
	}
	return head + "-" + string(b[:])
}

// text is a property that must be a string, "" when it is not there.
func text(p node, name string) (string, error) {
	n, ok := p.member(name)
	if ok && n.kind != kindScalar {
		return "", invalid("Value of property %s must be of type String", name)
	}
	return n.text, nil
}

// document is a property that must be an object, as JSON.
func document(p node, name string) (string, error) {
	n, _ := p.member(name)
	if n.kind != kindObject {
		return "", invalid("Value of property %s must be an object", name)
	}
	return n.json(), nil
}

// texts is a property that must be a list of strings, none when it is not there.
func texts(p node, name string) ([]string, error) {
	n, ok := p.member(name)
	if !ok {
		return nil, nil
	}
	list, ok := n.texts()
	if !ok {
		return nil, invalid("Value of property %s must be of type List of String", name)
	}
	return list, nil
}

// objects is a property that must be a list of objects with these members, none when it is not there.
func objects(p node, name string, members ...string) ([]node, error) {
	n, ok := p.member(name)
	if !ok {
		return nil, nil
	}
	if n.kind != kindList {
		return nil, invalid("Value of property %s must be of type List", name)
	}
	for _, item := range n.items {
		if item.kind != kindObject {
			return nil, invalid("Value of property %s must be a list of objects", name)
		}
		for _, member := range item.names {
			if !slices.Contains(members, member) {
				return nil, invalid("Encountered unsupported property %s in %s", fault.Plain(member), name)
			}
		}
		for _, member := range members {
			if _, ok := item.member(member); !ok {
				return nil, invalid("Property %s in %s cannot be empty", member, name)
			}
		}
	}
	return n.items, nil
}

// gone reports whether an error says that something is not there, which is as good as removed.
func gone(err error) bool {
	name, ok := errors.AsType[iam.NameError](err)
	return ok && name == iam.ErrNoSuchEntity && fault.Is(err, fault.NotFound)
}

// oneLine is what an event says of an error.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
