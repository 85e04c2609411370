package topic

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pair is one entry of a tree.
type pair struct {
	pattern string
	value   int
}

// naive is a tree as one would write it in a minute: what the real one is compared with.
type naive map[pair]bool

func (n naive) match(name string) []int {
	var got []int
	for p := range n {
		if Match(p.pattern, name) {
			got = append(got, p.value)
		}
	}
	slices.Sort(got)
	return got
}

func sorted(values []int) []int {
	slices.Sort(values)
	return values
}

// checkShape walks the whole tree: no node without purpose, each where it is looked for.
func checkShape[V comparable](t testing.TB, tree *Tree[V]) {
	t.Helper()
	for i := range tree.shards {
		s := &tree.shards[i]
		if got := checkBranch(t, &s.root); got != s.count {
			t.Errorf("shard %d counts %d, holds %d", i, s.count, got)
		}
	}
}

func checkBranch[V comparable](t testing.TB, b *branch[V]) int {
	t.Helper()
	n := 0
	for _, c := range b.few {
		n += checkNode(t, b, c)
	}
	for _, c := range b.many {
		n += checkNode(t, b, c)
	}
	if len(b.few) > maxFew || (len(b.few) > 0 && b.many != nil) {
		t.Errorf("%d few and %d many children", len(b.few), len(b.many))
	}
	if b.plus != nil {
		n += checkNode(t, b, b.plus)
	}
	if b.hash != nil {
		n += checkNode(t, b, b.hash)
	}
	return n
}

func checkNode[V comparable](t testing.TB, b *branch[V], n *node[V]) int {
	t.Helper()
	level, _, tail := cutLevel(n.label)
	if b.child(level, tail || n.children != nil) != n { // # with something below it, as no valid filter has, is a literal
		t.Errorf("node %q is not found", n.label)
	}
	held := n.values.len()
	for i, v := range n.values.list {
		if n.values.find(v) != i {
			t.Errorf("node %q: value %v is at %d, found at %d", n.label, v, i, n.values.find(v))
		}
	}
	if n.values.index != nil && len(n.values.index) != held {
		t.Errorf("node %q: %d values, %d indexed", n.label, held, len(n.values.index))
	}
	if n.children == nil {
		if held == 0 {
			t.Errorf("node %q is empty", n.label)
		}
		return held
	}
	if tail || n.children.empty() {
		t.Errorf("node %q has a tail and children, or an empty branch", n.label)
	}
	return held + checkBranch(t, n.children)
}

