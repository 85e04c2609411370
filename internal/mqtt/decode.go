package mqtt

// Decode decodes any packet into a struct of its own. It is for tests and for tools that read few packets; a
// connection calls the typed functions, which need not allocate. A CONNECT tells its version itself. The error is an
// *Error; the packet beside it is what was understood until then.
func Decode(f Frame, v Version, from Side) (Packet, error) {
	if e := checkHeader(f.Header); e != nil {
		return nil, e
	}
	if err := checkSender(f.Type(), v, from); err != nil {
		return nil, err
	}
	switch f.Type() {
	case CONNECT:
		p := new(Connect)
		return p, DecodeConnect(f, p)
	case CONNACK:
		p := new(Connack)
		return p, DecodeConnack(f, v, p)
	case PUBLISH:
		p := new(Publish)
		return p, DecodePublish(f, v, from, p)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		p := new(Ack)
		return p, DecodeAck(f, v, p)
	case SUBSCRIBE:
		p := new(Subscribe)
		return p, DecodeSubscribe(f, v, p)
	case SUBACK:
		p := new(Suback)
		return p, DecodeSuback(f, v, p)
	case UNSUBSCRIBE:
		p := new(Unsubscribe)
		return p, DecodeUnsubscribe(f, v, p)
	case UNSUBACK:
		p := new(Unsuback)
		return p, DecodeUnsuback(f, v, p)
	case PINGREQ, PINGRESP:
		r := read(f, f.Type(), v)
		return &Ping{Type: f.Type()}, r.finish()
	case DISCONNECT:
		p := new(Disconnect)
		return p, DecodeDisconnect(f, v, from, p)
	case AUTH:
		p := new(Auth)
		return p, DecodeAuth(f, v, p)
	}
	return nil, malformed(f.Type(), "no such type")
}

// checkSender refuses a packet that this side never sends (MQTT 5, table 2-1). A connection asks its own switch over
// types instead.
func checkSender(t Type, v Version, from Side) error {
	ofClient := t == CONNECT || t == SUBSCRIBE || t == UNSUBSCRIBE || t == PINGREQ || t == DISCONNECT && v != V5
	ofServer := t == CONNACK || t == SUBACK || t == UNSUBACK || t == PINGRESP
	if ofClient && from == FromServer {
		return violation(t, "a server does not send it (2.1.2)")
	}
	if ofServer && from == FromClient {
		return violation(t, "a client does not send it (2.1.2)")
	}
	return nil
}
