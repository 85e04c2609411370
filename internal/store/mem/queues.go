package mem

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/thingwire/thingwire/internal/store"
)

// queue holds the entries that were not trimmed; the last of them has the number last.
type queue struct {
	entries []store.Entry // bodies are shared between queues and never changed
	last    uint64
	bytes   int64
}

// append puts one copy of the body behind all queues. The caller holds the lock.
func (s *Store) append(a *store.Append) {
	body := append([]byte{}, a.Body...)
	for i, id := range a.Queues {
		q := s.queues[id]
		if q == nil {
			q = &queue{}
			s.queues[id] = q
		}
		q.last++
		q.bytes += int64(len(body))
		q.entries = append(q.entries, store.Entry{Seq: q.last, Body: body})
		a.Seqs[i] = q.last
	}
}

// after gives the entries with numbers greater than seq.
func (q *queue) after(seq uint64) []store.Entry {
	first := q.last + 1 - uint64(len(q.entries))
	if seq < first {
		return q.entries
	}
	return q.entries[min(seq+1-first, uint64(len(q.entries))):]
}

// Read reads entries; see store.Queues.
func (s *Store) Read(ctx context.Context, id store.QueueID, after uint64, limit, maxBytes int, dst []store.Entry) ([]store.Entry, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return dst, err
	}
	q := s.queues[id]
	if q == nil {
		return dst, nil
	}
	read := 0
	for i, e := range q.after(after) {
		if i >= limit || i > 0 && read >= maxBytes {
			break
		}
		read += len(e.Body)
		dst = append(dst, store.Entry{Seq: e.Seq, Body: slices.Clone(e.Body)})
	}
	return dst, nil
}

// Trim forgets entries; see store.Queues.
func (s *Store) Trim(id store.QueueID, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[id]
	if q == nil {
		return
	}
	left := q.after(seq)
	gone := q.entries[:len(q.entries)-len(left)]
	for i := range gone {
		q.bytes -= int64(len(gone[i].Body))
		gone[i].Body = nil
	}
	q.entries = left
	if len(left) == 0 {
		q.entries = nil
	}
}

// QueueStats describes a queue; see store.Queues.
func (s *Store) QueueStats(ctx context.Context, id store.QueueID) (store.QueueStats, error) {
	if err := ctx.Err(); err != nil {
		return store.QueueStats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return store.QueueStats{}, err
	}
	q := s.queues[id]
	if q == nil {
		return store.QueueStats{First: 1}, nil
	}
	return store.QueueStats{First: q.last + 1 - uint64(len(q.entries)), Last: q.last, Bytes: q.bytes}, nil
}

// QueueIDs lists the queues; see store.Queues.
func (s *Store) QueueIDs(ctx context.Context) iter.Seq2[store.QueueID, error] {
	return func(yield func(store.QueueID, error) bool) {
		s.mu.Lock()
		ids, err := slices.Sorted(maps.Keys(s.queues)), s.readable()
		s.mu.Unlock()
		if err != nil {
			yield(0, err)
			return
		}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				yield(0, err)
				return
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}
