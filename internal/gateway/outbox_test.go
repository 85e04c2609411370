package gateway

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// newOutbox is an outbox without a socket: the test is its writer.
func newOutbox(t interface{ Cleanup(func()) }, v mqtt.Version, window int) *outbox {
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	c := newConn(&Gateway{wheel: &wheel{}, log: slog.New(slog.DiscardHandler), limits: &broker.Limits{}}, far, far)
	o := &c.out
	o.run = func() {}
	o.speak(v, 1<<20, true)
	o.window.maxCount, o.window.maxBytes = window, 1<<20
	return o
}

func (o *outbox) deliver(ms ...broker.Delivery) {
	o.Deliver(ms, false)
	o.Flush()
}

// writeAll plays the writer until nothing more may be sent.
func (o *outbox) writeAll() (sent []byte) {
	for o.writing {
		out, ok := o.next()
		if !ok {
			break
		}
		for _, b := range out.bufs {
			sent = append(sent, b...)
		}
		o.wrote(&out, nil)
	}
	return sent
}

// model is what an outbox must do, in the simplest words.
type model struct {
	o       *outbox
	made    int
	waiting []sentMessage          // delivered and not sent
	flying  map[uint16]sentMessage // sent at QoS 1 and not acknowledged
	ids     []uint16
	acked   map[uint64]bool
	writing *outgoing // a write that is under way
	control int       // control packets that wait
}

type sentMessage struct {
	number uint64
	qos    byte
	size   int
	seq    uint64
}

func (m *model) deliver(t *rapid.T) {
	if m.o.unsent > highWater-(130<<10) {
		return
	}
	s := sentMessage{number: uint64(m.made), qos: byte(rapid.IntRange(0, 1).Draw(t, "qos"))}
	s.size = rapid.SampledFrom([]int{8, 20, 100, 1900, 2100, 16 << 10, 60 << 10, 100 << 10}).Draw(t, "size")
	if s.qos == 1 && rapid.Bool().Draw(t, "stored") {
		s.seq = uint64(m.made) + 1
	}
	m.made++
	m.waiting = append(m.waiting, s)
	p := make([]byte, s.size)
	binary.BigEndian.PutUint64(p, s.number)
	d := broker.Delivery{Message: &broker.Message{Topic: "t", Payload: p, QoS: s.qos}, QoS: s.qos, Seq: s.seq}
	if took, _ := m.o.Deliver([]broker.Delivery{d}, rapid.Bool().Draw(t, "shared")); took != 1 {
		t.Fatal("the outbox did not take a message below its mark")
	}
	clear(p) // the payload is the publisher's: the outbox must have copied it
	if rapid.Bool().Draw(t, "flush") {
		m.o.Flush()
	}
}

// take begins a write, if there is a writer, and checks what it takes.
func (m *model) take(t *rapid.T) {
	if !m.o.writing || m.writing != nil {
		return
	}
	out, ok := m.o.next()
	if !ok {
		return
	}
	m.writing = &out
	rest := bytes.Join(out.bufs, nil)
	messages := 0
	for len(rest) > 0 {
		f, n, err := mqtt.Next(rest, 0)
		if err != nil || n == 0 {
			t.Fatalf("what is sent ends in the middle of a packet: %v", err)
		}
		rest = rest[n:]
		if f.Type() == mqtt.PINGRESP {
			if messages > 0 {
				t.Fatal("a control packet behind messages")
			}
			m.control--
			continue
		}
		messages++
		m.check(t, f)
	}
	if m.control != 0 {
		t.Fatalf("%d control packets were left behind", m.control)
	}
}

// check compares a PUBLISH with the next one that waits.
func (m *model) check(t *rapid.T, f mqtt.Frame) {
	var p mqtt.Publish
	if err := mqtt.DecodePublish(f, m.o.version, mqtt.FromServer, &p); err != nil {
		t.Fatal(err)
	}
	if len(m.waiting) == 0 {
		t.Fatal("a message that was not delivered, or twice")
	}
	want := m.waiting[0]
	m.waiting = m.waiting[1:]
	if n := binary.BigEndian.Uint64(p.Payload); n != want.number || len(p.Payload) != want.size || p.QoS != want.qos {
		t.Fatalf("message %d of %d bytes at QoS %d, want %+v", n, len(p.Payload), p.QoS, want)
	}
	if p.QoS == 0 {
		return
	}
	if _, twice := m.flying[p.PacketID]; twice || len(m.flying) >= m.o.window.maxCount {
		t.Fatalf("id %d is in flight, or the window of %d is full", p.PacketID, m.o.window.maxCount)
	}
	m.flying[p.PacketID] = want
	m.ids = append(m.ids, p.PacketID)
}

func (m *model) done(*rapid.T) {
	if m.writing != nil {
		m.o.wrote(m.writing, nil)
		m.writing = nil
	}
}

