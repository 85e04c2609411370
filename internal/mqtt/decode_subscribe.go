package mqtt

import "bytes"

const (
	subscribeProperties   = PropSubscriptionID | PropUser
	unsubscribeProperties = PropUser
)

// The bits of subscription options (MQTT 5, 3.8.3.1).
const (
	optionQoS      = 0x03
	optionNoLocal  = 0x04
	optionRetained = 0x08 // Retain As Published
	optionHandling = 0x30 // Retain Handling
	optionReserved = 0xC0
)

// DecodeSubscribe decodes a SUBSCRIBE into s, using again the room of s.Filters. Whether a filter is well made is for
// the topic room to say, filter by filter; here it is a string that is not empty.
func DecodeSubscribe(f Frame, v Version, s *Subscribe) error {
	*s = Subscribe{Filters: s.Filters[:0]}
	r := read(f, SUBSCRIBE, v)
	s.PacketID = r.packetID()
	if v == V5 {
		p := r.properties(subscribeProperties)
		for p.next(&r) {
			s.SubscriptionID = p.num
		}
		s.User = p.users()
	}
	if len(r.b) == 0 {
		r.fail(CodeProtocolError, "it has no topic filter [MQTT-3.8.3-2]")
	}
	for len(r.b) > 0 {
		s.Filters = append(s.Filters, r.subscribeFilter(v))
	}
	return r.finish()
}

// DecodeUnsubscribe decodes an UNSUBSCRIBE into u, using again the room of u.Filters.
func DecodeUnsubscribe(f Frame, v Version, u *Unsubscribe) error {
	*u = Unsubscribe{Filters: u.Filters[:0]}
	r := read(f, UNSUBSCRIBE, v)
	u.PacketID = r.packetID()
	if v == V5 {
		p := r.properties(unsubscribeProperties)
		p.next(&r)
		u.User = p.users()
	}
	if len(r.b) == 0 {
		r.fail(CodeProtocolError, "it has no topic filter [MQTT-3.10.3-2]")
	}
	for len(r.b) > 0 {
		u.Filters = append(u.Filters, r.topicFilter())
	}
	return r.finish()
}

func (r *reader) topicFilter() []byte {
	b := r.text("topic filter")
	if len(b) == 0 {
		r.fail(CodeMalformedPacket, "a topic filter is empty [MQTT-4.7.3-1]")
	}
	return b
}

func (r *reader) subscribeFilter(v Version) SubscribeFilter {
	s := SubscribeFilter{Filter: r.topicFilter()}
	o := r.byte("subscription options")
	s.QoS = o & optionQoS
	if v == V5 {
		s.NoLocal = o&optionNoLocal != 0
		s.RetainAsPublished = o&optionRetained != 0
		s.RetainHandling = o & optionHandling >> 4
	}
	switch {
	case o&optionReserved != 0, v != V5 && o&^optionQoS != 0:
		r.fail(CodeMalformedPacket, "reserved bits of subscription options are set [MQTT-3.8.3-5]")
	case s.QoS == 3:
		r.fail(CodeProtocolError, "a requested QoS is 3 (3.8.3.1)")
	case s.RetainHandling == 3:
		r.fail(CodeProtocolError, "a Retain Handling is 3 (3.8.3.1)")
	case s.NoLocal && bytes.HasPrefix(s.Filter, []byte("$share/")):
		r.fail(CodeProtocolError, "No Local is set on a shared subscription [MQTT-3.8.3-4]")
	}
	return s
}