func TestTreeMatchesTheTable(t *testing.T) {
	all := NewTree[string]()
	for _, c := range matchTable {
		alone := NewTree[string]()
		alone.Add(c.pattern, c.pattern)
		if got := len(alone.Match(c.name, nil)) == 1; got != c.want {
			t.Errorf("tree of %q on %q = %v, want %v", c.pattern, c.name, got, c.want)
		}
		all.Add(c.pattern, c.pattern)
	}
	for _, c := range matchTable {
		if got := slices.Contains(all.Match(c.name, nil), c.pattern); got != c.want {
			t.Errorf("tree of all: %q on %q = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	checkShape(t, all)
}

func TestAddIsIdempotent(t *testing.T) {
	tree := NewTree[int]()
	tree.Add("a/+", 1)
	before := tree.Generation("a/b")
	tree.Add("a/+", 1)
	if got := tree.Match("a/b", nil); len(got) != 1 || tree.Len() != 1 {
		t.Errorf("twice added: matches %v, length %d", got, tree.Len())
	}
	if tree.Generation("a/b") == before {
		t.Error("the second Add left the generation")
	}
	if !tree.Remove("a/+", 1) || tree.Remove("a/+", 1) {
		t.Error("once added, it is removed once")
	}
}

func TestValueComesOncePerPattern(t *testing.T) {
	tree := NewTree[int]()
	for _, pattern := range []string{"a/b", "a/+", "a/#", "#", "+/b", "a/c"} {
		tree.Add(pattern, 7)
	}
	if got := tree.Match("a/b", []int{1}); !slices.Equal(got, []int{1, 7, 7, 7, 7, 7}) {
		t.Errorf("got %v", got)
	}
}

func TestRemoveWhatIsNotThere(t *testing.T) {
	tree := NewTree[int]()
	tree.Add("a/b/c", 1)
	tree.Add("a/b/d", 1)
	tree.Add("a/x/y", 1)
	before := tree.Generation("a/b/c")
	for _, p := range []pair{{"a/b/c", 2}, {"a/b", 1}, {"a", 1}, {"a/b/c/d", 1}, {"a/x", 1}, {"a/x/z", 1}, {"b", 1}, {"a/+/c", 1}, {"#", 1}, {"a/#", 1}} {
		if tree.Remove(p.pattern, p.value) {
			t.Errorf("%v was removed", p)
		}
	}
	if tree.Generation("a/b/c") != before || tree.Len() != 3 {
		t.Error("removing nothing changed something")
	}
}

func TestGenerationNamesItsShards(t *testing.T) {
	tree := NewTree[int]()
	if tree.Generation("a") == (Generation{}) {
		t.Error("the zero generation is current")
	}
	other := "b"
	for tree.levelShard(other) == tree.levelShard("a") || tree.levelShard(other) == tree.levelShard("$aws") {
		other += "b"
	}
	for _, c := range []struct {
		pattern, name string
		changes       bool
	}{
		{"a/x", "a/y", true},
		{"a/x", other + "/x", false},
		{"#", "a/y", true},
		{"+/x", other, true},
		{"#", "$aws/x", false}, // no wildcard reaches it
		{"$aws/+", "$aws/x", true},
		{other, "$aws/x", false},
	} {
		before := tree.Generation(c.name)
		tree.Touch(c.pattern)
		if got := tree.Generation(c.name) != before; got != c.changes {
			t.Errorf("Touch(%q) changes the generation of %q: %v, want %v", c.pattern, c.name, got, c.changes)
		}
	}
}

// A node goes through all its shapes, up and down: few and many children, few and many values.
func TestTreeGrowsAndShrinks(t *testing.T) {
	const most = 3000
	tree := NewTree[int]()
	for i := range most {
		tree.Add("dev/"+fmt.Sprint(i)+"/cmd", i)
		tree.Add("all/+/x", i)
	}
	checkShape(t, tree)
	if got := tree.Match("all/1/x", nil); len(got) != most {
		t.Fatalf("%d of %d values", len(got), most)
	}
	for i := range most {
		if !tree.Remove("dev/"+fmt.Sprint(i)+"/cmd", i) || !tree.Remove("all/+/x", i) {
			t.Fatalf("%d is lost", i)
		}
		if i%97 == 0 || i > most-40 {
			checkShape(t, tree)
			if got := sorted(tree.Match("all/1/x", nil)); len(got) != most-1-i || (len(got) > 0 && got[0] != i+1) {
				t.Fatalf("after %d: %d values", i, len(got))
			}
		}
	}
	for i := range tree.shards {
		if b := &tree.shards[i].root; !b.empty() || b.many != nil {
			t.Errorf("shard %d is not empty", i)
		}
	}
}

// drawPattern makes patterns that collide: few words, all depths, wildcards everywhere they may be.
func drawPattern(t *rapid.T) string {
	words := rapid.SampledFrom([]string{"a", "b", "c", "", "$x", "+", "ab", "+", "d", "e", "f", "g", "h", "i"})
	levels := rapid.SliceOfN(words, 1, 5).Draw(t, "pattern")
	if rapid.IntRange(0, 3).Draw(t, "hash") == 0 {
		levels[len(levels)-1] = "#"
	}
	return strings.Join(levels, "/")
}

func drawName(t *rapid.T) string {
	words := rapid.SampledFrom([]string{"a", "b", "c", "", "$x", "ab", "d", "z"})
	return strings.Join(rapid.SliceOfN(words, 1, 5).Draw(t, "name"), "/")
}

// TestTreeModel holds the tree against the naive matcher, and with it the promise of Generation: whenever what matches a
// name changes, the generation of the name has changed.
func TestTreeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, model := NewTree[int](), naive{}
		names := rapid.SliceOfN(rapid.Custom(drawName), 1, 8).Draw(t, "names")
		patterns := rapid.SliceOfN(rapid.Custom(drawPattern), 1, 20).Draw(t, "patterns")
		matched := make([][]int, len(names))
		generation := make([]Generation, len(names))
		for i, name := range names {
			generation[i] = tree.Generation(name)
		}
		check := func() {
			for i, name := range names {
				want := model.match(name)
				if got := sorted(tree.Match(name, nil)); !slices.Equal(got, want) {
					t.Fatalf("%q matches %v, want %v", name, got, want)
				}
				now := tree.Generation(name)
				if now == generation[i] && !slices.Equal(want, matched[i]) {
					t.Fatalf("%q: %v became %v in one generation", name, matched[i], want)
				}
				matched[i], generation[i] = want, now
			}
			if tree.Len() != len(model) {
				t.Fatalf("length %d, want %d", tree.Len(), len(model))
			}
		}
		draw := func(t *rapid.T) pair {
			return pair{rapid.SampledFrom(patterns).Draw(t, "pattern"), rapid.IntRange(0, 25).Draw(t, "value")}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p := draw(t)
				tree.Add(p.pattern, p.value)
				model[p] = true
			},
			"addAll": func(t *rapid.T) {
				p := draw(t)
				for v := range 26 {
					tree.Add(p.pattern, v)
					model[pair{p.pattern, v}] = true
				}
			},
			"remove": func(t *rapid.T) {
				p := draw(t)
				if tree.Remove(p.pattern, p.value) != model[p] {
					t.Fatalf("remove %v: there before: %v", p, model[p])
				}
				delete(model, p)
			},
			"removeAll": func(t *rapid.T) {
				p := draw(t)
				for v := range 26 {
					tree.Remove(p.pattern, v)
					delete(model, pair{p.pattern, v})
				}
			},
			"": func(*rapid.T) { check() },
		})
		for p := range model {
			tree.Remove(p.pattern, p.value)
		}
		for i := range tree.shards {
			if !tree.shards[i].root.empty() {
				t.Fatalf("emptied, shard %d still holds nodes", i)
			}
		}
	})
}

