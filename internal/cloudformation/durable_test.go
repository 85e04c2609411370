package cloudformation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// What was answered before a power cut is there after it, and whatever the cut met is whole: each stack has its role with
// its policies, and each role its stack.
func TestStacksAreWholeAfterAPowerCut(t *testing.T) {
	t.Parallel()
	const makers, rounds = 4, 12
	fs, key := vfs.NewCrashableMem(), iam.NewKey()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, s, key)
	defer func() {
		w.keys.Close()
		w.must(s.Close())
	}()
	var mu sync.Mutex
	promised := map[string]Status{} // by the ids of stacks
	var all sync.WaitGroup
	for m := range makers {
		all.Go(func() {
			for n := range rounds {
				name := fmt.Sprintf("s%d-%d", m, n)
				id, err := w.Create(t.Context(), everything, NewStack{Name: name, Template: withPolicies, Capabilities: bothCapabilities})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				promised[id] = CreateComplete
				mu.Unlock()
				if n%2 == 0 {
					continue
				}
				mu.Lock()
				delete(promised, id) // it may be there or not
				mu.Unlock()
				if err := w.Delete(t.Context(), everything, id, "", nil); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				promised[id] = DeleteComplete
				mu.Unlock()
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	look := func() {
		mu.Lock()
		before := maps.Clone(promised)
		mu.Unlock() // a deletion that begins from here on may be done before the cut, which breaks no promise
		checkWhole(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}), key, before)
	}
	for range 6 {
		look()
	}
	all.Wait()
	look()
}

// withPolicies is a template of two resources that belong together.
var withPolicies = resources(`"A":` + roleText(`,"Policies":[{"PolicyName":"own","PolicyDocument":`+allow+`}]`) +
	`,"P":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Roles":[{"Ref":"A"}]}}`)

func checkWhole(t *testing.T, fs vfs.FS, key iam.Key, promised map[string]Status) {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, s, key)
	defer func() {
		w.keys.Close()
		w.must(s.Close())
	}()
	w.sound()
	for id, status := range promised {
		st, err := w.Find(t.Context(), id)
		if err != nil || st.Status != status && st.Status != DeleteComplete {
			t.Errorf("%s was %s and is %+v, %v", id, status, st, err)
		}
	}
	stacks, err := w.List(t.Context(), false)
	w.must(err)
	var owned []string
	for _, st := range stacks {
		role := st.Resources[0].PhysicalID
		owned = append(owned, role)
		names, err := w.keys.ListRolePolicies(t.Context(), role)
		if err != nil || !slices.Equal(names, []string{"own", "p"}) || st.Status != CreateComplete {
			t.Errorf("stack %s is %s, its role has %v, %v", st.Name, st.Status, names, err)
		}
		if story := w.story(st.ID); len(story) != 8 || story[7] != st.Name+" CREATE_COMPLETE" {
			t.Errorf("stack %s has the story %q", st.Name, story)
		}
	}
	slices.SortFunc(owned, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	if roles := w.roles(); !slices.Equal(roles, owned) {
		t.Errorf("roles %v, of stacks %v", roles, owned)
	}
}

// Check names each thing that it could not work with.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.create(NewStack{Name: "st", Template: withPolicies})
	w.must(second(w.CreateChangeSet(t.Context(), NewChangeSet{Name: "c", Stack: "st", Capabilities: bothCapabilities})))
	w.sound()
	for _, c := range []struct{ bucket, key, value, want string }{
		{stacksBucket, "torn", "{", `document "torn" of cloudformation/stacks cannot be read`},
		{stacksBucket, "mine", `{"name":"yours","id":"x/1"}`, "stack mine says that it is yours"},
		{stacksBucket, "bad", `{"name":"bad","id":"x/2","template":"{}"}`, "the template of stack bad cannot be read"},
		{stacksBucket, "odd", `{"name":"odd","id":"x/3","resources":[{"logicalId":"A","type":"x","properties":"{}"}]}`, "resource A of stack odd"},
		{idsBucket, "1", `{"name":"st"}`, "the id 1 leads to stack st"},
		{goneBucket, "torn", "{", `document "torn" of cloudformation/gone cannot be read`},
		{eventsBucket, "nobody", "{}", "nobody of cloudformation/events belongs to no stack"},
		{setsBucket, uuidOf(st.ID) + "/d", "{", "cannot be read"},
		{metaBucket, formatKey, "9", "format 9"},
	} {
		w.must(w.store.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: c.bucket, Key: c.key, Value: []byte(c.value)}}}).Wait())
		problems, err := Check(t.Context(), w.store)
		if err != nil || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("want %q in %q, %v", c.want, problems, err)
		}
	}
	if _, err := Open(t.Context(), Config{Store: w.store, Keys: w.keys}); err == nil {
		t.Error("opened a newer format")
	}
}
