package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// Frames by hand: neither the library that the gateway uses nor another is their witness.

var testMask = [4]byte{0xA1, 0xB2, 0xC3, 0xD4}

// webFrame is a masked frame. first is the byte with FIN, the reserved bits and the opcode.
func webFrame(first byte, payload ...[]byte) []byte {
	all := bytes.Join(payload, nil)
	f := append(frameHead(first, 0x80, len(all)), testMask[:]...)
	for i, b := range all {
		f = append(f, b^testMask[i%4])
	}
	return f
}

func frameHead(first, masked byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{first, masked | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, masked | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, masked | 127}, uint64(n))
}

const (
	webFin   = 0x80
	webMore  = 0x00 // continuation
	webText  = 0x01
	webData  = 0x02
	webClose = 0x08
	webPing  = 0x09
	webPong  = 0x0A
)

func closing(status uint16, reason string) []byte {
	return webFrame(webFin|webClose, append(u16(status), reason...))
}

// packetSize is how long the packet at the head of b is.
func packetSize(b []byte) int {
	n, at := 0, 1
	for shift := 0; at < len(b); shift += 7 {
		n |= int(b[at]&0x7F) << shift
		if at++; b[at-1] < 0x80 {
			break
		}
	}
	return at + n
}

// webFrames describes what a server sent behind its upgrade: packets, and control frames.
func (c *client) webFrames(t testing.TB, data []byte) (all []string) {
	for len(data) > 0 {
		if len(data) < 2 || data[0]&0x70 != 0 || data[1]&0x80 != 0 {
			t.Fatalf("a broken frame: % x", data)
		}
		first, n, at := data[0], int(data[1]), 2
		switch n {
		case 126:
			n, at = int(binary.BigEndian.Uint16(data[2:])), 4
		case 127:
			n, at = int(binary.BigEndian.Uint64(data[2:])), 10
		}
		if len(data) < at+n {
			t.Fatalf("a frame that is cut: % x", data)
		}
		payload := data[at : at+n]
		data = data[at+n:]
		switch first {
		case webFin | webData:
			for br := bytes.NewReader(payload); br.Len() > 0; {
				f, err := readFrame(bufio.NewReaderSize(io.LimitReader(br, int64(packetSize(payload[n-br.Len():]))), 16))
				if err != nil {
					t.Fatalf("a frame with half a packet: % x", payload)
				}
				all = append(all, c.describe(f))
			}
		case webFin | webPong:
			all = append(all, "pong "+string(payload))
		case webFin | webClose:
			word := "close"
			if n >= 2 {
				word = fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload))
			}
			all = append(all, word)
		default:
			all = append(all, fmt.Sprintf("frame %02x", first))
		}
	}
	return all
}

// talk sends bytes behind a signed upgrade, and describes all that comes until the server has closed or nothing more
// comes by itself.
func (r *rig) talk(t testing.TB, nc net.Conn, s *signer, v byte, data []byte) []string {
	t.Helper()
	resp, br := upgraded(t, nc, asked(s.address())...)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal("no upgrade: ", resp.StatusCode)
	}
	var got bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&got, br)
	}()
	_, _ = nc.Write(data) // it may end in the middle
	synctest.Wait()
	words := []string{}
	select {
	case <-done:
		words = append(words, "closed")
	default:
		_ = nc.Close()
		<-done
	}
	return append((&client{version: v}).webFrames(t, got.Bytes()), words...)
}

