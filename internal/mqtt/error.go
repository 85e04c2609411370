package mqtt

import "fmt"

// Error is a packet that breaks the standard. Code is what MQTT 5 wants the peer to be told; on 3.1.1 the connection
// just ends.
type Error struct {
	Code   Code
	Packet Type   // 0 when the type itself is wrong
	Rule   string // what is wrong, in words, with its clause
}

// Error is one line: the packet, the kind of error, the rule that was broken.
func (e *Error) Error() string {
	return fmt.Sprintf("mqtt: %s: %s: %s", e.Packet, e.Code, e.Rule)
}

func malformed(t Type, rule string) *Error { return &Error{CodeMalformedPacket, t, rule} }

func violation(t Type, rule string) *Error { return &Error{CodeProtocolError, t, rule} }
