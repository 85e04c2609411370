package mqtt

import (
	"encoding/binary"
	"slices"
)

// reader takes a packet's body apart from front to back. Its first error sticks: after it every read gives zero
// values, so a decoder reads a packet straight through and asks once, at the end.
type reader struct {
	b   []byte // what is still to be read
	typ Type
	err *Error
}

// read starts on the body of f, which must be of type t. The typed decoders are called for their own packets; a
// different type is the caller's mistake, told like a peer's.
func read(f Frame, t Type, v Version) reader {
	r := reader{b: f.Body, typ: t}
	switch {
	case f.Type() != t:
		r.fail(CodeProtocolError, "it came as "+f.Type().String())
	case v == V5 && f.padded:
		r.fail(CodeMalformedPacket, "its Remaining Length is not in its shortest form [MQTT-1.5.5-1]")
	}
	return r
}

// fail keeps the first error and ends the reading.
func (r *reader) fail(c Code, rule string) {
	if r.err == nil {
		r.err = &Error{c, r.typ, rule}
	}
	r.b = nil
}

// finish is the result of the whole reading: everything must have been read.
func (r *reader) finish() error {
	if r.err != nil {
		return r.err
	}
	if len(r.b) != 0 {
		return malformed(r.typ, "there are bytes behind its end")
	}
	return nil
}

// take cuts n bytes off; what names them in the error.
func (r *reader) take(n int, what string) []byte {
	if len(r.b) < n {
		r.fail(CodeMalformedPacket, "it ends in the middle of the "+what)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte(what string) byte {
	if b := r.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16(what string) uint16 {
	if b := r.take(2, what); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32(what string) uint32 {
	if b := r.take(4, what); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) varint(what string) int {
	x, n := varint(r.b)
	switch {
	case r.err != nil:
		return 0
	case n == 0:
		r.fail(CodeMalformedPacket, "it ends in the middle of the "+what)
		return 0
	case n < 0:
		r.fail(CodeMalformedPacket, "the "+what+" is longer than four bytes (1.5.5)")
		return 0
	case n > 1 && r.b[n-1] == 0:
		r.fail(CodeMalformedPacket, "the "+what+" is not in its shortest form [MQTT-1.5.5-1]")
		return 0
	}
	r.b = r.b[n:]
	return x
}

// binary reads a field with two length bytes.
func (r *reader) binary(what string) []byte {
	return r.take(int(r.uint16(what)), what)
}

// text reads a UTF-8 string.
func (r *reader) text(what string) []byte {
	b := r.binary(what)
	if !validText(b) {
		r.fail(CodeMalformedPacket, "the "+what+" is not well-formed UTF-8 without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2]")
		return nil
	}
	return b
}

// topicName reads a string that names one topic. Emptiness is judged by the caller.
func (r *reader) topicName(what string) []byte {
	b := r.text(what)
	if hasWildcard(b) {
		r.fail(CodeTopicNameInvalid, "the "+what+" contains a wildcard [MQTT-3.3.2-2]")
		return nil
	}
	return b
}

// packetID reads a packet id, which is never 0 [MQTT-2.2.1-3].
func (r *reader) packetID() uint16 {
	id := r.uint16("packet identifier")
	if id == 0 {
		r.fail(CodeProtocolError, "its packet identifier is 0 [MQTT-2.2.1-3]")
	}
	return id
}

// code reads a reason code, which must be one of those that the packet may carry.
func (r *reader) code(allowed *codeSet) Code {
	c := Code(r.byte("reason code"))
	if !allowed.has(c) {
		r.fail(CodeProtocolError, "it may not carry the reason code "+c.String()+" (2.4)")
	}
	return c
}

// rest is all that is left.
func (r *reader) rest() []byte {
	b := slices.Clip(r.b)
	r.b = nil
	return b
}
