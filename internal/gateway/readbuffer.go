package gateway

import (
	"io"
	"sync"
)

// readBuffer is what a connection has read and not yet parsed. It begins small, grows while reads fill it, and shrinks
// again when they do not. Messages alias it until they are published; lend gives its memory to them.
type readBuffer struct {
	buf   []byte
	id    uint64 // numbers the buffers, from 1
	r, w  int
	class int8
	small uint8 // reads in a row that used little
}

var readSizes = [...]int{2 << 10, 16 << 10, 64 << 10, 160 << 10}

var readPools [len(readSizes)]sync.Pool

func takeBuffer(class int8) []byte {
	if p, ok := readPools[class].Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, readSizes[class])
}

// giveBuffer returns memory that takeBuffer gave.
func giveBuffer(b []byte) {
	for i, n := range readSizes {
		if len(b) == n {
			readPools[i].Put(&b)
		}
	}
}

// classFor is the smallest class for n bytes.
func classFor(n int) int8 {
	for i := range readSizes {
		if n <= readSizes[i] {
			return int8(i)
		}
	}
	return int8(len(readSizes) - 1)
}

func (rb *readBuffer) bytes() []byte { return rb.buf[rb.r:rb.w] }

func (rb *readBuffer) advance(n int) { rb.r += n }

// roomy reports whether the buffer as it is has room for the rest of a packet of need bytes (0: of any).
func (rb *readBuffer) roomy(need int) bool {
	return rb.w <= len(rb.buf)/2 && rb.r+need <= len(rb.buf)
}

// fill reads once. The buffer must have room.
func (rb *readBuffer) fill(src io.Reader) error {
	free := len(rb.buf) - rb.w
	n, err := src.Read(rb.buf[rb.w:])
	rb.w += n
	if n == free {
		rb.grow()
	}
	if n > len(rb.buf)/8 {
		rb.small = 0
	} else if rb.small < 255 {
		rb.small++
	}
	if n > 0 {
		return nil
	}
	return err
}

// grow makes the next buffer larger: a read has filled this one. It takes effect with the next room or lend.
func (rb *readBuffer) grow() {
	if int(rb.class) < len(readSizes)-2 {
		rb.class++
	}
}

// room makes room for a packet of need bytes in all (0: any more bytes) in place. Nobody may alias the buffer.
func (rb *readBuffer) room(need int) {
	rest := rb.w - rb.r
	class := max(classFor(need), rb.class)
	if rest == 0 && rb.small > 16 && class > 0 && need == 0 {
		class--
		rb.small = 0
		rb.class = class
	}
	if rb.buf != nil && len(rb.buf) == readSizes[class] {
		if rb.r > 0 {
			copy(rb.buf, rb.buf[rb.r:rb.w])
			rb.r, rb.w = 0, rest
		}
		return
	}
	old := rb.lend(need)
	if old != nil {
		giveBuffer(old)
	}
}

// lend gives the buffer away, to those who alias it, and goes on with a new one that holds what is not parsed yet.
func (rb *readBuffer) lend(need int) (old []byte) {
	old = rb.buf
	class := max(classFor(max(need, rb.w-rb.r)), rb.class)
	buf := takeBuffer(class)
	rb.w = copy(buf, rb.buf[rb.r:rb.w])
	rb.r = 0
	rb.buf = buf
	rb.id++
	return old
}

// free gives the memory back at the end.
func (rb *readBuffer) free() {
	if rb.buf != nil {
		giveBuffer(rb.buf)
		rb.buf = nil
	}
}
