package mqtt

import "slices"

// propertyReader walks the property section of a packet:
//
//	p := r.properties(allowed)
//	for p.next(r) {
//		switch p.id { ... }
//	}
//
// next gives only what the packet may carry, once, and in its range. User Properties are gathered on the side.
type propertyReader struct {
	id   byte   // the property at hand
	num  uint32 // its value, when that is a number
	text []byte // its value, when that is text or binary; aliases the frame

	seen    PropertySet
	allowed PropertySet
	user    UserProperties
	copied  bool   // user is a copy already, because its pairs did not stand together
	userEnd int    // what of the section was left behind the last pair of user
	tail    []byte // the packet behind the section
}

// properties starts on the section that r stands before. The packets whose section may be left out altogether ask
// beforehand whether anything is left.
func (r *reader) properties(allowed PropertySet) propertyReader {
	n := r.varint("property length")
	if n > len(r.b) {
		r.fail(CodeMalformedPacket, "its property length reaches behind its end (2.2.2.1)")
		return propertyReader{}
	}
	if r.err != nil {
		return propertyReader{}
	}
	p := propertyReader{allowed: allowed, tail: r.b[n:]}
	r.b = r.b[:n:n]
	return p
}

// next reads one property; at the end of the section, or at an error, it answers false and r stands behind it.
func (p *propertyReader) next(r *reader) bool {
	for len(r.b) > 0 {
		before := r.b
		p.id = r.byte("property")
		if !p.accept(r) {
			return false
		}
		p.value(r, properties[p.id].kind)
		if r.err != nil {
			return false
		}
		if p.id != idUser {
			return true
		}
		p.gather(before, len(before)-len(r.b))
	}
	if r.err == nil {
		r.b = p.tail
	}
	return false
}

// accept judges the identifier alone (MQTT 5, 2.2.2.2).
func (p *propertyReader) accept(r *reader) bool {
	if int(p.id) >= len(properties) || properties[p.id].kind == kindNone {
		r.fail(CodeMalformedPacket, "it has a property that does not exist (2.2.2.2)")
		return false
	}
	bit := PropertySet(1) << p.id
	if p.allowed&bit == 0 {
		r.fail(CodeMalformedPacket, "it may not carry the property "+properties[p.id].name+" (2.2.2.2)")
		return false
	}
	// A PUBLISH of the server names each subscription that it answers (3.3.2.3.8).
	repeatable := p.id == idUser || p.id == idSubscriptionID && r.typ == PUBLISH
	if p.seen&bit != 0 && !repeatable {
		r.fail(CodeProtocolError, "it carries the property "+properties[p.id].name+" twice")
		return false
	}
	p.seen |= bit
	return true
}

// value reads the value of the property at hand and judges its range.
func (p *propertyReader) value(r *reader, k kind) {
	name := properties[p.id].name
	switch k {
	case kindBool:
		p.num = uint32(r.byte(name))
		if p.num > 1 {
			r.fail(CodeProtocolError, "the value of "+name+" is neither 0 nor 1")
		}
	case kindU16:
		p.num = uint32(r.uint16(name))
	case kindU16Some, kindAlias:
		p.num = uint32(r.uint16(name))
		p.notZero(r)
	case kindU32:
		p.num = r.uint32(name)
	case kindU32Some:
		p.num = r.uint32(name)
		p.notZero(r)
	case kindVarint:
		p.num = uint32(r.varint(name))
		p.notZero(r)
	case kindText:
		p.text = r.text(name)
	case kindTopic:
		p.topic(r, name)
	case kindBinary:
		p.text = r.binary(name)
	case kindPair:
		r.text("name of a User Property")
		r.text("value of a User Property")
	case kindNone:
	}
}

func (p *propertyReader) notZero(r *reader) {
	if p.num != 0 || r.err != nil {
		return
	}
	if p.id == idTopicAlias {
		r.fail(CodeTopicAliasInvalid, "its Topic Alias is 0 [MQTT-3.3.2-8]")
		return
	}
	r.fail(CodeProtocolError, "the value of "+properties[p.id].name+" is 0")
}

// topic reads a topic name, which is never empty [MQTT-4.7.3-1].
func (p *propertyReader) topic(r *reader, name string) {
	p.text = r.topicName(name)
	if len(p.text) == 0 {
		r.fail(CodeProtocolError, "its "+name+" is empty [MQTT-4.7.3-1]")
	}
}

// gather adds the pair at the head of before, n bytes long, to user: by making the slice longer while the pairs stand
// together, by copying from the first time they do not.
func (p *propertyReader) gather(before []byte, n int) {
	switch {
	case p.user == nil:
		p.user = before[:n]
	case !p.copied && p.userEnd == len(before):
		p.user = p.user[:len(p.user)+n]
	case !p.copied:
		p.user = append(slices.Clip(p.user), before[:n]...)
		p.copied = true
	default:
		p.user = append(p.user, before[:n]...)
	}
	p.userEnd = len(before) - n
}

// users are the User Properties of the whole section.
func (p *propertyReader) users() UserProperties { return slices.Clip(p.user) }

// uint16 is num of a property with two bytes.
func (p *propertyReader) uint16() uint16 { return uint16(p.num & 0xFFFF) }
