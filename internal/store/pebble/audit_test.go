package pebble

import (
	"testing"

	"github.com/thingwire/thingwire/internal/store"
)

// audit reads the whole database and checks what keys.go promises: queues without holes, sums that add up, cursors
// that fit, and shared bodies whose counts are right. It returns how many entries and bodies there are.
func audit(t *testing.T, s *Store) (entries, bodies int) {
	t.Helper()
	it, err := s.now().db.NewIter(nil) // one iterator: one moment
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close() //nolint:errcheck // a test
	a := auditor{cursors: map[uint64]cursor{}, last: map[uint64]mark{}, first: map[uint64]uint64{}, refs: map[uint64]uint64{}}
	counts, stored := map[uint64]uint64{}, map[uint64]bool{}
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			t.Fatal(err)
		}
		kind, id, _ := decodeIDKey(it.Key())
		if len(it.Key()) > 0 {
			kind = it.Key()[0]
		}
		switch kind {
		case kindEntry:
			a.entry(t, it.Key(), v)
			entries++
		case kindCursor:
			if a.cursors[id], err = decodeCursor(v); err != nil {
				t.Fatal(err)
			}
		case kindBody:
			stored[id] = true
		case kindCount:
			if counts[id], err = decodeNumber(v); err != nil {
				t.Fatal(err)
			}
		case kindDoc:
			if _, _, err := decodeDoc(v); err != nil {
				t.Fatal(err)
			}
		case kindFormat, kindDropped:
		default:
			t.Fatalf("unknown key %q", it.Key())
		}
	}
	for id, c := range a.cursors {
		if first := a.first[id]; first != 0 && first != c.deleted+1 || first == 0 && c.deleted != c.last {
			t.Errorf("queue %d: cursor %+v, first entry %d", id, c, first)
		}
	}
	for id, first := range a.first {
		if _, ok := a.cursors[id]; !ok && first != 1 {
			t.Errorf("queue %d begins at %d and has no cursor", id, first)
		}
	}
	for id, n := range a.refs {
		if counts[id] != n || !stored[id] {
			t.Errorf("body %d: counted %d, referred to %d times, stored: %v", id, counts[id], n, stored[id])
		}
	}
	if len(counts) != len(a.refs) || len(stored) != len(a.refs) {
		t.Errorf("%d bodies and %d counts for %d that are referred to", len(stored), len(counts), len(a.refs))
	}
	return entries, len(stored)
}

type auditor struct {
	cursors map[uint64]cursor
	first   map[uint64]uint64
	last    map[uint64]mark
	refs    map[uint64]uint64
}

func (a *auditor) entry(t *testing.T, key, v []byte) {
	t.Helper()
	q, seq, ok := decodeEntryKey(key)
	e, err := decodeEntry(v)
	if !ok || err != nil {
		t.Fatalf("entry %q: %v", key, err)
	}
	id := uint64(q)
	if last, ok := a.last[id]; !ok {
		a.first[id] = seq
	} else if want := (mark{seq - 1, e.bytesBefore, e.sharedBefore}); last != want {
		t.Errorf("queue %d: behind an entry it is %+v, before the next %+v", id, last, want)
	}
	a.last[id] = e.behind(seq)
	if e.shared {
		a.refs[e.id]++
	}
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
