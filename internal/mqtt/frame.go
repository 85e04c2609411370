package mqtt

// Frame is one control packet as it stands in a buffer: the first byte and what follows the Remaining Length. Body
// aliases the buffer it was read from.
type Frame struct {
	Header byte
	// padded: the Remaining Length took more bytes than it needs, which 3.1.1 does not mind and 5 forbids
	// [MQTT-1.5.5-1]. Next does not know the version, the Decode functions do.
	padded bool
	Body   []byte
}

// Type is the frame's control packet type.
func (f Frame) Type() Type { return Type(f.Header >> 4) }

// Next splits the packet at the head of buf off it: f is the packet, n the number of its bytes. n is 0, without an
// error, when buf does not hold all of it yet. A packet of more than limit bytes in all is refused as soon as its
// length is known, before anyone makes room for it; limit 0 means as long as the standard allows. So is a first byte
// with a type or flags that cannot be. The error is an *Error.
func Next(buf []byte, limit int) (f Frame, n int, err error) {
	if len(buf) == 0 {
		return Frame{}, 0, nil
	}
	if e := checkHeader(buf[0]); e != nil {
		return Frame{}, 0, e
	}
	length, w := varint(buf[1:])
	if w <= 0 {
		return Frame{}, 0, badLength(buf[0], w)
	}
	n = 1 + w + length
	if limit > 0 && n > limit {
		return Frame{}, 0, tooLarge(buf[0])
	}
	if length != 0 && Type(buf[0]>>4).isPing() {
		return Frame{}, 0, malformed(Type(buf[0]>>4), "it has a body (3.12, 3.13)")
	}
	if len(buf) < n {
		return Frame{}, 0, nil
	}
	padded := w > 1 && buf[w] == 0
	return Frame{Header: buf[0], padded: padded, Body: buf[1+w : n : n]}, n, nil
}

// Need is how many bytes the packet at the head of buf has in all; 0 when buf does not tell yet, or never will. It
// judges nothing: call Next first.
func Need(buf []byte) int {
	if len(buf) < 2 {
		return 0
	}
	length, w := varint(buf[1:])
	if w <= 0 {
		return 0
	}
	return 1 + w + length
}

// PacketIDOffset is where the two bytes of the packet id stand in frame, an encoded PUBLISH of QoS 1 or 2. One encoded
// PUBLISH serves many receivers; each copy gets its own id there.
func PacketIDOffset(frame []byte) int {
	_, w := varint(frame[1:])
	topic := int(frame[1+w])<<8 | int(frame[2+w])
	return 1 + w + 2 + topic
}

// MessageExpiryOffset is where the four bytes of the Message Expiry Interval stand in frame, a PUBLISH of MQTT 5 that
// AppendPublish wrote with one; 0 if it has none. As with the packet id, one encoded PUBLISH serves many receivers.
func MessageExpiryOffset(frame []byte) int {
	at := PacketIDOffset(frame)
	if frame[0]&0x06 != 0 {
		at += 2
	}
	props, w := varint(frame[at:])
	at += w
	end := at + props
	if at < end && frame[at] == idPayloadFormat { // it alone is written before
		at += 2
	}
	if at < end && frame[at] == idMessageExpiry {
		return at + 1
	}
	return 0
}

func (t Type) isPing() bool { return t == PINGREQ || t == PINGRESP }

// checkHeader judges the first byte of a packet (MQTT 5, 2.1).
func checkHeader(h byte) *Error {
	t := Type(h >> 4)
	switch {
	case t == 0:
		return malformed(0, "control packet type 0 is reserved (2.1.2)")
	case t != PUBLISH && h != t.header():
		return malformed(t, "the flags of its first byte are not those of its type [MQTT-2.1.3-1]")
	case t == PUBLISH && h&0x06 == 0x06:
		return malformed(t, "QoS 3 [MQTT-3.3.1-4]")
	case t == PUBLISH && h&0x0E == 0x08:
		return violation(t, "DUP is set at QoS 0 [MQTT-3.3.1-2]")
	}
	return nil
}

// badLength is the error of a Remaining Length that was not read, nil when it is only not there yet.
func badLength(h byte, w int) error {
	if w == 0 {
		return nil
	}
	return malformed(Type(h>>4), "its Remaining Length is longer than four bytes (2.1.4)")
}

func tooLarge(h byte) error {
	return &Error{CodePacketTooLarge, Type(h >> 4), "its Remaining Length makes it larger than what is accepted here"}
}
