package broker

import (
	"sync/atomic"
)

// Message is one published message on its way through the corridor. The publisher fills in Topic to Props; the broker
// stamps the rest. Payload and what Props points to belong to the publisher's batch: they are valid until the batch is
// done, and whoever needs them longer copies them. A Message is never copied by value.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool
	// Expiry is the Message Expiry Interval in seconds as published; 0 means that it never expires.
	Expiry uint32
	// Props are the MQTT 5 properties that are forwarded; nil when there are none.
	Props *Properties

	// RetainOrRefuse says that a retained message is refused when the rates of retained messages do not let it be kept
	// now; otherwise it is delivered all the same. A door whose clients send again what was refused sets it.
	RetainOrRefuse bool

	// ID numbers the messages of this server; together with the server's start time it is the trace id.
	ID uint64
	// Time is when the broker accepted the message and Expires when it is forgotten, in milliseconds since 1970;
	// Expires is 0 when it never is.
	Time, Expires int64

	hops  uint8
	forms [formSlots]atomic.Pointer[[]byte]
}

// CausedBy marks the message as published because of another one, as rules and other services do: a chain of such
// messages ends after some links, so that a message that causes itself does not go round for ever; not through the store
// either, which remembers it.
func (m *Message) CausedBy(cause *Message) { m.hops = min(cause.hops, maxHops) + 1 }

// Properties are the MQTT 5 properties that travel with a message (MQTT 5, 3.3.2.3).
type Properties struct {
	HasPayloadFormat bool
	PayloadFormat    byte // 0 unspecified bytes, 1 UTF-8 text
	ContentType      string
	ResponseTopic    string
	CorrelationData  []byte // nil when absent
	User             []UserProperty
}

// UserProperty is one pair; order and duplicates are kept.
type UserProperty struct{ Key, Value string }

// formSlots is how many wire forms of one message are kept: protocol version times QoS.
const formSlots = 4

// Form is the wire form that a link stored in a slot (0 to 3), nil if none did.
func (m *Message) Form(slot int) []byte {
	if p := m.forms[slot].Load(); p != nil {
		return *p
	}
	return nil
}

// SetForm keeps a wire form for the other receivers of the message and returns the one that is kept: the first wins.
// Nobody may write to it afterwards.
func (m *Message) SetForm(slot int, b []byte) []byte {
	if m.forms[slot].CompareAndSwap(nil, &b) {
		return b
	}
	return *m.forms[slot].Load()
}

// Remaining is the Message Expiry Interval to forward at a moment, in seconds: what was published less the time the
// message has waited [MQTT-3.3.2-6]. It may reach 0. It is 0 for messages that never expire, too.
func (m *Message) Remaining(nowMillis int64) uint32 { return Remaining(m.Expires, nowMillis) }

// Remaining is Message.Remaining of what expires at a moment.
func Remaining(expires, nowMillis int64) uint32 {
	if expires == 0 || nowMillis >= expires {
		return 0
	}
	return uint32((expires - nowMillis + 999) / 1000)
}

// Delivery is one message for one receiver.
type Delivery struct {
	Message *Message
	QoS     byte // the smaller of the published and the granted
	Retain  bool // the RETAIN flag to send
	// Seq is the message's number in the receiver's queue, which is to be given to Connection.Ack; 0 for messages
	// that are not kept.
	Seq uint64
	// Group is the shared subscription whose queue Seq counts in, nil for the receiver's own: such a delivery is
	// acknowledged with Connection.AckShared.
	Group *Group
}
