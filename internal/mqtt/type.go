package mqtt

import "fmt"

// Type is the control packet type: the upper half of the first byte (MQTT 5, 2.1.2).
type Type uint8

// Control packet types.
const (
	CONNECT Type = 1 + iota
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

var typeNames = [...]string{
	"packet", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
	"UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String is the standard's name of the type; 0 is "packet".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// header is the first byte of a packet of type t that is not a PUBLISH: the flags of the others are fixed
// [MQTT-2.1.3-1].
func (t Type) header() byte {
	h := byte(t) << 4
	if t == PUBREL || t == SUBSCRIBE || t == UNSUBSCRIBE {
		h |= 0x02
	}
	return h
}

// Packet is any of the packet structs of this package, by pointer.
type Packet interface {
	packet() // seals the interface
}

func (*Connect) packet()     {}
func (*Connack) packet()     {}
func (*Publish) packet()     {}
func (*Ack) packet()         {}
func (*Subscribe) packet()   {}
func (*Suback) packet()      {}
func (*Unsubscribe) packet() {}
func (*Unsuback) packet()    {}
func (*Ping) packet()        {}
func (*Disconnect) packet()  {}
func (*Auth) packet()        {}