// ack acknowledges one that flies, also while its write is under way.
func (m *model) ack(t *rapid.T) {
	if len(m.ids) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.ids)-1).Draw(t, "i")
	id := m.ids[i]
	m.ids = slices.Delete(m.ids, i, i+1)
	want := m.flying[id]
	delete(m.flying, id)
	var k kept
	m.o.acknowledged([]uint16{id, id, 0}, &k)
	switch {
	case want.seq == 0 && !k.empty():
		t.Fatalf("acknowledged %v of no queue", k.own)
	case want.seq != 0 && (len(k.own) != 1 || k.own[0] != want.seq || m.acked[want.seq]):
		t.Fatalf("acknowledged %v, want %d once", k.own, want.seq)
	}
	m.acked[want.seq] = want.seq != 0
}

func (m *model) put(*rapid.T) {
	m.control++
	m.o.put(func(dst []byte) []byte { return mqtt.AppendPing(dst, m.o.version, &mqtt.Ping{Type: mqtt.PINGRESP}) })
}

// invariants of the chain of blocks.
func (m *model) invariants(t *rapid.T) {
	o := m.o
	unsent, pending := 0, 0
	seen := map[*block]bool{}
	var last *block
	for b := o.head; b != nil; b = b.next {
		if seen[b] || b.prev != last {
			t.Fatal("the chain is broken")
		}
		seen[b], last = true, b
		if b.over() {
			t.Fatal("a block that is over was not given back")
		}
		unsent += len(b.buf) - b.sent
		pending += b.pending
	}
	if last != o.tail || o.cursor != nil && !seen[o.cursor] {
		t.Fatal("tail or cursor are not in the chain")
	}
	if m.writing != nil {
		unsent += m.writing.bytes
	}
	if unsent != o.unsent {
		t.Fatalf("%d bytes wait, want %d", o.unsent, unsent)
	}
	waiting := 0
	for _, s := range m.waiting {
		waiting += int(s.qos)
	}
	if pending != len(m.flying)+waiting || o.window.count != len(m.flying) {
		t.Fatalf("%d are pending, want %d; %d fly, want %d", pending, len(m.flying)+waiting, o.window.count, len(m.flying))
	}
}

// left is what is still to be done.
func (m *model) left() int { return len(m.waiting) + len(m.ids) + m.control }

// TestOutbox holds an outbox against a model: every message is sent once and in order, with an id that is free, a block
// is given back once, and in the end nothing is left.
func TestOutbox(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.SampledFrom([]mqtt.Version{mqtt.V311, mqtt.V5}).Draw(rt, "version")
		m := &model{
			o:      newOutbox(rt, v, rapid.SampledFrom([]int{1, 2, 20, 1000}).Draw(rt, "window")),
			flying: map[uint16]sentMessage{}, acked: map[uint64]bool{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"deliver": m.deliver, "deliver too": m.deliver, "take": m.take, "done": m.done,
			"ack": m.ack, "put": m.put, "flush": func(*rapid.T) { m.o.Flush() }, "": m.invariants,
		})
		m.done(rt)
		m.o.Flush()
		for left := m.left(); left > 0; left = m.left() {
			m.take(rt)
			m.done(rt)
			m.ack(rt)
			if m.left() == left {
				rt.Fatalf("the outbox stands still with %d to do", left)
			}
		}
		m.take(rt) // the writer finds nothing and goes
		if m.o.head != nil || m.o.unsent != 0 || m.o.writing {
			rt.Fatal("something is left")
		}
	})
}

// TestMessageInAnOlderBlock: two blocks; the second one is over first. A message that fits into the first was put
// there, behind the cursor's back, and never sent.
func TestMessageInAnOlderBlock(t *testing.T) {
	o := newOutbox(t, mqtt.V311, 10)
	message := func(qos byte, size int) broker.Delivery {
		return broker.Delivery{Message: &broker.Message{Topic: "t", Payload: make([]byte, size)}, QoS: qos}
	}
	o.deliver(message(1, 100))
	o.deliver(message(0, 10<<10))
	if n := len(o.writeAll()); n < 10<<10 {
		t.Fatalf("%d bytes sent", n)
	}
	o.deliver(message(0, 50))
	if n := len(o.writeAll()); n != 50+5 {
		t.Errorf("%d bytes sent of the last message", n)
	}
}

// TestMaximumPacketSize: a message larger than the client takes is dropped, counted, and acknowledged in its place.
func TestMaximumPacketSize(t *testing.T) {
	o := newOutbox(t, mqtt.V5, 10)
	o.speak(mqtt.V5, 512, true)
	for i, size := range []int{100, 1000, 505, 506} {
		o.deliver(broker.Delivery{
			Message: &broker.Message{Topic: "t", Payload: make([]byte, size)}, QoS: 0, Seq: uint64(i),
		})
	}
	out, _ := o.next()
	if sent := len(bytes.Join(out.bufs, nil)); sent != 106+512 {
		t.Errorf("%d bytes sent", sent)
	}
	if !slices.Equal(out.skipped.own, []uint64{1, 3}) {
		t.Errorf("skipped %v", out.skipped.own)
	}
}

