package pebble

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/store"
)

// What a life leaves to the next one. The disk has everything that was acknowledged, and perhaps some of what failed:
// nobody can say before the directory is open again. For those who use the store it must be as if what failed had not
// been, or as if somebody else had done it later:
//
//   - entries of queues that failed are removed. Nobody has seen their numbers, which are given anew. If they stayed, a
//     queue would hold messages between those that its reader was handed from memory, and he would not know.
//   - documents that failed and are there nevertheless stay, and those who watch are told of them.
//   - trims that were only in memory are made again.
//
// A relaxed store has acknowledged what the disk may not have: that is in memory still, and written again.

// takeOver brings the database into the state that the store has promised.
func (l *life) takeOver(old *life) error {
	if len(old.unsettled) > 0 {
		if err := l.replay(old); err != nil {
			return err
		}
	}
	return l.rollBack(old.lost)
}

// replay applies again what was applied to the database of old, in its order. All operations are absolute, so it does
// not matter how much of it is there.
func (l *life) replay(old *life) error {
	again := slices.Clone(old.unsettled)
	for _, f := range old.lost {
		again = append(again, f.batch)
	}
	for _, b := range again {
		next := l.db.NewBatch()
		if err := next.SetRepr(slices.Clone(b.Repr())); err != nil {
			return err
		}
		if err := next.Commit(pebble.NoSync); err != nil {
			return err
		}
	}
	return l.db.LogData(nil, pebble.Sync)
}

// rollBack removes the entries of queues that were not acknowledged.
func (l *life) rollBack(lost []*flight) error {
	l.builder.begin(l.db)
	acknowledged := map[store.QueueID]uint64{}
	for _, f := range lost {
		for _, t := range f.touched {
			_, durable := t.q.view()
			if seq, ok := acknowledged[t.q.id]; !ok || durable.seq < seq {
				acknowledged[t.q.id] = durable.seq
			}
		}
	}
	for id, seq := range acknowledged {
		if err := l.cut(id, seq); err != nil {
			return err
		}
	}
	if err := l.builder.setCounts(); err != nil {
		return err
	}
	return l.builder.batch.Commit(pebble.Sync)
}

// cut removes the entries of a queue behind seq and takes back their numbers. A queue that is being dropped goes whole.
func (l *life) cut(id store.QueueID, seq uint64) error {
	dropped, err := l.has(idKey(kindDropped, uint64(id)))
	if err != nil || dropped {
		return err
	}
	n, err := l.releaseBehind(id, seq)
	if err != nil {
		return err
	}
	b := l.builder.batch
	if n > 0 {
		if err := b.DeleteRange(entryKey(id, seq+1), entriesEnd(id), nil); err != nil {
			return err
		}
	}
	c, err := l.readCursor(id)
	if err != nil || c.last <= seq {
		return err
	}
	if seq == 0 {
		return b.Delete(idKey(kindCursor, uint64(id)), nil)
	}
	c = cursor{trimmed: min(c.trimmed, seq), last: seq, deleted: min(c.deleted, seq)}
	return b.Set(idKey(kindCursor, uint64(id)), c.encode(), nil)
}

// releaseBehind gives back the shared bodies of the n runs behind seq. None of them has entries up to seq: a block is of
// one group, which was acknowledged as a whole.
func (l *life) releaseBehind(id store.QueueID, seq uint64) (n int, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(id, seq+1), UpperBound: entriesEnd(id)})
	if err != nil {
		return 0, err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	for it.First(); it.Valid(); it.Next() {
		r, err := runAt(it)
		if err != nil {
			return 0, err
		}
		if r.first() <= seq {
			return 0, corrupt("entries %d to %d of queue %016x are one block, acknowledged is entry %d", r.first(), r.last, uint64(id), seq)
		}
		n++
		if !r.shared {
			continue
		}
		if err := l.releaseBody(r.id); err != nil {
			return 0, err
		}
	}
	return n, it.Error()
}

// change is news for those who watch a bucket.
type change struct {
	store.Change
	bucket string
}

// changes are the documents that are not as they were before what failed.
func (l *life) changes(lost []*flight) ([]change, error) {
	var changes []change
	seen := map[string]bool{}
	for _, f := range lost {
		for i, key := range f.keys {
			if seen[key] {
				continue
			}
			seen[key] = true
			bucket, name, _ := decodeDocKey([]byte(key))
			if !l.s.watchers.Watched(bucket) {
				continue
			}
			doc, err := l.get(key)
			if err != nil {
				return nil, err
			}
			if was := f.olds[i]; doc.Rev == was && !written(lost, key, doc.Rev) {
				continue
			} else if doc.Rev == 0 {
				changes = append(changes, change{store.Change{Doc: store.Doc{Key: name, Rev: was}, Deleted: true}, bucket})
				continue
			}
			doc.Key = name
			changes = append(changes, change{store.Change{Doc: doc}, bucket})
		}
	}
	return changes, nil
}

// written reports whether what failed has written the document with that revision: a document that was deleted and made
// anew has numbers that it had before.
func written(lost []*flight, key string, rev uint64) bool {
	for _, f := range lost {
		for i := range f.keys {
			if f.keys[i] == key && f.revs[i] == rev && f.olds[i] != rev {
				return true
			}
		}
	}
	return false
}

// carry makes the trims of old that the disk does not have.
func (l *life) carry(old *life) error {
	for id, seq := range old.asked() {
		c, err := l.readCursor(id)
		if err != nil {
			return err
		}
		if seq <= c.trimmed {
			continue
		}
		q, err := l.queue(id)
		if err != nil {
			return err
		}
		n, first := q.trim(seq)
		if n == 0 {
			continue
		}
		l.s.mu.Lock()
		l.trimmed(q, n, first)
		l.s.mu.Unlock()
	}
	return nil
}

// asked is up to where the queues were trimmed.
func (l *life) asked() map[store.QueueID]uint64 {
	l.queues.mu.RLock()
	defer l.queues.mu.RUnlock()
	all := make(map[store.QueueID]uint64, len(l.queues.by))
	for id, q := range l.queues.by {
		q.mu.Lock()
		if q.asked > 0 {
			all[id] = q.asked
		}
		q.mu.Unlock()
	}
	return all
}
