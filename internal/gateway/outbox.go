package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// Marks of an outbox, in bytes that wait for the socket.
const (
	highWater = 512 << 10 // publishers may pause for this receiver
	lowWater  = 256 << 10 // and go on; a stored session reads on
	// hardCap is where QoS 0 is dropped, and a session that keeps nothing is disconnected rather than thinned.
	hardCap = 32 << 20
	// maxControl bounds the answers that a client may ask for without reading them.
	maxControl = 1 << 20
)

// outbox is what waits to be sent on one connection: control packets, which go first, and a chain of blocks. It is the
// broker's Link of the connection.
type outbox struct {
	c       *conn
	version mqtt.Version
	maxSize int // the client's Maximum Packet Size

	mu      sync.Mutex
	control []byte
	spare   []byte
	head    *block
	tail    *block
	cursor  *block   // the first block with bytes to send
	unsent  int      // bytes in blocks that were not handed to the socket
	writes  []*block // what the writer is writing
	window  window
	encoder encoder
	run     func() // write, made once

	writing   bool          // a goroutine is the writer
	finished  bool          // no writer may start any more
	gone      chan struct{} // closed when the last writer is gone, if somebody waits
	scheduled bool          // some publisher's batch will call Flush
	greeted   bool          // CONNACK was accepted: a DISCONNECT may follow
	over      bool          // nothing is taken any more
	ending    bool          // the writer closes the socket once control is sent
	congested bool          // over high water and not yet under low water
	slow      bool          // freed nothing while somebody waited: nobody waits
	starved   bool          // refused stored deliveries: tell the broker when there is room
	relief    chan struct{}
	skipped   kept   // stored deliveries that are over without the client: to be acknowledged in its place
	watched   bool   // the wheel looks after what is not acknowledged
	freed     uint64 // bytes written to the socket
	dropped   atomic.Int64
}

var _ broker.Link = (*outbox)(nil)

// Deliver implements broker.Link: it encodes into blocks and never waits.
func (o *outbox) Deliver(ds []broker.Delivery, shared bool) (took int, flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.encoder.clock = 0
	for took < len(ds) && !o.over {
		d := &ds[took]
		if o.unsent >= highWater && !o.fits(d) {
			break
		}
		o.append(d, shared)
		took++
	}
	if o.over {
		return len(ds), false
	}
	flush = !o.scheduled
	o.scheduled = true
	return took, flush
}

// fits decides what happens over the high-water mark: stored deliveries stay in the store.
func (o *outbox) fits(d *broker.Delivery) bool {
	if d.Seq != 0 {
		o.starved = true
		return false
	}
	return true
}

// append encodes one delivery behind the others.
func (o *outbox) append(d *broker.Delivery, shared bool) {
	size := o.encoder.measure(o.version, d, shared)
	if size > o.maxSize {
		o.tooLarge(d)
		return
	}
	if d.Seq == 0 && o.unsent+size > hardCap {
		o.overflow(d)
		return
	}
	b := o.room(size)
	at := len(b.buf)
	b.buf = o.encoder.append(b.buf, o.version, d, size, shared)
	o.unsent += len(b.buf) - at
	if d.QoS > 0 {
		b.entries = append(b.entries, qos1{
			off: uint32(at), size: uint32(len(b.buf) - at),
			idAt: uint32(at + mqtt.PacketIDOffset(b.buf[at:])), seq: d.Seq, group: d.Group, expires: d.Message.Expires,
		})
		b.pending++
	}
	if o.unsent > highWater && !o.congested {
		o.congested = true
	}
}

// tooLarge drops what the client said it cannot take [MQTT-3.1.2-25].
func (o *outbox) tooLarge(d *broker.Delivery) {
	o.dropped.Add(1)
	o.c.noteDropped(d.Message.Topic, journal.ReasonTooLarge,
		"the message is larger than the Maximum Packet Size that the client asked for")
	if d.Seq != 0 {
		o.skipped.add(d.Group, d.Seq)
	}
}

// overflow is the end of patience with a receiver that does not read: QoS 0 is dropped and counted, a QoS 1 message of
// a session that keeps nothing ends the connection.
func (o *outbox) overflow(d *broker.Delivery) {
	o.dropped.Add(1)
	if d.QoS == 0 {
		o.c.noteDropped(d.Message.Topic, journal.ReasonSlowReader,
			"the client does not read and 32 MiB of messages wait for it: QoS 0 is dropped")
	} else {
		o.kickLocked(broker.Cause{
			Reason: broker.Throttled, Code: byte(mqtt.CodeQuotaExceeded),
			Text: "the client does not read: 32 MiB of messages wait for it",
		})
	}
}

// room gives a block with space for size bytes at its end.
func (o *outbox) room(size int) *block {
	if t := o.tail; t != nil && cap(t.buf)-len(t.buf) >= size {
		if o.cursor == nil { // the block behind it was over first
			o.cursor = t
		}
		return t
	}
	level := 0
	if o.tail != nil {
		level = int(o.tail.class) + 1
	}
	b := newBlock(size, level)
	b.prev = o.tail
	if o.tail != nil {
		o.tail.next = b
	} else {
		o.head = b
	}
	o.tail = b
	if o.cursor == nil {
		o.cursor = b
	}
	return b
}

