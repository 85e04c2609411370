package mqtt

import "encoding/binary"

// AppendPublish writes a PUBLISH. It may be written once with PacketID 0 and shared: see PacketIDOffset.
func AppendPublish(dst []byte, v Version, p *Publish) []byte {
	props := 0
	if v == V5 {
		props = p.Props.size()
	}
	dst = append(dst, byte(PUBLISH)<<4|bit(p.Dup, 0x08)|p.QoS<<1&0x06|bit(p.Retain, 0x01))
	dst = appendVarint(dst, p.bodySize(v, props))
	dst = appendText(dst, p.Topic)
	if p.QoS > 0 {
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	}
	if v == V5 {
		dst = appendVarint(dst, props)
	}
	if props > 0 {
		w := propertyWriter{b: dst, has: p.Props.Has & publishProperties}
		p.Props.write(&w)
		dst = w.b
	}
	return append(dst, p.Payload...)
}

// PublishSize is the number of bytes that AppendPublish writes: what a receiver's Maximum Packet Size is held against.
func PublishSize(v Version, p *Publish) int {
	props := 0
	if v == V5 {
		props = p.Props.size()
	}
	n := p.bodySize(v, props)
	return 1 + varintSize(n) + n
}

// bodySize is the Remaining Length, given the size of the properties.
func (p *Publish) bodySize(v Version, props int) int {
	n := textSize(p.Topic) + len(p.Payload)
	if p.QoS > 0 {
		n += 2
	}
	if v == V5 {
		n += varintSize(props) + props
	}
	return n
}

// size is the length of the property section without its length.
func (pp *PublishProperties) size() int {
	n := len(pp.User)
	for _, id := range pp.SubscriptionIDs {
		n += 1 + varintSize(int(id))
	}
	has := pp.Has & publishProperties
	if has == 0 {
		return n
	}
	n += 2*count(has, PropPayloadFormat) + 5*count(has, PropMessageExpiry) + 3*count(has, PropTopicAlias)
	n += count(has, PropContentType) * (1 + textSize(pp.ContentType))
	n += count(has, PropResponseTopic) * (1 + textSize(pp.ResponseTopic))
	n += count(has, PropCorrelationData) * (1 + textSize(pp.CorrelationData))
	return n
}

// write writes those of PUBLISH and of a will; w decides which.
func (pp *PublishProperties) write(w *propertyWriter) {
	w.byte(idPayloadFormat, pp.PayloadFormat)
	w.uint32(idMessageExpiry, pp.MessageExpiry)
	w.uint16(idTopicAlias, pp.TopicAlias)
	w.binary(idContentType, pp.ContentType)
	w.binary(idResponseTopic, pp.ResponseTopic)
	w.binary(idCorrelationData, pp.CorrelationData)
	for _, id := range pp.SubscriptionIDs {
		w.b = appendVarint(append(w.b, idSubscriptionID), int(id))
	}
	w.user(pp.User)
}

func textSize(b []byte) int { return 2 + len(clipText(b)) }

func count(s, p PropertySet) int {
	if s&p != 0 {
		return 1
	}
	return 0
}
