package journal

import "sync"

// Bounds of the intake. The goroutine is microseconds behind unless something storms.
const (
	intakeEntries = 4096
	intakeBytes   = 8 << 20
	blockEntries  = 32
	spareBlocks   = 4
)

// intake is what was recorded and not looked at yet: a chain of blocks, so that growing never copies.
type intake struct {
	mu     sync.Mutex
	head   *block
	tail   *block
	spare  *block
	spares int
	count  int
	bytes  int
	lost   int
	closed bool
}

type block struct {
	entries [blockEntries]Entry
	n       int
	next    *block
}

// put copies an entry. It reports whether somebody should look.
func (in *intake) put(e *Entry) bool {
	size := e.size()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	if in.count >= intakeEntries || in.bytes+size > intakeBytes {
		in.lost++
		return true
	}
	if in.tail == nil || in.tail.n == blockEntries {
		in.grow()
	}
	in.tail.entries[in.tail.n] = *e
	in.tail.n++
	in.count++
	in.bytes += size
	return in.count == 1
}

func (in *intake) grow() {
	b := in.spare
	if b != nil {
		in.spare, b.next = b.next, nil
		in.spares--
	} else {
		b = new(block)
	}
	if in.tail != nil {
		in.tail.next = b
	} else {
		in.head = b
	}
	in.tail = b
}

// take empties the intake. The blocks are the caller's until giveBack.
func (in *intake) take() (blocks *block, lost int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	blocks, lost = in.head, in.lost
	in.head, in.tail, in.count, in.bytes, in.lost = nil, nil, 0, 0, 0
	return blocks, lost
}

// giveBack keeps a few blocks for later; an idle journal holds on to little.
func (in *intake) giveBack(blocks *block) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for blocks != nil && in.spares < spareBlocks {
		b := blocks
		blocks = b.next
		clear(b.entries[:b.n])
		b.n, b.next = 0, in.spare
		in.spare = b
		in.spares++
	}
}

func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
}
