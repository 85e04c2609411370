package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// Read reads entries; see store.Queues. It goes along one iterator from the first entry that is wanted.
func (s *Store) Read(ctx context.Context, id store.QueueID, after uint64, limit, maxBytes int, dst []store.Entry) ([]store.Entry, error) {
	l, err := s.enter()
	if err != nil {
		return dst, err
	}
	defer l.leave()
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	q, err := l.queue(id)
	if err != nil {
		return dst, err
	}
	trimmed, durable := q.view()
	after = max(after, trimmed)
	if after >= durable.seq || limit <= 0 {
		return dst, nil
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(id, after+1), UpperBound: entryKey(id, durable.seq+1)})
	if err != nil {
		return dst, err
	}
	r := reader{entries: it}
	dst, err = r.read(after, limit, maxBytes, dst)
	return dst, errors.Join(err, r.close())
}

// reader is one Read.
type reader struct {
	entries *pebble.Iterator
	bodies  *pebble.Iterator // made for the first shared body, of the same moment as entries
	arena   []byte           // the unused end of the memory that small bodies share
}

func (r *reader) close() error {
	err := r.entries.Close()
	if r.bodies != nil {
		err = errors.Join(err, r.bodies.Close())
	}
	return err
}

func (r *reader) read(after uint64, limit, maxBytes int, dst []store.Entry) ([]store.Entry, error) {
	n, read := 0, 0
	for r.entries.First(); r.entries.Valid() && n < limit && (n == 0 || read < maxBytes); r.entries.Next() {
		here, err := runAt(r.entries)
		if err != nil {
			return dst, err
		}
		for seq := max(here.first(), after+1); seq <= here.last && n < limit && (n == 0 || read < maxBytes); seq++ {
			body, err := r.body(&here, seq)
			if err != nil {
				return dst, err
			}
			n, read = n+1, read+len(body)
			dst = append(dst, store.Entry{Seq: seq, Body: r.keep(body)})
		}
	}
	return dst, r.entries.Error()
}

// body is the body of the entry seq, in pebble's memory.
func (r *reader) body(here *run, seq uint64) ([]byte, error) {
	if here.shared {
		return r.sharedBody(here.id)
	}
	return here.bodyOf(seq)
}

func (r *reader) sharedBody(id uint64) ([]byte, error) {
	if r.bodies == nil {
		bodies, err := r.entries.Clone(pebble.CloneOptions{
			IterOptions: &pebble.IterOptions{LowerBound: []byte{kindBody}, UpperBound: []byte{kindBody + 1}},
		})
		if err != nil {
			return nil, err
		}
		r.bodies = bodies
	}
	if !r.bodies.SeekGE(idKey(kindBody, id)) {
		return nil, errors.Join(errCorrupt, r.bodies.Error())
	}
	if _, found, ok := decodeIDKey(r.bodies.Key()); !ok || found != id {
		return nil, errCorrupt
	}
	return r.bodies.ValueAndErr()
}

const (
	arenaBytes = 8 << 10
	arenaBody  = 1 << 10 // larger bodies get memory of their own, so that keeping one does not keep others
)

// keep copies a body out of pebble's memory.
func (r *reader) keep(body []byte) []byte {
	if len(body) > arenaBody {
		return slices.Clone(body)
	}
	if len(r.arena) < len(body) {
		r.arena = make([]byte, arenaBytes)
	}
	kept := r.arena[:len(body):len(body)]
	r.arena = r.arena[len(body):]
	copy(kept, body)
	return kept
}

// QueueStats describes a queue; see store.Queues. It reads one entry at most.
func (s *Store) QueueStats(ctx context.Context, id store.QueueID) (store.QueueStats, error) {
	l, err := s.enter()
	if err != nil {
		return store.QueueStats{}, err
	}
	defer l.leave()
	if err := ctx.Err(); err != nil {
		return store.QueueStats{}, err
	}
	q, err := l.queue(id)
	if err != nil {
		return store.QueueStats{}, err
	}
	for {
		trimmed, durable := q.view()
		if trimmed >= durable.seq {
			return store.QueueStats{First: durable.seq + 1, Last: durable.seq}, nil
		}
		var before mark
		err := l.find(id, trimmed+1, func(r *run) { before = r.before(trimmed + 1) })
		if errors.Is(err, pebble.ErrNotFound) {
			if now, _ := q.view(); now != trimmed {
				continue // it was trimmed and deleted meanwhile
			}
		}
		if err != nil {
			return store.QueueStats{}, err
		}
		bytes := int64(durable.bytes - before.bytes)
		return store.QueueStats{First: trimmed + 1, Last: durable.seq, Bytes: bytes}, nil
	}
}

// QueueIDs lists the queues; see store.Queues. It jumps from queue to queue, whatever they hold.
func (s *Store) QueueIDs(ctx context.Context) iter.Seq2[store.QueueID, error] {
	return func(yield func(store.QueueID, error) bool) {
		ids, err := s.queueIDs(ctx)
		for _, id := range ids {
			if !yield(store.QueueID(id), nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func (s *Store) queueIDs(ctx context.Context) ([]uint64, error) {
	l, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer l.leave()
	// One picture of all kinds: the entries of a dropped queue and its mark go in one batch, and must not be seen apart.
	picture := l.db.NewSnapshot()
	defer picture.Close() //nolint:errcheck // nothing was written
	var ids []uint64
	for _, kind := range []byte{kindEntry, kindCursor} {
		found, err := idsOf(ctx, picture, kind)
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	dropped, err := idsOf(ctx, picture, kindDropped)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id uint64) bool {
		_, gone := slices.BinarySearch(dropped, id)
		return gone
	}), nil
}

// idsOf gives the different queues among the keys of a kind.
func idsOf(ctx context.Context, r pebble.Reader, kind byte) (ids []uint64, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	for ok := it.First(); ok; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(it.Key()) < idKeyLen {
			return nil, errCorrupt
		}
		id := binary.BigEndian.Uint64(it.Key()[1:])
		ids = append(ids, id)
		if id == ^uint64(0) {
			break
		}
		ok = it.SeekGE(idKey(kind, id+1))
	}
	return ids, it.Error()
}
