package mqtt

const (
	connackProperties = PropSessionExpiry | PropReceiveMaximum | PropMaximumQoS | PropRetainAvailable |
		PropMaximumPacketSize | PropAssignedClientID | PropTopicAliasMaximum | PropReason | PropUser |
		PropWildcardAvailable | PropSubIDsAvailable | PropSharedAvailable | PropServerKeepAlive | PropResponseInfo |
		PropServerReference | PropAuthMethod | PropAuthData
	disconnectProperties = PropSessionExpiry | PropReason | PropUser | PropServerReference
	authProperties       = PropAuthMethod | PropAuthData | PropReason | PropUser
)

// DecodeConnack decodes a CONNACK into c.
func DecodeConnack(f Frame, v Version, c *Connack) error {
	*c = Connack{}
	r := read(f, CONNACK, v)
	flags := r.byte("acknowledge flags")
	if flags > 1 {
		r.fail(CodeMalformedPacket, "reserved bits of its flags are set (3.2.2.1)")
	}
	c.SessionPresent = flags == 1
	if v == V5 {
		c.Code = r.code(connackCodes)
		c.Props.decode(&r)
	} else {
		c.Code = r.code(connackCodesV3)
	}
	if c.SessionPresent && c.Code != CodeSuccess {
		r.fail(CodeProtocolError, "it refuses and says that a session is present [MQTT-3.2.2-6]")
	}
	return r.finish()
}

func (c *ConnackProperties) decode(r *reader) {
	p := r.properties(connackProperties)
	for p.next(r) {
		if !c.setNumber(&p) {
			c.setText(&p)
		}
	}
	c.Has, c.User = p.seen, p.users()
	checkAuthData(r, c.Has)
}

// setNumber keeps the property at hand when it is a number.
func (c *ConnackProperties) setNumber(p *propertyReader) bool {
	switch p.id {
	case idSessionExpiry:
		c.SessionExpiry = p.num
	case idReceiveMaximum:
		c.ReceiveMaximum = p.uint16()
	case idMaximumQoS:
		c.MaximumQoS = byte(p.num & 1)
	case idRetainAvailable:
		c.RetainAvailable = p.num == 1
	case idMaximumPacketSize:
		c.MaximumPacketSize = p.num
	case idTopicAliasMaximum:
		c.TopicAliasMaximum = p.uint16()
	case idWildcardAvailable:
		c.WildcardAvailable = p.num == 1
	case idSubIDsAvailable:
		c.SubIDsAvailable = p.num == 1
	case idSharedAvailable:
		c.SharedAvailable = p.num == 1
	case idServerKeepAlive:
		c.ServerKeepAlive = p.uint16()
	default:
		return false
	}
	return true
}

func (c *ConnackProperties) setText(p *propertyReader) {
	switch p.id {
	case idAssignedClientID:
		c.AssignedClientID = string(p.text)
	case idReason:
		c.Reason = string(p.text)
	case idResponseInfo:
		c.ResponseInfo = string(p.text)
	case idServerReference:
		c.ServerReference = string(p.text)
	case idAuthMethod:
		c.AuthMethod = p.text
	case idAuthData:
		c.AuthData = p.text
	}
}

// DecodeDisconnect decodes a DISCONNECT into d. On v3 only a client sends one, and it is empty.
func DecodeDisconnect(f Frame, v Version, from Side, d *Disconnect) error {
	*d = Disconnect{}
	r := read(f, DISCONNECT, v)
	codes := disconnectCodesOfClient
	if from == FromServer {
		codes = disconnectCodesOfServer
	}
	if v != V5 {
		return r.finish()
	}
	if len(r.b) > 0 { // without it: normal disconnection (3.14.2.1)
		d.Code = r.code(codes)
	}
	if len(r.b) > 0 { // without it: no properties (3.14.2.2.1)
		d.properties(&r, from)
	}
	return r.finish()
}

func (d *Disconnect) properties(r *reader, from Side) {
	p := r.properties(disconnectProperties)
	for p.next(r) {
		switch p.id {
		case idSessionExpiry:
			d.HasSessionExpiry, d.SessionExpiry = true, p.num
		case idReason:
			d.Reason = string(p.text)
		case idServerReference:
			d.ServerReference = string(p.text)
		}
	}
	d.User = p.users()
	if from == FromServer && d.HasSessionExpiry {
		r.fail(CodeProtocolError, "a server does not send a Session Expiry Interval in it [MQTT-3.14.2-2]")
	}
	if from == FromClient && p.seen.Has(PropServerReference) {
		r.fail(CodeProtocolError, "a client does not send a Server Reference (3.14.2.2.5)")
	}
}

// DecodeAuth decodes an AUTH into a; on v3 there is none.
func DecodeAuth(f Frame, v Version, a *Auth) error {
	*a = Auth{}
	if v != V5 {
		return malformed(AUTH, "packet type 15 is reserved before MQTT 5 (2.2.1)")
	}
	r := read(f, AUTH, v)
	if len(r.b) == 0 && r.err == nil { // success, nothing to say (3.15.2.1)
		return nil
	}
	a.Code = r.code(authCodes)
	p := r.properties(authProperties)
	for p.next(&r) {
		switch p.id {
		case idAuthMethod:
			a.Method = p.text
		case idAuthData:
			a.Data = p.text
		case idReason:
			a.Reason = string(p.text)
		}
	}
	a.User = p.users()
	if !p.seen.Has(PropAuthMethod) {
		r.fail(CodeProtocolError, "it has no Authentication Method (3.15.2.2.2)")
	}
	return r.finish()
}
