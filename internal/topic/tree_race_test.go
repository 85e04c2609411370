package topic

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Writers come and go on shared prefixes while readers match: what stands still is always found, what was never there
// never is, and at the end the tree holds exactly what stood still.
func TestTreeConcurrently(t *testing.T) {
	const writers, rounds = 8, 60
	tree := NewTree[int]()
	for _, pattern := range []string{"a/fixed/x", "a/+/x", "a/#", "#"} {
		tree.Add(pattern, -1)
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				own := []string{fmt.Sprintf("a/%d/x", i%20), "a/fixed/x", "a/fixed/" + fmt.Sprint(w), "+/fixed/x", fmt.Sprintf("b%d/y", w)}
				for _, pattern := range own {
					tree.Add(pattern, w)
				}
				for _, pattern := range own {
					if !tree.Remove(pattern, w) {
						t.Errorf("writer %d lost %q", w, pattern)
					}
				}
			}
		})
	}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			var dst []int
			for !stop.Load() {
				dst = tree.Match("a/fixed/x", dst[:0])
				fixed := 0
				for _, v := range dst {
					if v == -1 {
						fixed++
					}
				}
				if fixed != 4 || len(dst) > 4+3*writers {
					t.Errorf("%d fixed values of %d", fixed, len(dst))
					return
				}
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	readers.Wait()
	checkShape(t, tree)
	if tree.Len() != 4 {
		t.Errorf("%d pairs are left", tree.Len())
	}
}

// What the broker does with a Generation: a reader keeps what it matched as long as the generation stands. Once Add has
// returned, no reader may go on without the new value (SubackAfterRoute).
func TestCacheByGenerationIsNeverStale(t *testing.T) {
	const values = 2000
	tree := NewTree[int]()
	var added atomic.Int64 // values 1..added are in the tree for certain
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var cached []int
			var of Generation
			for {
				sure := int(added.Load())
				if now := tree.Generation("a/b"); now != of {
					of, cached = now, tree.Match("a/b", cached[:0])
				}
				if len(cached) < sure {
					t.Errorf("%d values are there, the cache has %d", sure, len(cached))
					return
				}
				if sure == values {
					return
				}
			}
		})
	}
	patterns := []string{"a/b", "a/+", "#", "+/b", "a/#"}
	for i := range values {
		tree.Add(patterns[i%len(patterns)], i)
		added.Store(int64(i + 1))
	}
	wg.Wait()
	if got := sorted(tree.Match("a/b", nil)); len(got) != values || !slices.IsSorted(got) {
		t.Errorf("%d values at the end", len(got))
	}
}
