// Package mqtt is the wire: control packets of MQTT 3.1.1 and MQTT 5 to bytes and back.
//
// It knows what the two OASIS standards say about a packet by itself, and refuses a packet that breaks them with an
// Error that carries the reason code, the packet and the rule in words. What a packet means is not its business: it
// keeps no state between packets, so aliases, windows, identifiers in use, limits of the service and the QoS 2 that
// AWS does not speak are judged by the gateway.
//
// It does no I/O, starts no goroutine, reads no clock and imports nothing of ours.
//
// # Who owns the bytes
//
// Next cuts a Frame out of a read buffer without copying. A decoded packet aliases that frame in all its []byte
// fields; strings are copies. Whoever keeps a packet longer than the read buffer copies what it keeps. Slices are
// handed out with their capacity clipped, so that appending to one never writes into the buffer behind it.
//
// The Append functions write to the end of dst, as append does, and keep nothing of what they were given. They write
// what they are told: names and sizes are checked by whoever made them. Two things they see to themselves, because no
// peer could read the result: a text or binary field longer than 65,535 bytes is cut, and reason strings are made
// well-formed UTF-8. A packet over 268,435,455 bytes cannot be written and panics; all callers have limits far below.
//
// Reading a frame, decoding PUBLISH and PUBACK, and writing them allocates nothing; tests hold this.
package mqtt
