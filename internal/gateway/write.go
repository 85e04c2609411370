package gateway

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// maxWrite bounds what one write takes from the blocks, so that control packets never wait long behind messages.
const maxWrite = 256 << 10

// write is the writer: it sends until nothing may be sent, then it is gone.
func (o *outbox) write() {
	for {
		out, ok := o.next()
		if !ok {
			break
		}
		err := o.c.send(&out)
		o.c.gateway.counts.SentBytes.Add(int64(out.bytes + len(out.control)))
		if !out.skipped.empty() {
			out.skipped.skip(o.c.session)
		}
		if !o.wrote(&out, err) {
			break
		}
	}
}

// outgoing is what one write takes.
type outgoing struct {
	bufs    net.Buffers
	bytes   int // of blocks
	control []byte
	skipped kept

	pong, bye []byte // control frames of a WebSocket, before and behind the packets
}

// next takes what may be sent now. When there is nothing the writer is gone, and ends the connection if that was all
// there was to be.
func (o *outbox) next() (out outgoing, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out.bufs = o.c.iov[:0]
	out.control, out.skipped = o.control, o.skipped
	o.control, o.spare, o.skipped = o.spare[:0], nil, kept{}
	if len(out.control) > 0 {
		out.bufs = append(out.bufs, out.control)
	}
	o.collect(&out)
	o.c.iov = out.bufs[:0]
	out.pong, out.bye = o.c.ws.takeFrames(o.ending)
	if len(out.bufs) > 0 || !out.skipped.empty() || out.pong != nil || out.bye != nil {
		return out, true
	}
	o.spare = out.control
	o.leave()
	if o.ending {
		o.c.hangUp()
	}
	return out, false
}

// leave ends the writer.
func (o *outbox) leave() {
	o.writing = false
	if o.gone != nil {
		close(o.gone)
		o.gone = nil
	}
}

// collect lists what may be sent now: whole blocks, and of the last one what the window allows. Packet ids are given
// here.
func (o *outbox) collect(out *outgoing) {
	for b := o.cursor; b != nil && out.bytes < maxWrite; b = b.next {
		o.cursor = b
		end := o.admit(b)
		if end > b.sent {
			out.bufs = append(out.bufs, b.buf[b.sent:end])
			out.bytes += end - b.sent
			b.sent = end
			b.busy = true
			o.writes = append(o.writes, b)
		}
		if end < len(b.buf) {
			return
		}
	}
}

// admit gives packet ids to the entries of a block that fit into the window, and says up to where it may be sent.
func (o *outbox) admit(b *block) int {
	for b.given < len(b.entries) {
		e := &b.entries[b.given]
		if !o.window.hasRoom(int(e.size)) {
			return int(e.off)
		}
		binary.BigEndian.PutUint16(b.buf[e.idAt:], o.window.give(b, b.given))
		e.first = o.c.gateway.wheel.seconds()
		e.last = e.first
		b.given++
	}
	if b.pending > 0 && !o.watched {
		o.watched = true
		o.c.gateway.wheel.watch(o.c, redeliverAfter)
	}
	return len(b.buf)
}

// wrote takes back what a write used. It reports false when the writer is gone.
func (o *outbox) wrote(out *outgoing, err error) bool {
	o.mu.Lock()
	if cap(out.control) <= maxSpare {
		o.spare = out.control[:0]
	}
	if err != nil {
		o.fail(err)
		o.leave()
		o.mu.Unlock()
		o.c.shut()
		return false
	}
	ready := o.settle(out.bytes)
	o.mu.Unlock()
	if ready {
		o.c.session.Ready()
	}
	return true
}

// maxSpare bounds the control buffer that an idle connection keeps.
const maxSpare = 4 << 10

func (o *outbox) fail(err error) {
	if o.over {
		return
	}
	o.over = true
	o.c.setCause(broker.Cause{Reason: broker.ConnectionLost, Text: "write failed: " + err.Error()})
	o.dropBlocks()
	o.ease()
}

// settle gives back the blocks of a write. It reports true when the broker may read on for this session.
func (o *outbox) settle(bytes int) (ready bool) {
	o.freed += uint64(bytes)
	if o.over {
		clear(o.writes)
		o.writes = o.writes[:0]
		return false
	}
	o.unsent -= bytes
	for i, b := range o.writes {
		o.writes[i] = nil
		b.busy = false
		if b.over() {
			o.remove(b)
		}
	}
	o.writes = o.writes[:0]
	if o.unsent >= lowWater {
		return false
	}
	if o.congested {
		o.ease()
	}
	ready, o.starved = o.starved, false
	return ready
}

