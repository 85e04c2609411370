package pebble

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/store"
)

// audit checks the whole store. It returns how many entries and bodies there are.
func audit(t *testing.T, s *Store) (entries, bodies int) {
	t.Helper()
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Error(p)
	}
	return r.Entries, r.Bodies
}

// settle waits until the committer has nothing left to clear: it has done the chores of all commits before this one.
func settle(t *testing.T, s *Store) {
	t.Helper()
	for range 100 {
		if err := s.Commit(&store.Batch{}).Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// Each kind of damage is seen and named.
func TestCheckFindsDamage(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(db *pebble.DB) error
		want string
	}{
		{"nothing", func(*pebble.DB) error { return nil }, ""},
		{"a hole", func(db *pebble.DB) error { return db.Delete(entryKey(1, 3), nil) }, "queue 0000000000000001: entry 4 follows entry 2"},
		{"a first entry", func(db *pebble.DB) error { return db.Delete(entryKey(1, 1), nil) }, "queue 0000000000000001 begins with entry 2 and has no cursor"},
		{"an entry", func(db *pebble.DB) error { return db.Set(entryKey(1, 2), []byte{9}, nil) }, "entry 2 of queue 0000000000000001 cannot be understood"},
		{"a cursor", func(db *pebble.DB) error { return db.Set(idKey(kindCursor, 1), []byte{5, 1}, nil) }, "key m 0000000000000001 cannot be understood"},
		{"a cursor that lies", func(db *pebble.DB) error { return db.Set(idKey(kindCursor, 1), cursor{2, 9, 2}.encode(), nil) }, "begins with entry 1, its cursor says 3"},
		{"a body", func(db *pebble.DB) error { return db.Delete(idKey(kindBody, 1), nil) }, "shared body 1 is missing, 5 entries refer to it"},
		{"a count", func(db *pebble.DB) error { return db.Set(idKey(kindCount, 1), []byte{4}, nil) }, "shared body 1 is counted 4 times, 5 entries refer to it"},
		{"a body too many", func(db *pebble.DB) error { return db.Set(idKey(kindBody, 7), []byte{4}, nil) }, "shared body 7 is there and no entry refers to it"},
		{"a document", func(db *pebble.DB) error { return db.Set(appendDocKey(nil, "b", "k"), nil, nil) }, "document b/k cannot be understood"},
		{"a block cut short", harmBlock(func(v []byte) []byte { return v[:2] }), "the block up to entry 4 of queue 0000000000000007 cannot be understood: " + errCorrupt.Error() + ": its head is not whole"},
		{"a block of nothing", harmBlock(func(v []byte) []byte { v[3] = 0; return v }), "it has 0 entries, 1 to 1024 are possible"},
		{"a block of too many", harmBlock(func(v []byte) []byte { return append(v[:3], 0x81, 8) }), "it has 1025 entries, 1 to 1024 are possible"},
		{"a block that begins before the first number", harmBlock(func(v []byte) []byte { v[3] = 5; return v }), "it has 5 entries, the last is number 4"},
		{"a block without all ends", harmBlock(func(v []byte) []byte { return v[:9] }), "5 bytes are left for the ends of 4 entries"},
		{"a block without all bodies", harmBlock(func(v []byte) []byte { return v[:len(v)-1] }), "its last entry ends at byte 40, there are 39"},
		{"a block with more than its bodies", harmBlock(func(v []byte) []byte { return append(v, 0) }), "its last entry ends at byte 40, there are 41"},
		{"a block whose ends fall", harmBlock(func(v []byte) []byte { v[4] = 21; return v }), "entry 2 goes from byte 21 to 20, there are 40"},
		{"a block whose end is behind it", harmBlock(func(v []byte) []byte { v[7] = 1; return v }), "entry 2 goes from byte 10 to 276, there are 40"},
		{"a block with wrong sums", harmBlock(func(v []byte) []byte { v[1]++; return v }), "queue 0000000000000007: the sums before entry 5 do not add up"},
		{"a block that is missing", func(db *pebble.DB) error { return db.Delete(entryKey(7, 4), nil) }, "queue 0000000000000007 begins with entry 5 and has no cursor"},
		{"a block that overlaps", func(db *pebble.DB) error { return copyBlock(db, 4, 5) }, "queue 0000000000000007: entry 2 follows entry 4"},
		{"a block behind a hole", func(db *pebble.DB) error { return copyBlock(db, 4, 10) }, "queue 0000000000000007: entry 7 follows entry 5"},
		{"blocks before their format", func(db *pebble.DB) error { return db.Set([]byte{kindFormat}, []byte{1}, nil) }, "the store has blocks, which format 1 does not know"},
		{"a format", func(db *pebble.DB) error { return db.Set([]byte{kindFormat}, []byte{3}, nil) }, "the store's format reads 03, 1 to 2 was expected"},
		{"a key", func(db *pebble.DB) error { return db.Set([]byte("zzz"), nil, nil) }, `key "zzz" is of no kind`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
			defer s.Close() //nolint:errcheck // a test
			fillQueues(t, s, 1, 2, 10)
			fillQueues(t, s, 5, 1, 300)
			for range 4 { // entries by themselves
				fillQueues(t, s, 2, 1, 10)
			}
			fillOne(t, s, 7, 4, 10) // a block
			fillOne(t, s, 7, 1, 10)
			if err := s.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: "b", Key: "k"}}}).Wait(); err != nil {
				t.Fatal(err)
			}
			if err := c.harm(s.now().db); err != nil {
				t.Fatal(err)
			}
			r, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, c.want) })
			if c.want == "" && len(r.Problems) > 0 || c.want != "" && !found {
				t.Errorf("want %q in %q", c.want, r.Problems)
			}
		})
	}
}

