package pebble

import (
	"encoding/binary"
	"fmt"

	"github.com/thingwire/thingwire/internal/store"
)

// A block is several entries of one queue, one behind the other, in one value of pebble: what a group appends to a queue
// costs pebble one entry and not one for each message. It stands under the number of its last entry, so that the first
// key that is not less than n holds entry n, and so that the keys up to a number are the blocks that end there: they can
// be deleted by range. All of its bodies are in it; an entry with a shared body stands alone.
//
// The value: entryBlock, bytesBefore and sharedBefore of its first entry, how many entries there are, where the body of each
// one ends (counted from where the first begins, two bytes little endian), the bodies. The table of ends lets a page
// begin in the middle without a walk from the beginning.
const (
	entryBlock = 2

	endBytes = 2

	// maxBlockBytes bounds the bodies of a block: each end fits into two bytes. A body that is larger stands alone.
	maxBlockBytes = 1<<16 - 1

	// maxBlockEntries bounds what of a queue is dead and cannot be deleted yet, because a block is deleted as a whole. It
	// must not be more than maxDead.
	maxBlockEntries = 1024
)

// run is what one key of a queue holds: an entry, or a block.
type run struct {
	entry        // of a block: the sums before its first entry, all bodies and their size
	last  uint64 // the number of the last entry
	ends  []byte // of a block
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCorrupt, fmt.Sprintf(format, args...))
}

// decodeRun reads what stands under the key of an entry. It looks at the frame of a block and not at each entry.
func decodeRun(key, v []byte) (q store.QueueID, r run, err error) {
	q, last, ok := decodeEntryKey(key)
	if !ok {
		return 0, run{}, errCorrupt
	}
	if len(v) > 0 && v[0] == entryBlock {
		r, err = decodeBlock(last, v)
		return q, r, err
	}
	e, err := decodeEntry(v)
	return q, run{entry: e, last: last}, err
}

// decodeBlock reads a block that stands under the number last.
func decodeBlock(last uint64, v []byte) (run, error) {
	var count uint64
	r := run{last: last}
	if len(v) == 0 || v[0] != entryBlock {
		return run{}, corrupt("it is not a block")
	}
	v = v[1:]
	for _, p := range []*uint64{&r.bytesBefore, &r.sharedBefore, &count} {
		x, n := binary.Uvarint(v)
		if n <= 0 {
			return run{}, corrupt("its head is not whole")
		}
		*p, v = x, v[n:]
	}
	switch {
	case count == 0 || count > maxBlockEntries:
		return run{}, corrupt("it says that it has %d entries, 1 to %d are possible", count, maxBlockEntries)
	case count > last:
		return run{}, corrupt("it says that it has %d entries, the last is number %d", count, last)
	case uint64(len(v)) < count*endBytes:
		return run{}, corrupt("%d bytes are left for the ends of %d entries", len(v), count)
	}
	r.ends, r.body = v[:count*endBytes:count*endBytes], v[count*endBytes:]
	r.size = uint64(len(r.body))
	if end := r.end(count - 1); end != r.size {
		return run{}, corrupt("its last entry ends at byte %d, there are %d", end, r.size)
	}
	return r, nil
}

// end is where the body of the i-th entry of a block ends.
func (r *run) end(i uint64) uint64 {
	return uint64(binary.LittleEndian.Uint16(r.ends[i*endBytes:]))
}

// start is where the body of the i-th entry of a block begins.
func (r *run) start(i uint64) uint64 {
	if i == 0 {
		return 0
	}
	return r.end(i - 1)
}

func (r *run) count() uint64 {
	if r.ends == nil {
		return 1
	}
	return uint64(len(r.ends)) / endBytes
}

// first is the number of the first entry.
func (r *run) first() uint64 { return r.last - r.count() + 1 }