// encoder makes wire forms of deliveries. It belongs to one outbox.
type encoder struct {
	form   []byte // that another receiver has made of the delivery, nil if there is none
	clock  int64  // milliseconds since 1970, asked once for all that is delivered together; 0 before
	packet mqtt.Publish
	topic  []byte
	user   mqtt.UserProperties
}

// measure prepares the packet of a delivery and gives its size. Of what other receivers get as well there may be a form.
func (e *encoder) measure(v mqtt.Version, d *broker.Delivery, shared bool) int {
	m := d.Message
	if e.form = nil; shared {
		if e.form = m.Form(slotOf(v, d)); e.form != nil {
			return len(e.form)
		}
	}
	p := &e.packet
	*p = mqtt.Publish{QoS: d.QoS, Retain: d.Retain, Payload: m.Payload}
	if d.QoS > 0 {
		p.PacketID = 1 // patched when the packet enters the window
	}
	e.topic = append(e.topic[:0], m.Topic...)
	p.Topic = e.topic
	if v == mqtt.V5 && (m.Props != nil || m.Expires != 0) {
		e.properties(m)
	}
	return mqtt.PublishSize(v, p)
}

// append appends the wire form of so many bytes. One that other receivers can share is made once per version and QoS, and
// what differs between them is written into each copy: here RETAIN and what is left of the expiry, in the window the
// packet id.
func (e *encoder) append(dst []byte, v mqtt.Version, d *broker.Delivery, size int, shared bool) []byte {
	if !shared {
		return mqtt.AppendPublish(dst, v, &e.packet)
	}
	if e.form == nil {
		e.form = d.Message.SetForm(slotOf(v, d), mqtt.AppendPublish(make([]byte, 0, size), v, &e.packet))
	}
	at := len(dst)
	dst = append(dst, e.form...)
	own := dst[at:]
	if own[0] &^= retainFlag; d.Retain {
		own[0] |= retainFlag
	}
	if v == mqtt.V5 && d.Message.Expires != 0 {
		tellRemaining(own, d.Message.Remaining(e.now()))
	}
	return dst
}

// tellRemaining writes what is left of the expiry into an encoded PUBLISH of MQTT 5 [MQTT-3.3.2-6].
func tellRemaining(own []byte, left uint32) {
	if off := mqtt.MessageExpiryOffset(own); off > 0 {
		binary.BigEndian.PutUint32(own[off:], left)
	}
}

func (e *encoder) now() int64 {
	if e.clock == 0 {
		e.clock = time.Now().UnixMilli()
	}
	return e.clock
}

// retainFlag is RETAIN in the first byte of a PUBLISH (MQTT 5, 3.3.1.3).
const retainFlag = 0x01

// slotOf is where the forms for a receiver's version and QoS are kept.
func slotOf(v mqtt.Version, d *broker.Delivery) int {
	if v == mqtt.V5 {
		return int(d.QoS) + 2
	}
	return int(d.QoS)
}

// properties fills in the MQTT 5 properties of the packet, with the expiry that remains [MQTT-3.3.2-6].
func (e *encoder) properties(m *broker.Message) {
	p := &e.packet.Props
	if m.Expires != 0 {
		p.Has = p.Has.With(mqtt.PropMessageExpiry)
		p.MessageExpiry = m.Remaining(e.now())
	}
	from := m.Props
	if from == nil {
		return
	}
	if from.HasPayloadFormat {
		p.Has = p.Has.With(mqtt.PropPayloadFormat)
		p.PayloadFormat = from.PayloadFormat
	}
	if from.ContentType != "" {
		p.Has = p.Has.With(mqtt.PropContentType)
		p.ContentType = []byte(from.ContentType)
	}
	if from.ResponseTopic != "" {
		p.Has = p.Has.With(mqtt.PropResponseTopic)
		p.ResponseTopic = []byte(from.ResponseTopic)
	}
	if from.CorrelationData != nil {
		p.Has = p.Has.With(mqtt.PropCorrelationData)
		p.CorrelationData = from.CorrelationData
	}
	if len(from.User) > 0 {
		e.user = e.user[:0]
		for _, u := range from.User {
			e.user = mqtt.AppendUserProperty(e.user, u.Key, u.Value)
		}
		p.Has = p.Has.With(mqtt.PropUser)
		p.User = e.user
	}
}
