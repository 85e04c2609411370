package mqtt

const publishProperties = PropPayloadFormat | PropMessageExpiry | PropTopicAlias | PropContentType |
	PropResponseTopic | PropCorrelationData | PropUser | PropSubscriptionID

// DecodePublish decodes a PUBLISH into p, whose slices then alias the frame. It allocates for Subscription Identifiers
// and for User Properties that do not stand together, otherwise nothing.
func DecodePublish(f Frame, v Version, from Side, p *Publish) error {
	*p = Publish{Dup: f.Header&0x08 != 0, QoS: f.Header >> 1 & 0x03, Retain: f.Header&0x01 != 0}
	r := read(f, PUBLISH, v)
	p.Topic = r.topicName("topic name")
	if p.QoS > 0 {
		p.PacketID = r.packetID()
	}
	if v == V5 {
		p.Props.decode(&r, from)
	}
	// On v5 the standard calls it a protocol error (3.3.2.1); AWS documents it as malformed on both.
	if len(p.Topic) == 0 && !p.Props.Has.Has(PropTopicAlias) {
		r.fail(CodeMalformedPacket, "its topic name is empty and there is no alias [MQTT-4.7.3-1]")
	}
	p.Payload = r.rest()
	return r.finish()
}

func (pp *PublishProperties) decode(r *reader, from Side) {
	if len(r.b) > 0 && r.b[0] == 0 { // no properties: the usual case
		r.b = r.b[1:]
		return
	}
	p := r.properties(publishProperties)
	for p.next(r) {
		pp.set(&p)
	}
	pp.Has, pp.User = p.seen, p.users()
	if from == FromClient && pp.Has.Has(PropSubscriptionID) {
		r.fail(CodeProtocolError, "a client does not send a Subscription Identifier [MQTT-3.3.4-6]")
	}
}

// set keeps the property at hand.
func (pp *PublishProperties) set(p *propertyReader) {
	switch p.id {
	case idPayloadFormat:
		pp.PayloadFormat = byte(p.num & 1)
	case idMessageExpiry:
		pp.MessageExpiry = p.num
	case idTopicAlias:
		pp.TopicAlias = p.uint16()
	case idContentType:
		pp.ContentType = p.text
	case idResponseTopic:
		pp.ResponseTopic = p.text
	case idCorrelationData:
		pp.CorrelationData = p.text
	case idSubscriptionID:
		pp.SubscriptionIDs = append(pp.SubscriptionIDs, p.num)
	}
}
