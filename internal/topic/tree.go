package topic

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount is the number of shards for patterns that begin with a literal level. One more holds those that begin with a
// wildcard: any name but a reserved one may match them.
const shardCount = 256

// Tree holds values under topic filter patterns and finds those whose pattern matches a name. It is safe for concurrent
// use. Each pattern is expected to have passed ParseFilter; one that did not can do no harm, but match in odd ways.
//
// A tree is cut into shards by the first level of the pattern, so that changes under one first level neither wait for, nor
// invalidate what was cached of, another.
type Tree[V comparable] struct {
	seed   maphash.Seed
	shards [shardCount + 1]shard[V]
}

// wildShard is the index of the shard for patterns that begin with a wildcard.
const wildShard = shardCount

// shard is one part of the tree. The generation has a cache line of its own: every publish reads it, and the lock's
// counters beside it would make each of those reads a miss.
type shard[V comparable] struct {
	generation atomic.Uint64
	_          [56]byte
	mu         sync.RWMutex
	root       branch[V] // under mu
	count      int       // pairs of pattern and value, under mu
}

// Generation stands for what a tree can answer for one name. It changes whenever a pattern that could match the name is
// added, removed or touched, so an answer of Match that was taken after a Generation is good for as long as Generation
// still gives the same. Generations of different names do not compare. The zero value is never current.
type Generation struct{ level, wild uint64 }

// NewTree makes an empty tree.
func NewTree[V comparable]() *Tree[V] {
	t := &Tree[V]{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].generation.Store(1)
	}
	return t
}

// Add puts v under pattern. To add a pair again changes nothing but the generation, which Add always bumps: what v stands
// for may have changed. The tree keeps the memory of pattern.
func (t *Tree[V]) Add(pattern string, v V) {
	s := t.shardOf(pattern)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root.add(pattern, v) {
		s.count++
	}
	// After the change and inside the lock: whoever reads the new generation and then matches, sees the new tree.
	s.generation.Add(1)
}

// Remove takes v from under pattern and reports whether it was there.
func (t *Tree[V]) Remove(pattern string, v V) bool {
	s := t.shardOf(pattern)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.root.remove(pattern, v) {
		return false
	}
	s.count--
	s.generation.Add(1)
	return true
}

// Touch bumps the generation as if pattern had changed, for values whose meaning changed in place.
func (t *Tree[V]) Touch(pattern string) {
	t.shardOf(pattern).generation.Add(1)
}

// Match appends to dst the values of all patterns that match name and returns it. A value comes once for each matching
// pattern that it was added under, as AWS delivers overlapping subscriptions; the order means nothing. Match allocates
// only if dst has no room.
func (t *Tree[V]) Match(name string, dst []V) []V {
	dst = t.levelShard(name).match(name, dst)
	if startsReserved(name) {
		return dst // [MQTT-4.7.2-1]
	}
	return t.shards[wildShard].match(name, dst)
}

// Generation is the generation of name. It takes no lock and allocates nothing.
func (t *Tree[V]) Generation(name string) Generation {
	g := Generation{level: t.levelShard(name).generation.Load()}
	if !startsReserved(name) {
		g.wild = t.shards[wildShard].generation.Load()
	}
	return g
}

// Len is the number of pairs of pattern and value.
func (t *Tree[V]) Len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += s.count
		s.mu.RUnlock()
	}
	return n
}

// shardOf is the shard that a pattern lives in.
func (t *Tree[V]) shardOf(pattern string) *shard[V] {
	if startsWild(pattern) {
		return &t.shards[wildShard]
	}
	return t.levelShard(pattern)
}

// levelShard is the shard of a literal first level.
func (t *Tree[V]) levelShard(s string) *shard[V] {
	level, _, _ := cutLevel(s)
	return &t.shards[maphash.String(t.seed, level)%shardCount]
}

func (s *shard[V]) match(name string, dst []V) []V {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.root.match(name, dst)
}