// FuzzTreeMatch: the tree agrees with Match on any strings, valid or not, while patterns come and go. Each line of script
// is a pattern, removed again if it begins with -.
func FuzzTreeMatch(f *testing.F) {
	f.Add("a/b\na/+\na/#\n#\n-a/+\na/b/c", "a/b")
	f.Add("a\na/\na//\n/\n//#\n+/+", "a/")
	f.Add("$aws/+\n#\n+/x\n$aws/#", "$aws/x")
	f.Add("#/x\na+\n+a/#/b\n-#", "#/x")
	f.Add("a/1\na/2\na/3\na/4\na/5\na/6\na/7\na/8\na/9\n-a/1\n-a/2\n-a/3\n-a/4\n-a/5\n-a/6\n-a/7\na/x", "a/9")
	f.Fuzz(func(t *testing.T, script, name string) {
		tree, model := NewTree[int](), naive{}
		for line := range strings.SplitSeq(script, "\n") {
			before, old := tree.Generation(name), model.match(name)
			pattern, remove := strings.CutPrefix(line, "-")
			p := pair{pattern, len(pattern) % 3}
			if remove {
				if tree.Remove(p.pattern, p.value) != model[p] {
					t.Fatalf("remove %q: there before: %v", p.pattern, model[p])
				}
				delete(model, p)
			} else {
				tree.Add(p.pattern, p.value)
				model[p] = true
			}
			want := model.match(name)
			if got := sorted(tree.Match(name, nil)); !slices.Equal(got, want) {
				t.Fatalf("after %q: %q matches %v, want %v", line, name, got, want)
			}
			if !slices.Equal(old, want) && tree.Generation(name) == before {
				t.Fatalf("%q changed what matches %q, but not its generation", line, name)
			}
		}
		checkShape(t, tree)
	})
}