// TestFrames is the table of what a client's frames may be, and what becomes of what they may not.
func TestFrames(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		data := func(b ...[]byte) []byte { return webFrame(webFin|webData, b...) }
		hi := hello{id: "c", clean: true}.bytes(5)
		const ack = "CONNACK 00 present=false"
		in := func(b ...[]byte) []byte { return slices.Concat(append([][]byte{data(hi)}, b...)...) }
		broken := []string{ack, "DISCONNECT 82", "close 1002", "closed"}
		c5 := &client{version: 5}
		bytewise := []byte(nil)
		for _, b := range slices.Concat(hi, pingreq()) {
			bytewise = append(bytewise, data([]byte{b})...)
		}
		for _, tt := range []struct {
			name string
			send []byte
			want []string
		}{
			{"a packet in a frame", in(data(pingreq())), []string{ack, "PINGRESP"}},
			{"two packets in a frame", data(hi, pingreq()), []string{ack, "PINGRESP"}},
			{"a packet in two frames", in(data(pingreq()[:1]), data(pingreq()[1:])), []string{ack, "PINGRESP"}},
			{"a byte in a frame", bytewise, []string{ack, "PINGRESP"}},
			{"a message in fragments", slices.Concat(webFrame(webData, hi[:3]), webFrame(webMore, hi[3:4]), webFrame(webMore), webFrame(webFin|webMore, hi[4:])), []string{ack}},
			{"control frames between fragments", slices.Concat(webFrame(webData, hi[:3]), webFrame(webFin|webPing, []byte("1")), webFrame(webFin|webPong), webFrame(webFin|webMore, hi[3:])), []string{"pong 1", ack}},
			{"an empty frame", slices.Concat(data(), data(hi), data()), []string{ack}},
			{"ping", in(webFrame(webFin|webPing, []byte("are you there"))), []string{"pong are you there", ack}},
			{"the longest ping", in(webFrame(webFin|webPing, bytes.Repeat([]byte("x"), 125))), []string{"pong " + strings.Repeat("x", 125), ack}},
			{"ping before CONNECT", slices.Concat(webFrame(webFin|webPing), data(hi)), []string{"pong ", ack}},
			{"pong", in(webFrame(webFin|webPong, []byte("x")), data(pingreq())), []string{ack, "PINGRESP"}},
			{"long lengths", in(slices.Concat([]byte{0x82, 0xFE, 0, 2}, testMask[:], mask(pingreq())), slices.Concat([]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 2}, testMask[:], mask(pingreq()))), []string{ack, "PINGRESP", "PINGRESP"}},
			{"a large message", in(data(c5.publish("t", payload(100<<10), 1, 1))), []string{ack, "PUBACK 1"}},
			{"close", in(closing(1000, "bye")), []string{ack, "close 1000", "closed"}},
			{"close with its own status", in(closing(4321, "")), []string{ack, "close 4321", "closed"}},
			{"close without a status", in(webFrame(webFin | webClose)), []string{ack, "close", "closed"}},
			{"close with half a status", in(webFrame(webFin|webClose, []byte{3})), []string{ack, "close 1002", "closed"}},
			{"close with no such status", in(closing(1006, "")), []string{ack, "close 1002", "closed"}},
			{"close with a broken reason", in(closing(1000, "\xff")), []string{ack, "close 1007", "closed"}},
			{"DISCONNECT", in(data(disconnect())), []string{ack, "close 1000", "closed"}},
			{"DISCONNECT and close", in(data(disconnect()), closing(1000, "")), []string{ack, "close 1000", "closed"}},
			{"close before CONNECT", closing(1001, ""), []string{"close 1001", "closed"}},
			{"text", in(webFrame(webFin|webText, pingreq())), []string{ack, "DISCONNECT 82", "close 1003", "closed"}},
			{"text before CONNECT", webFrame(webFin|webText, hi), []string{"close 1003", "closed"}},
			{"no mask", in([]byte{0x82, 2}, pingreq()), broken},
			{"no mask before CONNECT", append([]byte{0x82, 2}, pingreq()...), []string{"close 1002", "closed"}},
			{"reserved bit 1", in(webFrame(0xC2, pingreq())), broken},
			{"reserved bit 2", in(webFrame(0xA2, pingreq())), broken},
			{"reserved bit 3", in(webFrame(0x92, pingreq())), broken},
			{"reserved opcode 3", in(webFrame(0x83, pingreq())), broken},
			{"reserved opcode 11", in(webFrame(0x8B)), broken},
			{"a long ping", in(webFrame(webFin|webPing, make([]byte, 126))), broken},
			{"half a ping", in(webFrame(webPing)), broken},
			{"half a close", in(webFrame(webClose)), broken},
			{"continuation of nothing", in(webFrame(webFin|webMore, pingreq())), broken},
			{"a message within a message", in(webFrame(webData, pingreq()[:1]), data(pingreq())), broken},
			{"the highest bit of a length", in([]byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0}, testMask[:]), broken},
			{"a huge length", in([]byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, testMask[:], mask(pingreq())), []string{ack, "PINGRESP"}},
			{"a huge packet", in(data([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F})), []string{ack, "DISCONNECT 95", "close 1000", "closed"}},
			{"no CONNECT", data(pingreq()), []string{"close 1000", "closed"}},
		} {
			row(t, tt.name, func(t testing.TB) {
				if got := r.talk(t, r.piped(), s, 5, tt.send); !slices.Equal(got, tt.want) {
					t.Errorf("got %q\nwant %q", got, tt.want)
				}
			})
		}
	}, withKeys)
}