// bodyOf is the body of the entry seq, which is in the run and not a shared one.
func (r *run) bodyOf(seq uint64) ([]byte, error) {
	if r.ends == nil {
		return r.body, nil
	}
	i := seq - r.first()
	start, end := r.start(i), r.end(i)
	if start > end || end > r.size {
		return nil, corrupt("entry %d goes from byte %d to %d, there are %d", seq, start, end, r.size)
	}
	return r.body[start:end:end], nil
}

// before is the mark before the entry seq, which is in the run.
func (r *run) before(seq uint64) mark {
	m := mark{seq - 1, r.bytesBefore, r.sharedBefore}
	if r.ends != nil {
		m.bytes += r.start(seq - r.first())
	}
	return m
}

// behind is the mark behind the last entry.
func (r *run) behind() mark { return r.entry.behind(r.last) }

// whole looks at each entry.
func (r *run) whole() error {
	for seq := r.first(); r.ends != nil && seq <= r.last; seq++ {
		if _, err := r.bodyOf(seq); err != nil {
			return err
		}
	}
	return nil
}

// waitingBody is a body that waits for its block to be written. The body belongs to the batch that came with it.
type waitingBody struct {
	body []byte
	next int // of the same block, in builder.bodies
}

// openBlock is what a flight has for a queue and what is not in the pebble batch yet.
type openBlock struct {
	head, tail int // in builder.bodies
	count      int
	bytes      int
	before     mark // before its first entry
}

// addInline puts a body behind those that wait for the same queue. before is the mark before it.
func (b *builder) addInline(q *queue, before mark, body []byte) error {
	k := &b.blocks[q.slot]
	if k.count == maxBlockEntries || k.bytes+len(body) > maxBlockBytes {
		if err := b.writeBlock(q); err != nil {
			return err
		}
	}
	n := len(b.bodies)
	b.bodies = append(b.bodies, waitingBody{body: body})
	if k.count == 0 {
		k.head, k.before = n, before
	} else {
		b.bodies[k.tail].next = n
	}
	k.tail = n
	k.count++
	k.bytes += len(body)
	return nil
}

// writeBlock puts what waits for a queue of the flight into the pebble batch; a lone entry as what it is.
func (b *builder) writeBlock(q *queue) error {
	k := b.blocks[q.slot]
	b.blocks[q.slot] = openBlock{}
	if k.count == 0 {
		return nil
	}
	last := k.before.seq + uint64(k.count)
	if k.count == 1 {
		body := b.bodies[k.head].body
		return b.addEntry(q.id, last, &entry{bytesBefore: k.before.bytes, sharedBefore: k.before.shared, body: body})
	}
	b.head = appendBlockHead(b.head[:0], k.before, k.count)
	end := 0
	for i, n := k.head, 0; n < k.count; i, n = b.bodies[i].next, n+1 {
		end += len(b.bodies[i].body)
		b.head = binary.LittleEndian.AppendUint16(b.head, uint16(end)) // at most maxBlockBytes
	}
	op := b.batch.SetDeferred(entryKeyLen, len(b.head)+k.bytes)
	appendEntryKey(op.Key[:0], q.id, last)
	to := op.Value[copy(op.Value, b.head):]
	for i, n := k.head, 0; n < k.count; i, n = b.bodies[i].next, n+1 {
		to = to[copy(to, b.bodies[i].body):]
	}
	return op.Finish()
}

// appendBlockHead encodes a block up to its table of ends.
func appendBlockHead(dst []byte, before mark, count int) []byte {
	dst = binary.AppendUvarint(append(dst, entryBlock), before.bytes)
	dst = binary.AppendUvarint(dst, before.shared)
	return binary.AppendUvarint(dst, uint64(count))
}

// writeBlocks ends all blocks of a flight, and lets go of the batches' bodies.
func (b *builder) writeBlocks(f *flight) error {
	for i := range f.touched {
		if err := b.writeBlock(f.touched[i].q); err != nil {
			return err
		}
	}
	clear(b.bodies)
	b.bodies = b.bodies[:0]
	return nil
}
