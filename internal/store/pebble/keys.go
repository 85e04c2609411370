package pebble

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/store"
)

// The layout, version 2. Numbers in keys are 8 bytes big endian, in values uvarints; every change of it raises
// formatVersion and brings a migration or a refusal.
//
//	v                      formatVersion
//	d bucket 0 key         a document: revision, value
//	q queue seq            a queue's entry: see entry; or a block of them, of which seq is the last: see run (from version 2 on)
//	m queue                a queue's cursor: see cursor; missing means {0, 0, 0}
//	x queue                the queue was dropped, its entries are still to be cleared
//	b body                 a body that many queues share
//	n body                 how many entries of queues refer to that body
//
// The count of a shared body is crash-safe because only the committer touches it and because it changes in the same
// atomic pebble batch as the entries it counts: written with them, lowered (and at zero removed, with the body) with the
// deletion of entries. Deleting without knowing would leak, so each entry says how many shared ones its queue had before
// it: two numbers tell whether a stretch of entries has any, and only then is it read before it is deleted.
const (
	formatVersion = 2
	blockFormat   = 2 // the first with blocks
	oldestFormat  = 1 // that can be opened

	kindFormat  = 'v'
	kindDoc     = 'd'
	kindEntry   = 'q'
	kindCursor  = 'm'
	kindDropped = 'x'
	kindBody    = 'b'
	kindCount   = 'n'
)

const (
	entryKeyLen = 1 + 8 + 8
	idKeyLen    = 1 + 8
)

// A body that more than inlineQueues queues take is stored once, if it has at least inlineBytes.
const (
	inlineQueues = 4
	inlineBytes  = 256
)

var errCorrupt = errors.New("the store's value cannot be understood")

func appendIDKey(dst []byte, kind byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kind), id)
}

func idKey(kind byte, id uint64) []byte { return appendIDKey(make([]byte, 0, idKeyLen), kind, id) }

func decodeIDKey(key []byte) (kind byte, id uint64, ok bool) {
	if len(key) != idKeyLen {
		return 0, 0, false
	}
	return key[0], binary.BigEndian.Uint64(key[1:]), true
}

func appendEntryKey(dst []byte, q store.QueueID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendIDKey(dst, kindEntry, uint64(q)), seq)
}

func entryKey(q store.QueueID, seq uint64) []byte {
	return appendEntryKey(make([]byte, 0, entryKeyLen), q, seq)
}

// entriesEnd is the first key behind all entries of q.
func entriesEnd(q store.QueueID) []byte { return append(entryKey(q, ^uint64(0)), 0) }

func decodeEntryKey(key []byte) (q store.QueueID, seq uint64, ok bool) {
	if len(key) != entryKeyLen || key[0] != kindEntry {
		return 0, 0, false
	}
	return store.QueueID(binary.BigEndian.Uint64(key[1:])), binary.BigEndian.Uint64(key[9:]), true
}

func appendDocKey(dst []byte, bucket, key string) []byte {
	dst = append(append(dst, kindDoc), bucket...)
	return append(append(dst, 0), key...)
}

func decodeDocKey(k []byte) (bucket, key string, ok bool) {
	if len(k) == 0 || k[0] != kindDoc {
		return "", "", false
	}
	bucket, key, ok = strings.Cut(string(k[1:]), "\x00")
	return bucket, key, ok && bucket != ""
}

// prefixEnd is the first key behind all that begin with prefix, whose first byte is one of the kinds.
func prefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}

// docHead is the beginning of a document's value.
func appendDocHead(dst []byte, rev uint64) []byte { return binary.AppendUvarint(dst, rev) }

func decodeDoc(v []byte) (rev uint64, value []byte, err error) {
	rev, n := binary.Uvarint(v)
	if n <= 0 || rev == 0 {
		return 0, nil, errCorrupt
	}
	return rev, v[n:], nil
}

// entry is one place in a queue that has a key of its own. Its body is in it, or stored once for many queues.
type entry struct {
	bytesBefore  uint64 // the size of all bodies that the queue had before this one (counted from any beginning)
	sharedBefore uint64 // how many shared ones it had before this one (ditto)
	shared       bool
	id           uint64 // of the shared body
	size         uint64 // of the body
	body         []byte // the body if not shared
}

const (
	entryInline = 0
	entryShared = 1
)

// maxEntryHead is the longest encoding of an entry without an inline body.
const maxEntryHead = 1 + 4*binary.MaxVarintLen64

// appendEntryHead encodes e without its inline body, which follows to the end of the value.
func appendEntryHead(dst []byte, e *entry) []byte {
	if !e.shared {
		dst = binary.AppendUvarint(append(dst, entryInline), e.bytesBefore)
		return binary.AppendUvarint(dst, e.sharedBefore)
	}
	dst = binary.AppendUvarint(append(dst, entryShared), e.bytesBefore)
	dst = binary.AppendUvarint(dst, e.sharedBefore)
	dst = binary.AppendUvarint(dst, e.id)
	return binary.AppendUvarint(dst, e.size)
}

func decodeEntry(v []byte) (e entry, err error) {
	if len(v) == 0 || v[0] > entryShared {
		return entry{}, errCorrupt
	}
	e.shared = v[0] == entryShared
	numbers := []*uint64{&e.bytesBefore, &e.sharedBefore, &e.id, &e.size}
	if !e.shared {
		numbers = numbers[:2]
	}
	v = v[1:]
	for _, p := range numbers {
		x, n := binary.Uvarint(v)
		if n <= 0 {
			return entry{}, errCorrupt
		}
		*p, v = x, v[n:]
	}
	if e.shared {
		if len(v) != 0 {
			return entry{}, errCorrupt
		}
		return e, nil
	}
	e.body, e.size = v, uint64(len(v))
	return e, nil
}

// cursor is what is written about a queue apart from its entries.
type cursor struct {
	trimmed uint64 // entries up to this one are forgotten
	last    uint64 // the newest number given when the cursor was written, so that no number is given twice
	deleted uint64 // entries up to this one are no longer on disk
}

func (c cursor) encode() []byte {
	v := make([]byte, 0, 3*binary.MaxVarintLen64)
	v = binary.AppendUvarint(v, c.trimmed)
	v = binary.AppendUvarint(v, c.last)
	return binary.AppendUvarint(v, c.deleted)
}

func decodeCursor(v []byte) (c cursor, err error) {
	for _, p := range []*uint64{&c.trimmed, &c.last, &c.deleted} {
		x, n := binary.Uvarint(v)
		if n <= 0 {
			return cursor{}, errCorrupt
		}
		*p, v = x, v[n:]
	}
	if len(v) != 0 || c.deleted > c.trimmed || c.trimmed > c.last {
		return cursor{}, errCorrupt
	}
	return c, nil
}

func decodeNumber(v []byte) (uint64, error) {
	x, n := binary.Uvarint(v)
	if n <= 0 || n != len(v) {
		return 0, errCorrupt
	}
	return x, nil
}