// Flush implements broker.Link.
func (o *outbox) Flush() (congested bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scheduled = false
	o.start()
	return o.congested && !o.slow && !o.over
}

// start makes sure that somebody writes what can be written.
func (o *outbox) start() {
	if o.writing || o.finished || !o.ready() {
		return
	}
	o.writing = true
	go o.run()
}

// finish stops the outbox for good and waits for its writer.
func (o *outbox) finish() {
	o.mu.Lock()
	o.over, o.finished = true, true
	o.dropBlocks()
	o.ease()
	if !o.writing {
		o.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	o.gone = gone
	o.mu.Unlock()
	<-gone
}

// ready reports whether there is something that may be sent now.
func (o *outbox) ready() bool {
	if len(o.control) > 0 || o.ending || !o.skipped.empty() || o.c.ws.ponging() {
		return true
	}
	b := o.cursor
	if b == nil {
		return false
	}
	if b.sent == len(b.buf) {
		return b.next != nil
	}
	if b.given < len(b.entries) && int(b.entries[b.given].off) == b.sent {
		return o.window.hasRoom(int(b.entries[b.given].size))
	}
	return true
}

// put appends control packets, made by encode, and starts sending.
func (o *outbox) put(encode func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lay(encode)
	if !o.over {
		o.start()
	}
}

// hold appends control packets that are to be sent together with what comes next: Flush sends them.
func (o *outbox) hold(encode func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lay(encode)
}

func (o *outbox) lay(encode func(dst []byte) []byte) {
	if o.over {
		return
	}
	o.control = encode(o.control)
	if len(o.control) > maxControl {
		o.kickLocked(broker.Cause{
			Reason: broker.Throttled, Code: byte(mqtt.CodeQuotaExceeded),
			Text: "the client does not read: 1 MiB of answers wait for it",
		})
	}
}

// speak sets what the client understands: before it is done, nobody is told anything.
func (o *outbox) speak(v mqtt.Version, maxSize int, explain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version, o.maxSize, o.c.explain = v, maxSize, explain
}

// greet puts the CONNACK that opens the connection before all else; begin sends it. From now on a v5 client is told why it
// ends.
func (o *outbox) greet(a *mqtt.Connack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	o.greeted = true
	o.control = mqtt.AppendConnack(o.control, o.version, a)
}

// begin sends what waits.
func (o *outbox) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.start()
}

// refuse sends the CONNACK that ends the connection.
func (o *outbox) refuse(a *mqtt.Connack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	o.over, o.ending = true, true
	o.control = mqtt.AppendConnack(o.control, o.version, a)
	o.c.hurry()
	o.start()
}

// acknowledged takes the client's PUBACKs and adds to k what was kept in queues; ids that are not in flight are
// ignored.
func (o *outbox) acknowledged(ids []uint16, k *kept) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		b, e, ok := o.window.take(id)
		if !ok {
			continue
		}
		if e.seq != 0 {
			k.add(e.group, e.seq)
		}
		b.pending--
		if b.over() {
			o.remove(b)
		}
	}
	if !o.over {
		o.start()
	}
}

// remove takes a block that is over out of the chain.
func (o *outbox) remove(b *block) {
	if o.cursor == b {
		o.cursor = b.next
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		o.head = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		o.tail = b.prev
	}
	b.release()
}

// Kick implements broker.Link: a v5 client is told why, then the socket is closed.
func (o *outbox) Kick(cause broker.Cause) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kickLocked(cause)
}

func (o *outbox) kickLocked(cause broker.Cause) {
	if o.over {
		return
	}
	o.over, o.ending = true, true
	o.c.setCause(cause)
	o.c.endTrace = uuid.NewString()
	if o.greeted && o.version == mqtt.V5 && cause.Code != 0 {
		o.control = mqtt.AppendDisconnect(o.control, mqtt.V5, &mqtt.Disconnect{
			Code: mqtt.Code(cause.Code), Reason: o.c.reasonString("DISCONNECT:"+cause.Text, o.c.endTrace),
		})
	}
	o.dropBlocks()
	o.ease()
	o.c.hurry()
	o.start()
}

// dropBlocks forgets all that was not sent; blocks that a write is using are left to the garbage collector.
func (o *outbox) dropBlocks() {
	for b := o.head; b != nil; {
		next := b.next
		if !b.busy {
			b.release()
		}
		b = next
	}
	o.head, o.tail, o.cursor, o.unsent = nil, nil, nil, 0
	o.window.slots, o.window.count, o.window.bytes = nil, 0, 0
}

// ease lets go whoever waits for relief.
func (o *outbox) ease() {
	o.congested, o.slow = false, false
	if o.relief != nil {
		close(o.relief)
		o.relief = nil
	}
}
