package gateway

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/mqtt"
)

// echo is a socket whose client costs nothing: it takes what is written, counts the messages, acknowledges them, and
// gives what the test feeds. It is for counting allocations and for benchmarks.
type echo struct {
	net.Conn // nil: what is not here is not used

	mu       sync.Mutex
	cond     sync.Cond
	in       []byte
	closed   bool
	messages int
	pubacks  int

	web  bool // what is read and written is in frames
	head []byte
	left int // of the server's frame

	control bool // it is a control frame
}

func newEcho() *echo {
	e := &echo{}
	e.cond.L = &e.mu
	return e
}

func (e *echo) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.in) == 0 && !e.closed {
		e.cond.Wait()
	}
	if e.closed {
		return 0, net.ErrClosed
	}
	n := copy(p, e.in)
	e.in = e.in[:copy(e.in, e.in[n:])]
	return n, nil
}

func (e *echo) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for rest := p; e.web && len(rest) > 0; {
		rest = e.unframe(rest)
	}
	if !e.web {
		e.take(p)
	}
	e.cond.Broadcast()
	return len(p), nil
}

// unframe takes a head, a piece of it, or the payload behind it, which is whole: the server writes it at once.
func (e *echo) unframe(p []byte) (rest []byte) {
	if e.left > 0 {
		n := min(e.left, len(p))
		if !e.control {
			e.take(p[:n])
		}
		e.left -= n
		return p[n:]
	}
	e.head = append(e.head, p[0])
	size := 2
	if len(e.head) > 1 && e.head[1] == 126 {
		size = 4
	}
	if len(e.head) < size {
		return p[1:]
	}
	e.left, e.control = int(e.head[1]), e.head[0] != webFin|webData
	if size == 4 {
		e.left = int(e.head[2])<<8 | int(e.head[3])
	}
	e.head = e.head[:0]
	return p[1:]
}

func (e *echo) take(p []byte) {
	for rest := p; len(rest) > 0; {
		n, at := 0, 1
		for shift := 0; ; shift += 7 {
			n |= int(rest[at]&0x7F) << shift
			at++
			if rest[at-1] < 0x80 {
				break
			}
		}
		body := rest[at : at+n]
		switch rest[0] >> 4 {
		case 3:
			e.messages++
			if rest[0]&0x06 != 0 {
				id := 2 + int(body[0])<<8 + int(body[1])
				if e.web {
					e.in = append(e.in, 0x82, 0x84, 0, 0, 0, 0)
				}
				e.in = append(e.in, 0x40, 2, body[id], body[id+1])
			}
		case 4:
			e.pubacks++
		}
		rest = rest[at+n:]
	}
}

func (e *echo) feed(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.web {
		e.in = append(append(e.in, frameHead(webFin|webData, 0x80, len(b))...), 0, 0, 0, 0)
	}
	e.in = append(e.in, b...)
	e.cond.Broadcast()
}

// await waits until so many messages and PUBACKs came, and begins to count anew.
func (e *echo) await(messages, pubacks int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.messages < messages || e.pubacks < pubacks {
		e.cond.Wait()
	}
	e.messages, e.pubacks = e.messages-messages, e.pubacks-pubacks
}

func (e *echo) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.cond.Broadcast()
	return nil
}

func (*echo) RemoteAddr() net.Addr               { return &net.UnixAddr{} }
func (*echo) LocalAddr() net.Addr                { return &net.UnixAddr{} }
func (*echo) SetReadDeadline(time.Time) error    { return nil }
func (*echo) SetWriteDeadline(t time.Time) error { return nil }

// fan is a publisher and its receivers.
type fan struct {
	pub       *echo
	receivers []*echo
	batch     []byte
	acks      int
}

const fanBatch = 50

// newFan connects a publisher of 50 messages at a time and so many receivers.
func newFan(t testing.TB, v, qos byte, receivers int) *fan {
	return newFanOf(t, v, qos, receivers, hundredBytes(v, qos))
}

// hundredBytes makes messages of 100 bytes.
func hundredBytes(v, qos byte) func(id uint16) []byte {
	words := &client{version: v}
	return func(id uint16) []byte { return words.publish("t/a", payload(100), qos, id) }
}

