package pebble

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// clear deletes the dead entries of q, a part of them if shared bodies among them make it read more than budget allows.
// What is dead in a block that still lives stays with it. It says what that cost.
func (l *life) clear(q *queue, budget int) (cost int, finished bool, err error) {
	l.count(q)
	end := q.counted
	if end > q.deleted.seq {
		all, err := l.before(q, end+1)
		if err != nil {
			return 0, false, err
		}
		to := all
		if to.shared != q.deleted.shared {
			if to, err = l.release(q, all.seq, uint64(budget)); err != nil {
				return 0, false, err
			}
			cost = int(to.seq - q.deleted.seq)
		}
		if err := l.deleteEntries(q, to); err != nil {
			return 0, false, err
		}
		if to != all {
			return cost, false, nil
		}
	}
	l.spare(q, end)
	return cost + 1, true, l.cleared(q)
}

// spare takes the entries up to seq out of the sum of what is dead.
func (l *life) spare(q *queue, seq uint64) {
	if seq > q.spared {
		l.dead.Add(-int64(seq - q.spared))
		q.spared = seq
	}
}

// deleteEntries deletes up to the mark, where a run ends, and writes the cursor.
func (l *life) deleteEntries(q *queue, to mark) error {
	b := &l.builder
	first, n := q.deleted.seq+1, to.seq-q.deleted.seq
	if n == 0 {
		return nil
	}
	q.deleted = to
	if n > maxSingleDeletes {
		if err := b.batch.DeleteRange(entryKey(q.id, first), entryKey(q.id, to.seq+1), nil); err != nil {
			return err
		}
		return b.setCursor(q)
	}
	for seq := first; seq <= to.seq; seq++ {
		if err := b.batch.Delete(entryKey(q.id, seq), nil); err != nil {
			return err
		}
	}
	return b.setCursor(q)
}

// cleared removes a dropped queue for good, when nothing came to it since.
func (l *life) cleared(q *queue) error {
	b := &l.builder
	if !q.dropped || q.gone || q.last.seq != q.deleted.seq {
		return nil
	}
	b.remove(q)
	if err := b.batch.Delete(idKey(kindDropped, uint64(q.id)), nil); err != nil {
		return err
	}
	return b.batch.Delete(idKey(kindCursor, uint64(q.id)), nil)
}

// release reads the dead entries up to the number end, where a run ends, and gives back their shared bodies. It ends
// earlier when it has read budget entries, and returns the mark behind the last of them.
func (l *life) release(q *queue, end, budget uint64) (to mark, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{
		LowerBound: entryKey(q.id, q.deleted.seq+1),
		UpperBound: entryKey(q.id, end+1),
	})
	if err != nil {
		return mark{}, err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	to = q.deleted
	for it.First(); it.Valid() && to.seq-q.deleted.seq < budget; it.Next() {
		r, err := runAt(it)
		if err != nil {
			return mark{}, errors.Join(errCorrupt, err)
		}
		if r.first() != to.seq+1 {
			return mark{}, corrupt("entry %d of queue %016x follows entry %d", r.first(), uint64(q.id), to.seq)
		}
		if r.shared {
			if err := l.releaseBody(r.id); err != nil {
				return mark{}, err
			}
		}
		to = r.behind()
	}
	if to.seq != end && to.seq-q.deleted.seq < budget {
		return mark{}, errors.Join(errCorrupt, it.Error())
	}
	return to, it.Error()
}

// releaseBody takes one from the count of a body, in memory.
func (l *life) releaseBody(id uint64) error {
	b := &l.builder
	count, ok := b.counts[id]
	if !ok {
		v, closer, err := l.db.Get(idKey(kindCount, id))
		if err != nil {
			return err
		}
		count, err = decodeNumber(v)
		if err := errors.Join(err, closer.Close()); err != nil {
			return err
		}
	}
	if count == 0 {
		return errCorrupt
	}
	b.counts[id] = count - 1
	return nil
}

// setCounts writes the counts that changed, and removes the bodies that nobody refers to any more.
func (b *builder) setCounts() error {
	for id, count := range b.counts {
		if count > 0 {
			if err := b.batch.Set(idKey(kindCount, id), binary.AppendUvarint(nil, count), nil); err != nil {
				return err
			}
			continue
		}
		if err := b.batch.Delete(idKey(kindCount, id), nil); err != nil {
			return err
		}
		if err := b.batch.Delete(idKey(kindBody, id), nil); err != nil {
			return err
		}
	}
	return nil
}
