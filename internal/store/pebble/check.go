package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Report is what Check has seen of a store.
type Report struct {
	Documents, Queues, Entries, Bodies int
	Buckets                            map[string]int // how many of the documents are in each
	// Problems says in words what is wrong, one line each; at most maxProblems, the last of which says that there are more.
	Problems []string
}

// maxProblems is how many problems a report names: a store that is broken in one way is broken so in many places.
const maxProblems = 100

func (r *Report) problem(format string, args ...any) {
	switch len(r.Problems) {
	case maxProblems:
	case maxProblems - 1:
		r.Problems = append(r.Problems, "and there are more problems")
	default:
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Check reads the whole store and says what is not as keys.go promises: keys and values that cannot be understood, queues
// with holes, sums that do not add up, cursors that do not fit, shared bodies whose counts are wrong. An error is one of
// reading.
func (s *Store) Check(ctx context.Context) (*Report, error) {
	l, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer l.leave()
	it, err := l.db.NewIter(nil) // one iterator: one moment
	if err != nil {
		return nil, err
	}
	a := auditor{
		Report:  Report{Buckets: map[string]int{}},
		cursors: map[uint64]cursor{}, first: map[uint64]uint64{}, last: map[uint64]mark{}, refs: map[uint64]uint64{},
		counts: map[uint64]uint64{}, stored: map[uint64]bool{}, dropped: map[uint64]bool{},
	}
	err = a.all(ctx, it)
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, err
	}
	a.conclude()
	return &a.Report, nil
}

// auditor is one Check.
type auditor struct {
	Report
	cursors map[uint64]cursor
	dropped map[uint64]bool
	first   map[uint64]uint64
	last    map[uint64]mark
	refs    map[uint64]uint64 // shared bodies, by the entries that refer to them
	counts  map[uint64]uint64
	stored  map[uint64]bool
	format  uint64
	block   bool // there are blocks
}

func (a *auditor) all(ctx context.Context, it *pebble.Iterator) error {
	for it.First(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		a.one(it.Key(), v)
	}
	return it.Error()
}

func (a *auditor) one(key, v []byte) {
	if len(key) == 0 {
		a.problem("there is an empty key")
		return
	}
	_, id, isID := decodeIDKey(key)
	switch kind := key[0]; kind {
	case kindFormat:
		a.version(key, v)
	case kindDoc:
		a.document(key, v)
	case kindEntry:
		a.entry(key, v)
	case kindCursor, kindDropped, kindBody, kindCount:
		if !isID {
			a.problem("key %q cannot be understood", key)
			return
		}
		a.byID(kind, id, v)
	default:
		a.problem("key %q is of no kind that format %d knows", key, formatVersion)
	}
}

func (a *auditor) version(key, v []byte) {
	version, err := decodeNumber(v)
	if err != nil || len(key) != 1 || version < oldestFormat || version > formatVersion {
		a.problem("the store's format reads %x, %d to %d was expected", v, oldestFormat, formatVersion)
	}
	a.format = version
}

func (a *auditor) document(key, v []byte) {
	a.Documents++
	bucket, name, ok := decodeDocKey(key)
	if !ok {
		a.problem("key %q cannot be understood", key)
		return
	}
	a.Buckets[bucket]++
	if _, _, err := decodeDoc(v); err != nil {
		a.problem("document %s/%s cannot be understood", bucket, name)
	}
}

func (a *auditor) byID(kind byte, id uint64, v []byte) {
	var err error
	switch kind {
	case kindCursor:
		a.cursors[id], err = decodeCursor(v)
	case kindDropped:
		a.dropped[id] = true
	case kindBody:
		a.Bodies++
		a.stored[id] = true
	case kindCount:
		a.counts[id], err = decodeNumber(v)
	}
	if err != nil {
		a.problem("value %x of key %c %016x cannot be understood", v, kind, id)
	}
}

func (a *auditor) entry(key, v []byte) {
	q, seq, ok := decodeEntryKey(key)
	if !ok {
		a.problem("key %q cannot be understood", key)
		return
	}
	id := uint64(q)
	_, r, err := decodeRun(key, v)
	if err == nil {
		err = r.whole()
	}
	if err != nil {
		a.Entries++
		a.misread(id, seq, v, err)
		return
	}
	a.Entries += int(r.count())
	first := r.first()
	if r.ends != nil {
		a.block = true
	}
	if last, ok := a.last[id]; !ok {
		a.Queues++
		a.first[id] = first
	} else if want := r.before(first); last.seq != want.seq {
		a.problem("queue %016x: entry %d follows entry %d", id, first, last.seq)
	} else if last != want {
		a.problem("queue %016x: the sums before entry %d do not add up: %+v, %+v", id, first, last, want)
	}
	a.last[id] = r.behind()
	if r.shared {
		a.refs[r.id]++
	}
}

// misread names an entry or a block that cannot be understood.
func (a *auditor) misread(id, seq uint64, v []byte, err error) {
	if len(v) > 0 && v[0] == entryBlock {
		a.problem("the block up to entry %d of queue %016x cannot be understood: %v", seq, id, err)
		return
	}
	a.problem("entry %d of queue %016x cannot be understood", seq, id)
}

// conclude compares what has to fit together.
func (a *auditor) conclude() {
	if a.format == 0 {
		a.problem("the store has no format number")
	}
	if a.block && a.format < blockFormat {
		a.problem("the store has blocks, which format %d does not know", a.format)
	}
	for id, c := range a.cursors {
		switch first, some := a.first[id]; {
		case some && first != c.deleted+1:
			a.problem("queue %016x begins with entry %d, its cursor says %d", id, first, c.deleted+1)
		case !some && c.deleted != c.last:
			a.problem("queue %016x has no entry, its cursor says %d to %d", id, c.deleted+1, c.last)
		}
	}
	for id, first := range a.first {
		if _, ok := a.cursors[id]; !ok && first != 1 {
			a.problem("queue %016x begins with entry %d and has no cursor", id, first)
		}
	}
	for id, n := range a.refs {
		switch {
		case !a.stored[id]:
			a.problem("shared body %d is missing, %d entries refer to it", id, n)
		case a.counts[id] != n:
			a.problem("shared body %d is counted %d times, %d entries refer to it", id, a.counts[id], n)
		}
	}
	for id := range a.stored {
		if a.refs[id] == 0 {
			a.problem("shared body %d is there and no entry refers to it", id)
		}
	}
	for id := range a.counts {
		if a.refs[id] == 0 && !a.stored[id] {
			a.problem("shared body %d is counted and is not there", id)
		}
	}
}