// TestEncodeOnce is the invariant: one wire form per version and QoS, made by the first receiver and copied by all the
// others. The second receiver here must send the form that it finds, whatever that is.
func TestEncodeOnce(t *testing.T) {
	m := &broker.Message{Topic: "t", Payload: []byte("payload"), QoS: 1}
	forms := map[string]bool{}
	for slot, v := range []mqtt.Version{mqtt.V311, mqtt.V311, mqtt.V5, mqtt.V5} {
		qos := byte(slot % 2)
		a, b := newOutbox(t, v, 10), newOutbox(t, v, 10)
		d := []broker.Delivery{{Message: m, QoS: qos}}
		a.Deliver(d, true)
		form := m.Form(slot)
		if form == nil {
			t.Fatalf("%d: no form is kept", slot)
		}
		forms[string(form)] = true
		form[len(form)-1] = '!' // a copy of it must show the mark
		b.Deliver(d, true)
		b.Flush()
		if sent := b.writeAll(); !bytes.HasSuffix(sent, []byte("payloa!")) {
			t.Errorf("%d: encoded again: %q", slot, sent)
		}
		if got := m.Form(slot); &got[0] != &form[0] {
			t.Errorf("%d: another form is kept", slot)
		}
	}
	if len(forms) != 4 {
		t.Errorf("%d layouts, want 4", len(forms))
	}
}

// TestEncodeOnceForAll: receivers that differ in RETAIN and in what is left of the expiry share the form as well, and each
// is sent its own; a form that the first left is not touched.
func TestEncodeOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, props := range []*broker.Properties{nil, {HasPayloadFormat: true, PayloadFormat: 1, ContentType: "c"}} {
			m := &broker.Message{Topic: "t", Payload: []byte("payload"), QoS: 1, Props: props, Expires: time.Now().UnixMilli() + 60_000}
			left := uint32(60)
			for _, retain := range []bool{true, false, true} {
				for slot, v := range []mqtt.Version{mqtt.V311, mqtt.V311, mqtt.V5, mqtt.V5} {
					before := string(m.Form(slot))
					o := newOutbox(t, v, 10)
					o.Deliver([]broker.Delivery{{Message: m, QoS: byte(slot % 2), Retain: retain}}, true)
					o.Flush()
					f, _, err := mqtt.Next(o.writeAll(), 1000)
					if err != nil {
						t.Fatal(err)
					}
					var p mqtt.Publish
					if err := mqtt.DecodePublish(f, v, mqtt.FromServer, &p); err != nil {
						t.Fatal(err)
					}
					if p.Retain != retain || p.QoS != byte(slot%2) || string(p.Payload) != "payload" {
						t.Errorf("%d: sent %+v, want RETAIN %v", slot, p, retain)
					}
					if v == mqtt.V5 && p.Props.MessageExpiry != left || v == mqtt.V311 && p.Props.Has != 0 {
						t.Errorf("%d: sent with expiry %d, %d is left", slot, p.Props.MessageExpiry, left)
					}
					if form := string(m.Form(slot)); form == "" || before != "" && form != before {
						t.Errorf("%d: the form was %q and is %q", slot, before, form)
					}
				}
				time.Sleep(10 * time.Second)
				left -= 10
			}
		}
	})
}

// BenchmarkEncode is what a receiver's wire form costs: made for it alone, and copied from another receiver's.
func BenchmarkEncode(b *testing.B) {
	props := &broker.Properties{ContentType: "application/json", User: []broker.UserProperty{{Key: "unit", Value: "°C"}, {Key: "site", Value: "roof"}}}
	for _, bm := range []struct {
		name   string
		retain bool
		m      *broker.Message
	}{
		{"plain", false, &broker.Message{Topic: "site/roof/t", Payload: make([]byte, 100)}},
		{"retain", true, &broker.Message{Topic: "site/roof/t", Payload: make([]byte, 100)}},
		{"expiry", false, &broker.Message{Topic: "site/roof/t", Payload: make([]byte, 100), Expires: time.Now().Add(time.Hour).UnixMilli()}},
		{"expiry+user", false, &broker.Message{Topic: "site/roof/t", Payload: make([]byte, 100), Expires: time.Now().Add(time.Hour).UnixMilli(), Props: props}},
	} {
		for _, shared := range []bool{false, true} {
			b.Run(bm.name+map[bool]string{false: "/own", true: "/shared"}[shared], func(b *testing.B) {
				var e encoder
				var dst []byte
				d := &broker.Delivery{Message: bm.m, QoS: 1, Retain: bm.retain}
				b.ReportAllocs()
				for b.Loop() {
					e.clock = 0
					dst = e.append(dst[:0], mqtt.V5, d, e.measure(mqtt.V5, d, shared), shared)
				}
			})
		}
	}
}