func mask(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= testMask[i%4]
	}
	return b
}

// TestBehindTheUpgrade: what a client sends before it has seen the answer is not lost, however it is cut.
func TestBehindTheUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		text := strings.Join(asked(s.address()), "\r\n") + "\r\n\r\n"
		all := append([]byte(text), webFrame(webFin|webData, hello{id: "c", clean: true}.bytes(3), pingreq())...)
		for _, cut := range []int{len(text), len(text) + 1, len(text) + 7, len(all)} {
			nc := r.piped()
			got := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(nc)
				got <- b
			}()
			for _, part := range [][]byte{all[:cut], all[cut:]} {
				if len(part) > 0 {
					_, err := nc.Write(part)
					must(t, err)
				}
				synctest.Wait()
			}
			_ = nc.Close()
			_, frames, _ := bytes.Cut(<-got, []byte("\r\n\r\n"))
			if words := (&client{version: 3}).webFrames(t, frames); !slices.Equal(words, []string{"CONNACK 00 present=false", "PINGRESP"}) {
				t.Errorf("cut at %d: got %q", cut-len(text), words)
			}
		}
	}, withKeys)
}

// TestPingsAreAnsweredOnce: of pings that wait for a client that does not read, the last one is answered, and nothing
// grows.
func TestPingsAreAnsweredOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		nc := r.piped()
		_, br := upgraded(t, nc, asked(r.signer(allowAll).address())...)
		pings := []byte(nil)
		for i := range 1000 {
			pings = append(pings, webFrame(webFin|webPing, u16(uint16(i)))...)
		}
		_, err := nc.Write(pings)
		must(t, err)
		synctest.Wait()
		must(t, nc.SetReadDeadline(time.Now().Add(time.Second)))
		got, _ := io.ReadAll(br)
		if words := (&client{}).webFrames(t, got); len(words) < 1 || len(words) > 2 || words[len(words)-1] != "pong "+string(u16(999)) {
			t.Errorf("got %q", words)
		}
		_ = nc.Close()
	}, withKeys)
}

// TestFramesAnyhow: whatever frames a stream of bytes is put into, and however reads cut them, the same bytes come out.
func TestFramesAnyhow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "data")
		var wire []byte
		more := false
		for rest := data; len(rest) > 0 || more; {
			n := min(rapid.SampledFrom([]int{0, 1, 2, 7, 125, 126, 1000}).Draw(t, "size"), len(rest))
			first := byte(webData)
			if more {
				first = webMore
			}
			if more = len(rest) > n && rapid.Bool().Draw(t, "more"); !more {
				first |= webFin
			}
			wire = append(wire, webFrame(first, rest[:n])...)
			rest = rest[n:]
			if rapid.Bool().Draw(t, "ping") {
				wire = append(wire, webFrame(webFin|webPing, []byte("ping"))...)
			}
		}
		f := frames{state: ws.StateServerSide, control: func(op ws.OpCode, payload []byte) error {
			if op != ws.OpPing || string(payload) != "ping" {
				return errors.New("not what was sent")
			}
			return nil
		}}
		var got []byte
		for len(wire) > 0 {
			n := min(rapid.SampledFrom([]int{1, 2, 3, 13, 64, 1 << 16}).Draw(t, "read"), len(wire))
			m, err := f.decode(wire[:n])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, wire[:m]...)
			wire = wire[n:]
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("% x came of % x", got, data)
		}
	})
}

// TestHugeFrameMakesNoBuffer: a length that is announced costs nothing.
func TestHugeFrameMakesNoBuffer(t *testing.T) {
	f := frames{state: ws.StateServerSide}
	head := append(frameHead(webFin|webData, 0x80, 1<<40), testMask[:]...)
	buf := make([]byte, 1024)
	if n := testing.AllocsPerRun(10, func() {
		f.inside = false
		if n, err := f.decode(buf[:copy(buf, head)]); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := f.decode(buf); n != len(buf) || err != nil {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
