package gateway

import (
	"sync"

	"github.com/thingwire/thingwire/internal/broker"
)

// A block is a piece of an outbox: encoded PUBLISH packets, one behind the other. Bytes stay where they were put, so
// that packet ids are patched in place and what is not acknowledged can be sent again; a block goes back to its pool
// when all of it was sent and acknowledged.
type block struct {
	prev, next *block
	buf        []byte
	sent       int     // bytes handed to the socket
	entries    []qos1  // the QoS 1 packets in buf
	given      int     // entries that have a packet id: buf up to the next one may be sent
	pending    int     // entries that are not acknowledged yet
	busy       bool    // the writer is in a write of it
	class      int8    // pool, -1 for none
	fixed      [4]qos1 // room for the first entries of small blocks
}

// qos1 is one QoS 1 packet in a block.
type qos1 struct {
	off, size uint32
	idAt      uint32 // offset of the packet id in buf
	seq       uint64 // in the session's queue, or in its group's; 0 if it is not kept
	group     *broker.Group
	first     uint32 // when it was sent first and last, in seconds of the gateway's clock
	last      uint32
	expires   int64 // milliseconds since 1970, 0 for never
}

// Block sizes: an idle receiver's first message takes a small one, a busy one gets large ones.
var blockSizes = [...]int{2 << 10, 16 << 10, 64 << 10}

var blockPools [len(blockSizes)]sync.Pool

// newBlock takes a block for at least need bytes. level says how busy the outbox is.
func newBlock(need, level int) *block {
	level = min(level, len(blockSizes)-1)
	for level < len(blockSizes) && blockSizes[level] < need {
		level++
	}
	if level == len(blockSizes) {
		return &block{buf: make([]byte, 0, need), class: -1}
	}
	if b, ok := blockPools[level].Get().(*block); ok {
		return b
	}
	b := &block{buf: make([]byte, 0, blockSizes[level]), class: int8(level)}
	b.entries = b.fixed[:0]
	return b
}

// release gives the block back. Nobody may use it afterwards.
func (b *block) release() {
	if b.class < 0 {
		return
	}
	b.prev, b.next = nil, nil
	b.buf, b.entries = b.buf[:0], b.entries[:0]
	b.sent, b.given, b.pending, b.busy = 0, 0, 0, false
	blockPools[b.class].Put(b)
}

// over reports whether nothing of the block is needed any more.
func (b *block) over() bool { return b.sent == len(b.buf) && b.pending == 0 && !b.busy }
