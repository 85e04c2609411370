package topic

import (
	"maps"
	"strings"
)

// The tree below a shard. What makes it small and fast where AWS devices subscribe, which is to several names of their own
// with long tails ($aws/things/<thing>/shadow/update/delta):
//
//   - a pattern gets nodes only as far as it shares its levels with others; the rest stays one string in its leaf;
//   - a node without children has no maps, and one with few children has a slice.

// node is one child of a branch.
type node[V comparable] struct {
	// label is the node's level, or in a leaf all that is left of its pattern: level, slash, tail. A node with a tail has
	// no children, and its values belong to the end of the tail.
	label    string
	values   set[V]
	children *branch[V] // nil if there are none
}

// branch is what hangs below a node: children by level, and the two wildcards apart. No branch but a shard's root is ever
// empty.
type branch[V comparable] struct {
	plus *node[V]
	hash *node[V] // # as the last level; it has neither tail nor children
	few  []*node[V]
	many map[string]*node[V] // instead of few above maxFew; keyed by level
	peak int                 // the largest many since it was made
}

// maxFew is how many children are searched one by one. Above it a map is faster, below it is several times smaller.
const maxFew = 8

// add puts v under pattern and reports whether it is new there.
func (b *branch[V]) add(pattern string, v V) bool {
	for {
		level, rest, deeper := cutLevel(pattern)
		n := b.child(level, deeper)
		if n == nil {
			n = &node[V]{label: pattern}
			b.insert(level, deeper, n)
			return n.values.add(v)
		}
		if n.label == pattern {
			return n.values.add(v)
		}
		if len(n.label) > len(level) {
			n.split(len(level))
		}
		if !deeper {
			return n.values.add(v)
		}
		if n.children == nil {
			n.children = &branch[V]{}
		}
		b, pattern = n.children, rest
	}
}

// split moves the tail of a leaf into a child of its own, to make room for a pattern that differs in the tail.
func (n *node[V]) split(at int) {
	tail := &node[V]{label: n.label[at+1:]}
	n.values.moveTo(&tail.values)
	level, _, deeper := cutLevel(tail.label)
	n.label, n.children = n.label[:at], &branch[V]{}
	n.children.insert(level, deeper, tail)
}

// remove takes v from under pattern, and every node that is left without value and child with it.
func (b *branch[V]) remove(pattern string, v V) bool {
	level, rest, deeper := cutLevel(pattern)
	n := b.child(level, deeper)
	if n == nil || !n.remove(pattern, rest, v) {
		return false
	}
	if n.values.len() == 0 && n.children == nil {
		b.drop(level, deeper)
	}
	return true
}

func (n *node[V]) remove(pattern, rest string, v V) bool {
	if n.label == pattern {
		return n.values.remove(v)
	}
	if n.children == nil || !n.children.remove(rest, v) {
		return false
	}
	if n.children.empty() {
		n.children = nil
	}
	return true
}

// match appends the values of all patterns below b that match name.
func (b *branch[V]) match(name string, dst []V) []V {
	if b.hash != nil {
		dst = append(dst, b.hash.values.list...)
	}
	level, rest, deeper := cutLevel(name)
	if b.plus != nil {
		dst = b.plus.match(len("+"), rest, deeper, dst)
	}
	if n := b.literal(level); n != nil {
		dst = n.match(len(level), rest, deeper, dst)
	}
	return dst
}

// match goes on in a node whose level, of the given width in label, has matched.
func (n *node[V]) match(width int, rest string, deeper bool, dst []V) []V {
	if len(n.label) > width {
		if deeper && matchLevels(n.label[width+1:], rest) {
			return append(dst, n.values.list...)
		}
		return dst
	}
	if !deeper {
		return append(dst, n.values.list...)
	}
	if n.children == nil {
		return dst
	}
	return n.children.match(rest, dst)
}

// child finds the child for one level of a pattern.
func (b *branch[V]) child(level string, deeper bool) *node[V] {
	if slot := b.wildSlot(level, deeper); slot != nil {
		return *slot
	}
	return b.literal(level)
}

// literal finds the child for one level of a name.
func (b *branch[V]) literal(level string) *node[V] {
	if b.many != nil {
		return b.many[level]
	}
	for _, n := range b.few {
		if n.isLevel(level) {
			return n
		}
	}
	return nil
}

// isLevel reports whether the node's level, without its tail, is this one.
func (n *node[V]) isLevel(level string) bool {
	if !strings.HasPrefix(n.label, level) {
		return false
	}
	return len(n.label) == len(level) || n.label[len(level)] == '/'
}

// wildSlot is where a wildcard's child stands, nil for a literal level.
func (b *branch[V]) wildSlot(level string, deeper bool) **node[V] {
	switch {
	case level == "+":
		return &b.plus
	case level == "#" && !deeper:
		return &b.hash
	}
	return nil
}

// insert adds the child for a level that has none.
func (b *branch[V]) insert(level string, deeper bool, n *node[V]) {
	if slot := b.wildSlot(level, deeper); slot != nil {
		*slot = n
		return
	}
	switch {
	case b.many != nil:
		b.many[level] = n
		b.peak = max(b.peak, len(b.many))
	case len(b.few) < maxFew:
		b.few = append(b.few, n)
	default:
		b.fillMap(level, n)
	}
}

// fillMap moves the few children into a map, and n with them.
func (b *branch[V]) fillMap(level string, n *node[V]) {
	b.many = make(map[string]*node[V], 2*maxFew)
	for _, c := range b.few {
		l, _, _ := cutLevel(c.label)
		b.many[l] = c
	}
	b.many[level] = n
	b.few, b.peak = nil, len(b.many)
}

// drop takes away the child of a level.
func (b *branch[V]) drop(level string, deeper bool) {
	if slot := b.wildSlot(level, deeper); slot != nil {
		*slot = nil
		return
	}
	if b.many != nil {
		delete(b.many, level)
		b.shrinkMap()
		return
	}
	for i, n := range b.few {
		if n.isLevel(level) {
			last := len(b.few) - 1
			b.few[i], b.few[last] = b.few[last], nil
			b.few = b.few[:last]
			return
		}
	}
}

// shrinkMap gives memory back, which a Go map by itself never does: a smaller map when three quarters are gone, a slice
// when few are left. Each costs what was deleted before it.
func (b *branch[V]) shrinkMap() {
	if len(b.many)*4 > b.peak {
		return
	}
	if len(b.many) > maxFew/2 {
		smaller := make(map[string]*node[V], len(b.many))
		maps.Copy(smaller, b.many)
		b.many, b.peak = smaller, len(smaller)
		return
	}
	b.few = make([]*node[V], 0, len(b.many))
	for _, n := range b.many {
		b.few = append(b.few, n)
	}
	b.many, b.peak = nil, 0
}

// empty reports whether b has no child.
func (b *branch[V]) empty() bool {
	return b.plus == nil && b.hash == nil && len(b.few) == 0 && len(b.many) == 0
}
