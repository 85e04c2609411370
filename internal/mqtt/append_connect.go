package mqtt

import "encoding/binary"

// AppendConnect writes a CONNECT of version v; Level 3 makes it one of MQTT 3.1.
func AppendConnect(dst []byte, v Version, c *Connect) []byte {
	dst, at := open(dst, CONNECT)
	if v != V5 && c.Level == 3 {
		dst = append(appendText(dst, "MQIsdp"), 3)
	} else {
		dst = append(appendText(dst, "MQTT"), byte(v))
	}
	dst = append(dst, c.flags())
	dst = binary.BigEndian.AppendUint16(dst, c.KeepAlive)
	if v == V5 {
		dst = c.Props.append(dst)
	}
	dst = appendText(dst, c.ClientID)
	if c.HasWill {
		dst = c.Will.append(dst, v)
	}
	if c.HasUsername {
		dst = appendText(dst, c.Username)
	}
	if c.HasPassword {
		dst = appendText(dst, c.Password)
	}
	return closeLength(dst, at)
}

func (c *Connect) flags() byte {
	f := bit(c.CleanStart, flagClean) | bit(c.HasPassword, flagPassword) | bit(c.HasUsername, flagUsername)
	if c.HasWill {
		f |= flagWill | c.Will.QoS<<3&flagWillQoS | bit(c.Will.Retain, flagWillRetain)
	}
	return f
}

func (c *ConnectProperties) append(dst []byte) []byte {
	w := writeProperties(dst, c.Has)
	w.uint32(idSessionExpiry, c.SessionExpiry)
	w.uint16(idReceiveMaximum, c.ReceiveMaximum)
	w.uint32(idMaximumPacketSize, c.MaximumPacketSize)
	w.uint16(idTopicAliasMaximum, c.TopicAliasMaximum)
	w.bool(idRequestResponse, c.RequestResponse)
	w.bool(idRequestProblem, c.RequestProblem)
	w.binary(idAuthMethod, c.AuthMethod)
	w.binary(idAuthData, c.AuthData)
	w.user(c.User)
	return w.done()
}

// append writes the will as it stands in the payload of CONNECT.
func (w *Will) append(dst []byte, v Version) []byte {
	if v == V5 {
		pw := writeProperties(dst, w.Props.Has&willProperties|when(w.Delay != 0, PropWillDelay))
		pw.uint32(idWillDelay, w.Delay)
		props := w.Props
		props.SubscriptionIDs = nil // a will cannot have them
		props.write(&pw)
		dst = pw.done()
	}
	dst = appendText(dst, w.Topic)
	return appendText(dst, w.Payload)
}

// AppendConnack writes a CONNACK. On v3 a reason code of MQTT 5 is written as the return code that comes nearest.
func AppendConnack(dst []byte, v Version, c *Connack) []byte {
	dst, at := open(dst, CONNACK)
	code := c.Code
	if v != V5 {
		code = code.v3Connack()
	}
	// A refusal has no session [MQTT-3.2.2-6].
	dst = append(dst, bit(c.SessionPresent && code == CodeSuccess, 1), byte(code))
	if v == V5 {
		dst = c.Props.append(dst)
	}
	return closeLength(dst, at)
}

func (c *ConnackProperties) append(dst []byte) []byte {
	w := writeProperties(dst, c.Has)
	w.uint32(idSessionExpiry, c.SessionExpiry)
	w.uint16(idReceiveMaximum, c.ReceiveMaximum)
	w.byte(idMaximumQoS, c.MaximumQoS)
	w.bool(idRetainAvailable, c.RetainAvailable)
	w.uint32(idMaximumPacketSize, c.MaximumPacketSize)
	w.text(idAssignedClientID, c.AssignedClientID)
	w.uint16(idTopicAliasMaximum, c.TopicAliasMaximum)
	w.text(idReason, wireReason(c.Reason))
	w.bool(idWildcardAvailable, c.WildcardAvailable)
	w.bool(idSubIDsAvailable, c.SubIDsAvailable)
	w.bool(idSharedAvailable, c.SharedAvailable)
	w.uint16(idServerKeepAlive, c.ServerKeepAlive)
	w.text(idResponseInfo, c.ResponseInfo)
	w.text(idServerReference, c.ServerReference)
	w.binary(idAuthMethod, c.AuthMethod)
	w.binary(idAuthData, c.AuthData)
	w.user(c.User)
	return w.done()
}

// AppendDisconnect writes a DISCONNECT, as short as it may be (MQTT 5, 3.14.2.1); on v3 it is empty.
func AppendDisconnect(dst []byte, v Version, d *Disconnect) []byte {
	dst, at := open(dst, DISCONNECT)
	if v != V5 {
		return closeLength(dst, at)
	}
	has := when(d.HasSessionExpiry, PropSessionExpiry) | when(d.Reason != "", PropReason) |
		when(d.ServerReference != "", PropServerReference)
	more := has != 0 || len(d.User) > 0
	if more || d.Code != CodeSuccess {
		dst = append(dst, byte(d.Code))
	}
	if more {
		w := writeProperties(dst, has)
		w.uint32(idSessionExpiry, d.SessionExpiry)
		w.text(idReason, wireReason(d.Reason))
		w.text(idServerReference, d.ServerReference)
		w.user(d.User)
		dst = w.done()
	}
	return closeLength(dst, at)
}

// AppendAuth writes an AUTH, which only MQTT 5 knows.
func AppendAuth(dst []byte, _ Version, a *Auth) []byte {
	dst, at := open(dst, AUTH)
	if a.Code == CodeSuccess && a.Method == nil && a.Data == nil && a.Reason == "" && len(a.User) == 0 {
		return closeLength(dst, at)
	}
	has := PropAuthMethod | when(a.Data != nil, PropAuthData) | when(a.Reason != "", PropReason)
	w := writeProperties(append(dst, byte(a.Code)), has)
	w.binary(idAuthMethod, a.Method)
	w.binary(idAuthData, a.Data)
	w.text(idReason, wireReason(a.Reason))
	w.user(a.User)
	return closeLength(w.done(), at)
}