// harmBlock changes the block of queue 7 that TestCheckFindsDamage made: its four entries of ten bytes.
func harmBlock(change func(v []byte) []byte) func(db *pebble.DB) error {
	return func(db *pebble.DB) error {
		v, closer, err := db.Get(entryKey(7, 4))
		if err != nil {
			return err
		}
		v = change(slices.Clone(v))
		return errors.Join(closer.Close(), db.Set(entryKey(7, 4), v, nil))
	}
}

// copyBlock puts a block of queue 7 under another number.
func copyBlock(db *pebble.DB, from, to uint64) error {
	v, closer, err := db.Get(entryKey(7, from))
	if err != nil {
		return err
	}
	return errors.Join(db.Set(entryKey(7, to), v, nil), closer.Close())
}

// A checkpoint has what was acknowledged before it, can be checked without being changed, and lives on when the store
// goes on.
func TestCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "data", FS: fs})
	fillQueues(t, s, 6, 1000, 300)
	if err := s.Checkpoint("copy"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(&store.Batch{DropQueues: []store.QueueID{0, 1, 2, 3}}).Wait(); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if err := errors.Join(s.now().db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := fs.List("copy")
	if err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, Options{Dir: "copy", FS: fs, ReadOnly: true})
	if entries, bodies := audit(t, c); entries != 6000 || bodies != 1000 {
		t.Errorf("%d entries, %d bodies", entries, bodies)
	}
	if got, err := c.Read(t.Context(), 0, 0, 2000, 1<<30, nil); err != nil || len(got) != 1000 {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if err := c.Commit(one(1, 1)).Wait(); !errors.Is(err, errReadOnly) {
		t.Errorf("a commit: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	after, err := fs.List("copy")
	slices.Sort(before)
	slices.Sort(after)
	after = slices.DeleteFunc(after, func(name string) bool { return name == "LOCK" })
	before = slices.DeleteFunc(before, func(name string) bool { return name == "LOCK" })
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("%q became %q, %v", before, after, err)
	}
}

// What is not there is not made by looking at it.
func TestReadOnlyNeedsAStore(t *testing.T) {
	if _, err := Open(Options{Dir: "nowhere", FS: vfs.NewMem(), ReadOnly: true}); err == nil {
		t.Error("opened")
	}
}
