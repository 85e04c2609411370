package mqtt

import "encoding/binary"

// Append writes any packet.
func Append(dst []byte, v Version, p Packet) []byte {
	switch p := p.(type) {
	case *Connect:
		return AppendConnect(dst, v, p)
	case *Connack:
		return AppendConnack(dst, v, p)
	case *Publish:
		return AppendPublish(dst, v, p)
	case *Ack:
		return AppendAck(dst, v, p)
	case *Subscribe:
		return AppendSubscribe(dst, v, p)
	case *Suback:
		return AppendSuback(dst, v, p)
	case *Unsubscribe:
		return AppendUnsubscribe(dst, v, p)
	case *Unsuback:
		return AppendUnsuback(dst, v, p)
	case *Ping:
		return AppendPing(dst, v, p)
	case *Disconnect:
		return AppendDisconnect(dst, v, p)
	case *Auth:
		return AppendAuth(dst, v, p)
	}
	return dst // a nil Packet writes nothing; the interface is sealed
}

// AppendPing writes a PINGREQ or PINGRESP; they are the same on both versions.
func AppendPing(dst []byte, _ Version, p *Ping) []byte { return append(dst, p.Type.header(), 0) }

// AppendPuback writes the PUBACK of success: four bytes, the same on both versions.
func AppendPuback(dst []byte, id uint16) []byte {
	return append(dst, byte(PUBACK)<<4, 2, byte(id>>8), byte(id))
}

// AppendPubackCode writes a PUBACK of MQTT 5 with a reason code and, when not empty, a reason string.
func AppendPubackCode(dst []byte, id uint16, code Code, reason string) []byte {
	return AppendAck(dst, V5, &Ack{Type: PUBACK, PacketID: id, Code: code, Reason: reason})
}

// AppendAck writes a PUBACK, PUBREC, PUBREL or PUBCOMP, as short as it may be (MQTT 5, 3.4.2.1).
func AppendAck(dst []byte, v Version, a *Ack) []byte {
	dst, at := open(dst, a.Type)
	dst = binary.BigEndian.AppendUint16(dst, a.PacketID)
	more := a.Reason != "" || len(a.User) > 0
	if v == V5 && (more || a.Code != CodeSuccess) {
		dst = append(dst, byte(a.Code))
	}
	if v == V5 && more {
		dst = appendReasonAndUser(dst, a.Reason, a.User)
	}
	return closeLength(dst, at)
}

// AppendSuback writes a SUBACK. On v3 every code of refusal becomes 0x80 [MQTT-3.9.3-2].
func AppendSuback(dst []byte, v Version, s *Suback) []byte {
	dst, at := open(dst, SUBACK)
	dst = binary.BigEndian.AppendUint16(dst, s.PacketID)
	if v == V5 {
		dst = appendReasonAndUser(dst, s.Reason, s.User)
	}
	for _, c := range s.Codes {
		if v != V5 && c.IsError() {
			c = CodeUnspecifiedError
		}
		dst = append(dst, byte(c))
	}
	return closeLength(dst, at)
}

// AppendUnsuback writes an UNSUBACK; on v3 it has no codes.
func AppendUnsuback(dst []byte, v Version, u *Unsuback) []byte {
	dst, at := open(dst, UNSUBACK)
	dst = binary.BigEndian.AppendUint16(dst, u.PacketID)
	if v == V5 {
		dst = appendReasonAndUser(dst, u.Reason, u.User)
		for _, c := range u.Codes {
			dst = append(dst, byte(c))
		}
	}
	return closeLength(dst, at)
}

// AppendSubscribe writes a SUBSCRIBE; on v3 its options are the QoS alone.
func AppendSubscribe(dst []byte, v Version, s *Subscribe) []byte {
	dst, at := open(dst, SUBSCRIBE)
	dst = binary.BigEndian.AppendUint16(dst, s.PacketID)
	if v == V5 {
		w := writeProperties(dst, 0)
		if s.SubscriptionID != 0 {
			w.b = appendVarint(append(w.b, idSubscriptionID), int(s.SubscriptionID))
		}
		w.user(s.User)
		dst = w.done()
	}
	for i := range s.Filters {
		dst = appendText(dst, s.Filters[i].Filter)
		dst = append(dst, s.Filters[i].options(v))
	}
	return closeLength(dst, at)
}

func (s *SubscribeFilter) options(v Version) byte {
	if v != V5 {
		return s.QoS & optionQoS
	}
	return s.QoS&optionQoS | bit(s.NoLocal, optionNoLocal) | bit(s.RetainAsPublished, optionRetained) |
		s.RetainHandling<<4&optionHandling
}

// AppendUnsubscribe writes an UNSUBSCRIBE.
func AppendUnsubscribe(dst []byte, v Version, u *Unsubscribe) []byte {
	dst, at := open(dst, UNSUBSCRIBE)
	dst = binary.BigEndian.AppendUint16(dst, u.PacketID)
	if v == V5 {
		w := writeProperties(dst, 0)
		w.user(u.User)
		dst = w.done()
	}
	for _, f := range u.Filters {
		dst = appendText(dst, f)
	}
	return closeLength(dst, at)
}

// open writes the first byte and keeps one free for the Remaining Length, at the place that closeLength wants.
func open(dst []byte, t Type) (b []byte, at int) {
	return append(dst, t.header(), 0), len(dst) + 1
}

func appendReasonAndUser(dst []byte, reason string, u UserProperties) []byte {
	w := writeProperties(dst, when(reason != "", PropReason))
	w.text(idReason, wireReason(reason))
	w.user(u)
	return w.done()
}