// newFanOf is newFan of messages that message makes.
func newFanOf(t testing.TB, v, qos byte, receivers int, message func(id uint16) []byte) *fan {
	r := newRig(t)
	return r.newFan(v, qos, receivers, message, newEcho, func(e *echo) { r.serve(e, nil) })
}

// newWebFan is a fan whose clients come over WebSocket.
func newWebFan(t testing.TB, v, qos byte, receivers int) *fan {
	r := newRig(t, withKeys)
	s := r.signer(allowAll)
	id, err := r.keys.Identify(t.Context(), s.AccessKeyID, "")
	must(t, err)
	fresh := func() *echo {
		e := newEcho()
		e.web = true
		return e
	}
	return r.newFan(v, qos, receivers, hundredBytes(v, qos), fresh, func(e *echo) {
		c := newConn(r.gateway, e, e)
		c.ws = newWebSocket(c, id, time.Now().Add(time.Hour), protocolMQTTName, nil)
		c.src = c.ws
		if !r.gateway.serveConn(c, nil) {
			t.Fatal("the gateway is closing")
		}
	})
}

func (*rig) newFan(v, qos byte, receivers int, message func(id uint16) []byte, newEcho func() *echo, serve func(*echo)) *fan {
	f := &fan{pub: newEcho()}
	words := &client{version: v}
	for i := range receivers {
		e := newEcho()
		f.receivers = append(f.receivers, e)
		e.feed(append(hello{id: fmt.Sprint("r", i), clean: true}.bytes(v), words.subscribe(1, qos, "t/+")...))
		e.feed(words.publish("t/ready", "x", qos, 1))
		serve(e)
		e.await(1, 0)
	}
	f.pub.feed(hello{id: "pub", clean: true}.bytes(v))
	serve(f.pub)
	for i := range fanBatch {
		f.batch = append(f.batch, message(uint16(i+1))...)
	}
	f.acks = fanBatch * int(qos)
	for i, e := range f.receivers { // those before have seen the tests of those behind
		if missing := receivers - 1 - i; missing > 0 {
			e.await(missing, 0)
		}
	}
	return f
}

// round sends one batch, and waits until every receiver has it.
func (f *fan) round() {
	f.pub.feed(f.batch)
	for _, e := range f.receivers {
		e.await(fanBatch, 0)
	}
	f.pub.await(0, f.acks)
}

func BenchmarkPublish(b *testing.B) {
	for _, v := range []byte{3, 5} {
		for _, qos := range []byte{0, 1} {
			for _, n := range []int{1, 100} {
				b.Run(fmt.Sprintf("v%d/qos%d/%d", v, qos, n), func(b *testing.B) {
					f := newFan(b, v, qos, n)
					b.ReportAllocs()
					for b.Loop() {
						f.round()
					}
					deliveries := float64(b.N) * fanBatch * float64(n)
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
				})
			}
		}
	}
}

// expiring makes messages with an expiry, and two user properties if they are to have any.
func expiring(qos byte, user bool) func(id uint16) []byte {
	return func(id uint16) []byte {
		p := mqtt.Publish{Topic: []byte("t/a"), Payload: []byte(payload(100)), QoS: qos, PacketID: id}
		p.Props.Has, p.Props.MessageExpiry = mqtt.PropMessageExpiry, 3600
		if user {
			p.Props.Has |= mqtt.PropUser
			p.Props.User = mqtt.AppendUserProperty(mqtt.AppendUserProperty(nil, "unit", "°C"), "site", "roof")
		}
		return mqtt.AppendPublish(nil, mqtt.V5, &p)
	}
}

// BenchmarkExpiringFanOut is what an expiry, which each receiver is told what is left of, costs a fan-out.
func BenchmarkExpiringFanOut(b *testing.B) {
	for name, user := range map[string]bool{"expiry": false, "expiry+user": true} {
		for _, qos := range []byte{0, 1} {
			b.Run(fmt.Sprintf("%s/qos%d", name, qos), func(b *testing.B) {
				f := newFanOf(b, 5, qos, 100, expiring(qos, user))
				b.ReportAllocs()
				for b.Loop() {
					f.round()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/(float64(b.N)*fanBatch*100), "ns/delivery")
			})
		}
	}
}
