package gateway

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/mqtt"
)

// stream gives what was fed, as much at a time as it is told to.
type stream struct {
	fed  []byte
	most int
}

func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, io.ErrShortBuffer
	}
	n := copy(p[:min(len(p), s.most)], s.fed)
	s.fed = s.fed[n:]
	return n, nil
}

var poison = bytes.Repeat([]byte{0xEE}, readSizes[len(readSizes)-1])

// TestReadBuffer reads packets of all sizes in pieces of all sizes, while messages that alias the buffer wait in a batch
// that is filled and in one that is committed: nothing they point to may change before they are done.
func TestReadBuffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &conn{}
		c.in.c = c
		c.rb.lend(0)
		src := &stream{}
		var sent, got []byte
		copies := map[*batch][][]byte{}
		finish := func() {
			p := c.in.committing
			if p == nil {
				return
			}
			for i := range p.Messages {
				if !bytes.Equal(p.Messages[i].Payload, copies[p][i]) {
					t.Fatalf("message %d changed while it waited", i)
				}
			}
			for _, b := range p.lent {
				copy(b, poison) // somebody else uses it now
				giveBuffer(b)
			}
			delete(copies, p)
			c.in.committing = nil
		}
		parse := func() (need int) {
			for {
				f, n, err := mqtt.Next(c.rb.bytes(), 0)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					return mqtt.Need(c.rb.bytes())
				}
				c.rb.advance(n)
				got = append(got, f.Body...)
				if c.in.filling == nil {
					c.in.filling = &batch{}
				}
				p := c.in.filling
				p.Add().Payload = f.Body
				p.buffer = c.rb.id
				copies[p] = append(copies[p], bytes.Clone(f.Body))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"read": func(t *rapid.T) {
				for range rapid.IntRange(0, 6).Draw(t, "packets") {
					size := rapid.SampledFrom([]int{0, 1, 10, 100, 1000, 5000, 20_000, 70_000, 149_000}).Draw(t, "size")
					body := bytes.Repeat([]byte{byte(len(sent))}, size)
					src.fed = append(src.fed, frame(0x30, body)...)
					sent = append(sent, body...)
				}
				src.most = rapid.SampledFrom([]int{1, 7, 100, 3000, 1 << 20}).Draw(t, "most")
				need := parse()
				c.makeRoom(need)
				if len(c.rb.buf)-c.rb.w == 0 || need > len(c.rb.buf)-c.rb.r {
					t.Fatalf("no room for %d bytes: %d to %d of %d", need, c.rb.r, c.rb.w, len(c.rb.buf))
				}
				if err := c.rb.fill(src); err != nil {
					t.Fatal(err)
				}
			},
			"submit": func(*rapid.T) {
				if c.in.committing == nil && c.in.pending() {
					c.in.filling, c.in.committing = nil, c.in.filling
				}
			},
			"finish": func(*rapid.T) { finish() },
		})
		for src.most = 1 << 20; len(src.fed) > 0; {
			c.makeRoom(parse())
			_ = c.rb.fill(src)
		}
		parse()
		if !bytes.Equal(sent, got) {
			t.Fatalf("%d bytes came of %d", len(got), len(sent))
		}
		finish()
		c.in.committing, c.in.filling = c.in.filling, nil
		finish()
	})
}

// TestReadBufferShrinks: a connection that was busy once does not keep its large buffer.
func TestReadBufferShrinks(t *testing.T) {
	var rb readBuffer
	rb.lend(0)
	src := &stream{fed: make([]byte, 200<<10), most: 1 << 20}
	for len(src.fed) > 0 {
		rb.room(0)
		_ = rb.fill(src)
		rb.advance(rb.w - rb.r)
	}
	if len(rb.buf) != readSizes[2] {
		t.Errorf("%d bytes while it is busy", len(rb.buf))
	}
	for range 100 {
		src.fed = []byte{1}
		rb.room(0)
		_ = rb.fill(src)
		rb.advance(1)
	}
	if len(rb.buf) != readSizes[0] {
		t.Errorf("%d bytes when it is quiet", len(rb.buf))
	}
	if !slices.Contains(readSizes[:], len(rb.buf)) {
		t.Error("a size of no class")
	}
}
