package gateway

import (
	"bufio"
	"net"
	"slices"
	"testing"
	"time"
)

// raw is one end of a benchmark over TLS: it knows as little of what it carries as can be.
type raw struct {
	nc    net.Conn
	br    *bufio.Reader
	web   bool
	frame int // bytes left of the server's frame
	acks  []byte
}

func (x *raw) write(b testing.TB, packets []byte) {
	_, err := x.nc.Write(packets)
	must(b, err)
}

func (x *raw) wrap(packets []byte) []byte {
	if !x.web {
		return packets
	}
	return webFrame(webFin|webData, packets)
}

// read skips so many packets, and answers the PUBACKs of messages to topic t that have an id.
func (x *raw) read(b testing.TB, packets int) (acks []byte) {
	x.acks = x.acks[:0]
	for range packets {
		first := x.byteOf(b)
		n := 0
		for shift := 0; ; shift += 7 {
			c := x.byteOf(b)
			n |= int(c&0x7F) << shift
			if c < 0x80 {
				break
			}
		}
		if first == 0x32 {
			for range 3 {
				x.byteOf(b)
			}
			x.acks = append(x.acks, 0x40, 2, x.byteOf(b), x.byteOf(b))
			n -= 5
		}
		for n > 0 {
			x.begin(b)
			part := n
			if x.web {
				part = min(n, x.frame)
			}
			part, err := x.br.Discard(part)
			must(b, err)
			n -= part
			x.frame -= part
		}
	}
	return x.acks
}

func (x *raw) byteOf(b testing.TB) byte {
	x.begin(b)
	c, err := x.br.ReadByte()
	must(b, err)
	x.frame--
	return c
}

// begin reads the head of the server's next frame, if there is one to be.
func (x *raw) begin(b testing.TB) {
	if !x.web || x.frame > 0 {
		return
	}
	head := make([]byte, 10)[:2]
	for i := range head {
		c, err := x.br.ReadByte()
		must(b, err)
		head[i] = c
	}
	x.frame = int(head[1])
	more := map[int]int{126: 2, 127: 8}[x.frame]
	if more > 0 {
		x.frame = 0
	}
	for range more {
		c, err := x.br.ReadByte()
		must(b, err)
		x.frame = x.frame<<8 | int(c)
	}
}

// BenchmarkOverTLS compares the rates of a publisher and a receiver over TLS, with and without WebSocket in between.
func BenchmarkOverTLS(b *testing.B) {
	for _, web := range []bool{false, true} {
		name := map[bool]string{false: "mqtt", true: "websocket"}[web]
		for _, qos := range []byte{0, 1} {
			for _, single := range []bool{false, true} {
				if single && !web {
					continue
				}
				label := name + map[byte]string{0: "/qos0", 1: "/qos1"}[qos]
				if single {
					label += "/single"
				}
				b.Run(label, func(b *testing.B) { overTLS(b, web, single, qos) })
			}
		}
	}
}

func overTLS(b *testing.B, web, single bool, qos byte) {
	const batch = 100
	r := newRig(b, withTLS, withKeys)
	s, d := r.signer(allowAll), r.device(allowAll)
	dial := func() *raw {
		kind := MQTTS
		if web {
			kind, d = API, nil
		}
		cfg, _ := r.tlsConfig(d)
		c, err := r.secure(kind, cfg)
		must(b, err)
		must(b, c.nc.SetDeadline(time.Time{}))
		x := &raw{nc: c.nc, br: bufio.NewReaderSize(c.nc, 64<<10), web: web}
		if web {
			lines := asked(s.address())
			if single {
				lines = with(lines, "Sec-WebSocket-Protocol", protocolMQTT31)
			}
			_, x.br = upgraded(b, c.nc, lines...)
		}
		return x
	}
	words := &client{version: 3}
	sub, pub := dial(), dial()
	sub.write(b, sub.wrap(slices.Concat(hello{id: "sub", clean: true}.bytes(3), words.subscribe(1, qos, "t"))))
	sub.read(b, 2)
	pub.write(b, pub.wrap(hello{id: "pub", clean: true}.bytes(3)))
	pub.read(b, 1)
	var packets []byte
	for i := range batch {
		packets = append(packets, words.publish("t", payload(100), qos, uint16(i+1))...)
	}
	packets = pub.wrap(packets)
	b.ReportAllocs()
	for b.Loop() {
		pub.write(b, packets)
		if acks := sub.read(b, batch); qos > 0 {
			sub.write(b, sub.wrap(acks))
			pub.read(b, batch)
		}
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "messages/s")
}
