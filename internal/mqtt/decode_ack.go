package mqtt

const ackProperties = PropReason | PropUser

// DecodeAck decodes PUBACK, PUBREC, PUBREL or PUBCOMP into a. It allocates for a reason string only.
func DecodeAck(f Frame, v Version, a *Ack) error {
	*a = Ack{Type: f.Type()}
	r := read(f, a.Type, v)
	codes := pubackCodes
	switch a.Type { //nolint:exhaustive // the others are refused
	case PUBACK, PUBREC:
	case PUBREL, PUBCOMP:
		codes = pubrelCodes
	default:
		return violation(a.Type, "it is not an acknowledgement of a PUBLISH")
	}
	a.PacketID = r.packetID()
	if v != V5 {
		return r.finish()
	}
	if len(r.b) > 0 { // without it: success (3.4.2.1)
		a.Code = r.code(codes)
	}
	if len(r.b) > 0 { // without it: no properties (3.4.2.2.1)
		a.Reason, a.User = r.reasonAndUser()
	}
	return r.finish()
}

// DecodeSuback decodes a SUBACK into s, using again the room of s.Codes.
func DecodeSuback(f Frame, v Version, s *Suback) error {
	*s = Suback{Codes: s.Codes[:0]}
	r := read(f, SUBACK, v)
	s.PacketID = r.packetID()
	codes := subackCodesV3
	if v == V5 {
		codes = subackCodes
		s.Reason, s.User = r.reasonAndUser()
	}
	s.Codes = r.codes(s.Codes, codes)
	return r.finish()
}

// DecodeUnsuback decodes an UNSUBACK into u, using again the room of u.Codes.
func DecodeUnsuback(f Frame, v Version, u *Unsuback) error {
	*u = Unsuback{Codes: u.Codes[:0]}
	r := read(f, UNSUBACK, v)
	u.PacketID = r.packetID()
	if v == V5 {
		u.Reason, u.User = r.reasonAndUser()
		u.Codes = r.codes(u.Codes, unsubackCodes)
	}
	return r.finish()
}

// codes reads the codes that are the rest of the packet; there is at least one, as there was at least one filter.
func (r *reader) codes(dst []Code, allowed *codeSet) []Code {
	if len(r.b) == 0 {
		r.fail(CodeProtocolError, "it has no reason codes (3.9.3, 3.11.3)")
	}
	for len(r.b) > 0 {
		dst = append(dst, r.code(allowed))
	}
	return dst
}

// reasonAndUser reads a property section that may hold only these two.
func (r *reader) reasonAndUser() (string, UserProperties) {
	var reason string
	p := r.properties(ackProperties)
	for p.next(r) {
		reason = string(p.text)
	}
	return reason, p.users()
}
