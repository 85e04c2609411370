package control

import (
	_ "embed"
	"net/url"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// operation is one row of the table.
type operation struct {
	name     string // as AWS spells it; its action is "iot:" and the name
	method   string
	path     string // template: /things/{thingName}
	resource string // what is authorised: "*", a kind and a label of the path, "thing/{thingName}", or one of resources.go
	run      func(*call) (any, error)
}

// absent lists all operations of AWS's control plane, name, method and path. What is in it and not in the table is
// refused by its name.
//
//go:embed absent.txt
var absent string

func absentOperations() []operation {
	var ops []operation
	for line := range strings.Lines(absent) {
		f := strings.Fields(line)
		ops = append(ops, operation{name: f[0], method: f[1], path: f[2]})
	}
	return ops
}

// routes finds operations by method. Each list is searched in order; paths with more literal segments come first, so
// that /thing-groups/addThingToThingGroup is not taken for a thing group.
type routes map[string][]route

type route struct {
	operation
	segments []string
}

// newRoutes joins tables; of two rows with one method and path the first wins.
func newRoutes(tables ...[]operation) routes {
	rs := routes{}
	seen := map[string]bool{}
	for _, ops := range tables {
		for _, op := range ops {
			if key := op.method + " " + op.path; !seen[key] {
				seen[key] = true
				rs[op.method] = append(rs[op.method], route{op, strings.Split(op.path[1:], "/")})
			}
		}
	}
	for _, list := range rs {
		slices.SortStableFunc(list, func(a, b route) int { return b.literals() - a.literals() })
	}
	return rs
}

// find gives the operation and the labels of an escaped path: %2F is part of a label, a slash is none.
func (rs routes) find(method, escapedPath string) (*operation, map[string]string, error) {
	// An endpoint URL that ends with a slash makes the JavaScript SDK begin with two.
	segments := strings.Split(strings.TrimLeft(escapedPath, "/"), "/")
	list := rs[method]
	for i := range list {
		if !list[i].matches(segments) {
			continue
		}
		op := &list[i].operation
		if op.run == nil {
			return nil, nil, notImplemented(op.name)
		}
		labels, err := list[i].labels(segments)
		return op, labels, err
	}
	return nil, nil, notImplemented(method + " " + escapedPath)
}

func notImplemented(what string) error {
	return fault.New(fault.Unsupported, "%s is not implemented by Thingwire", fault.Shortened(what)).WithRemedy("see docs/compatibility.md")
}

func (r *route) matches(segments []string) bool {
	greedy := strings.HasSuffix(r.path, "+}")
	if len(segments) < len(r.segments) || len(segments) > len(r.segments) && !greedy {
		return false
	}
	for i, s := range r.segments {
		if !isLabel(s) && s != segments[i] && s != unescaped(segments[i]) {
			return false
		}
	}
	return true
}

func (r *route) labels(segments []string) (map[string]string, error) {
	labels := map[string]string{}
	for i, s := range r.segments {
		if !isLabel(s) {
			continue
		}
		v, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the path cannot be read")
		}
		labels[strings.Trim(s, "{}")] = v
	}
	return labels, nil
}

func (r *route) literals() int {
	n := 0
	for _, s := range r.segments {
		if !isLabel(s) {
			n++
		}
	}
	return n
}

func isLabel(segment string) bool { return strings.HasPrefix(segment, "{") }

// unescaped is for literals that some clients escape: $next.
func unescaped(segment string) string {
	s, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return s
}
