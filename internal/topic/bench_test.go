package topic

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
)

// sub stands for what the broker keeps: a pointer.
type sub struct{ id int }

// mixes are what the filters of a tree of n look like; each also names a topic that it matches.
var mixes = []struct {
	name   string
	filter func(i, n int) string
	topic  func(i, n int) string
}{
	{"exact", func(i, _ int) string { return fmt.Sprintf("dev/d%07d/cmd", i) }, func(i, _ int) string { return fmt.Sprintf("dev/d%07d/cmd", i) }},
	{"shadow", shadowFilter, func(i, n int) string { return shadowFilter(i%n, n) }},
	// The wildcard scenario of the load generator: four kinds of filter, ten filters for each topic.
	{"wildcard", wildcardFilter, func(i, n int) string {
		d := i % max(n/10, 1)
		return fmt.Sprintf("bench/%d/d%06d/t", d%10, d)
	}},
}

func wildcardFilter(i, n int) string {
	topics := max(n/10, 1)
	d := i % topics
	switch i / topics % 4 {
	case 0:
		return fmt.Sprintf("bench/+/d%06d/t", d)
	case 1:
		return fmt.Sprintf("bench/%d/d%06d/#", d%10, d)
	case 2:
		return fmt.Sprintf("bench/%d/d%06d/+", d%10, d)
	}
	return fmt.Sprintf("bench/+/d%06d/#", d)
}

func shadowFilter(i, _ int) string {
	tails := [...]string{"update/delta", "update/accepted", "update/rejected", "get/accepted", "get/rejected"}
	return fmt.Sprintf("$aws/things/t%06d/shadow/%s", i/len(tails), tails[i%len(tails)])
}

// grow fills a tree with n filters of a mix, each with a value of its own.
func grow(n int, filter func(i, n int) string) (*Tree[*sub], []string, []*sub) {
	patterns, subs := make([]string, n), make([]*sub, n)
	for i := range n {
		patterns[i], subs[i] = filter(i, n), &sub{i}
	}
	tree := NewTree[*sub]()
	for i := range n {
		tree.Add(patterns[i], subs[i])
	}
	return tree, patterns, subs
}

var sizes = []int{10, 10_000, 1_000_000}

func BenchmarkMatch(b *testing.B) {
	for _, mix := range mixes {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", mix.name, n), func(b *testing.B) {
				tree, _, _ := grow(n, mix.filter)
				names := make([]string, min(n, 10_000))
				for i := range names {
					names[i] = mix.topic(i*7919%n, n)
				}
				dst := make([]*sub, 0, 64)
				b.ReportAllocs()
				matched, i := 0, 0
				for b.Loop() {
					matched += len(tree.Match(names[i%len(names)], dst))
					i++
				}
				b.ReportMetric(float64(matched)/float64(i), "matches/op")
			})
		}
	}
}

// BenchmarkAdd fills a tree of n filters over and over; the time is that of one filter.
func BenchmarkAdd(b *testing.B) {
	for _, mix := range mixes {
		for _, n := range sizes[1:] {
			b.Run(fmt.Sprintf("%s/%d", mix.name, n), func(b *testing.B) {
				_, patterns, subs := grow(n, mix.filter)
				tree := NewTree[*sub]()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if i%n == 0 {
						tree = NewTree[*sub]()
					}
					tree.Add(patterns[i%n], subs[i%n])
				}
			})
		}
	}
}

// BenchmarkRemove takes one filter away and puts it back in a tree of n, in an order that jumps about.
func BenchmarkRemove(b *testing.B) {
	for _, mix := range mixes {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", mix.name, n), func(b *testing.B) {
				tree, patterns, subs := grow(n, mix.filter)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					at := i * 7919 % n
					tree.Remove(patterns[at], subs[at])
					tree.Add(patterns[at], subs[at])
				}
			})
		}
	}
}

// BenchmarkRemoveFromOneNode is the same in a node that holds all values.
func BenchmarkRemoveFromOneNode(b *testing.B) {
	tree, _, subs := grow(100_000, func(int, int) string { return "all/+/x" })
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i * 7919 % len(subs)
		tree.Remove("all/+/x", subs[at])
		tree.Add("all/+/x", subs[at])
	}
}

// BenchmarkAddStorm subscribes from many goroutines below one first level, the worst case: one lock for all.
func BenchmarkAddStorm(b *testing.B) {
	const n = 1_000_000
	_, patterns, subs := grow(n, mixes[0].filter)
	tree := NewTree[*sub]()
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(50)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1)) % n
			tree.Add(patterns[i], subs[i])
		}
	})
}

func BenchmarkGeneration(b *testing.B) {
	tree, _, _ := grow(1000, wildcardFilter)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tree.Generation("bench/3/d000003/t")
		}
	})
}

// BenchmarkMemory tells what a filter of its own costs, without its string and its value.
func BenchmarkMemory(b *testing.B) {
	for _, mix := range mixes {
		b.Run(mix.name, func(b *testing.B) {
			const n = 1_000_000
			for b.Loop() {
				_, patterns, subs := grow(n, mix.filter)
				before := heap()
				tree := NewTree[*sub]()
				for i := range n {
					tree.Add(patterns[i], subs[i])
				}
				b.ReportMetric(float64(heap()-before)/n, "B/filter")
				runtime.KeepAlive(tree)
				runtime.KeepAlive(subs)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMatchAndGenerationDoNotAllocate(t *testing.T) {
	for _, mix := range mixes {
		tree, _, _ := grow(10_000, mix.filter)
		name, dst := mix.topic(4711, 10_000), make([]*sub, 0, 64)
		if len(tree.Match(name, dst)) == 0 {
			t.Errorf("%s: nothing matches %q", mix.name, name)
		}
		if got := testing.AllocsPerRun(100, func() { tree.Match(name, dst) }); got != 0 {
			t.Errorf("%s: Match allocates %v times", mix.name, got)
		}
		if got := testing.AllocsPerRun(100, func() { tree.Generation(name) }); got != 0 {
			t.Errorf("%s: Generation allocates %v times", mix.name, got)
		}
	}
}
