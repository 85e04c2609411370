package gateway

import (
	"net"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// connectTimeout is how long a client may take to send CONNECT once it is let in.
const connectTimeout = 30 * time.Second

// open waits for CONNECT and answers it. It reports whether the connection lives.
func (c *conn) open() bool {
	_ = c.raw.SetReadDeadline(time.Now().Add(connectTimeout)) // the read that follows fails then
	f, err := c.firstPacket()
	if err != nil {
		c.refuseFirst(err)
		return false
	}
	var p mqtt.Connect
	if err := mqtt.DecodeConnect(f, &p); err != nil {
		c.version = versionOf(&p)
		c.out.speak(c.version, c.gateway.limits.PacketSize, p.Version == mqtt.V5)
		c.refuseConnect(err)
		return false
	}
	if err := c.connect(&p); err != nil {
		c.refuseConnect(err)
		return false
	}
	_ = c.raw.SetReadDeadline(time.Time{}) // the read that follows fails then
	if c.cause.Load() != nil {
		return false // it was ended meanwhile, and the deadline was that end's
	}
	c.heard.Store(c.gateway.now())
	c.gateway.wheel.add(c)
	return true
}

// versionOf is the version in which a broken CONNECT can be answered.
func versionOf(p *mqtt.Connect) mqtt.Version {
	if p.Level >= 5 {
		return mqtt.V5
	}
	return mqtt.V311
}

// firstPacket reads up to the end of the first packet, which stays in the buffer until connect is done with it.
func (c *conn) firstPacket() (mqtt.Frame, error) {
	for {
		f, n, err := mqtt.Next(c.rb.bytes(), c.gateway.limits.PacketSize)
		if err != nil {
			return f, err
		}
		if n > 0 {
			c.rb.advance(n)
			if f.Type() != mqtt.CONNECT {
				return f, clientError(mqtt.CodeProtocolError, "the first packet is "+f.Type().String()+", not CONNECT [MQTT-3.1.0-1]")
			}
			return f, nil
		}
		if c.rb.w == len(c.rb.buf) { // memory follows what came, not what was announced
			c.rb.room(min(mqtt.Need(c.rb.bytes()), 2*c.rb.w))
		}
		if err := c.rb.fill(c.src); err != nil {
			return f, err
		}
	}
}

// refuseFirst ends a connection that never became MQTT: there is nobody to answer.
func (c *conn) refuseFirst(err error) {
	cause := broker.Cause{Reason: broker.ClientError, Text: "no CONNECT: " + err.Error()}
	c.setCause(cause)
	c.gateway.noteRefused(c, cause, uuid.NewString())
}

// connect opens the session and answers with CONNACK.
func (c *conn) connect(p *mqtt.Connect) error {
	c.version = p.Version
	maxSize := 268_435_460 // the largest packet there is [MQTT-3.1.2-24]
	if p.Props.Has.Has(mqtt.PropMaximumPacketSize) {
		maxSize = int(p.Props.MaximumPacketSize)
	}
	c.out.speak(p.Version, maxSize, p.Version == mqtt.V5 && p.Props.RequestProblem)
	if err := c.checkConnect(p); err != nil {
		return err
	}
	assigned, err := c.chooseClientID(p)
	if err != nil {
		return err
	}
	c.out.window.maxCount, c.out.window.maxBytes = c.gateway.limits.SendMessages, c.gateway.limits.SendBytes
	if p.Version == mqtt.V5 {
		c.out.window.maxBytes = 1 << 30
		c.out.window.maxCount = int(p.Props.ReceiveMaximum)
		if most := c.gateway.limits.ReceiveMaximumCap; most > 0 {
			c.out.window.maxCount = min(c.out.window.maxCount, most)
		}
	}
	c.keepAlive = c.gateway.limits.KeepAlive(p.KeepAlive)
	if err := c.identify(); err != nil {
		return err
	}
	r, err := c.request(p)
	if err != nil {
		return err
	}
	session, present, err := c.gateway.broker.Connect(r)
	if err != nil {
		return err
	}
	c.rights.Lock()
	c.session = session
	c.rights.Unlock()
	c.flow = broker.NewLimiter(c.gateway.limits.Rates.BytesPerConn)
	c.out.greet(c.connack(p, present, assigned))
	c.gateway.noteConnected(c, p.CleanStart, r.Expiry)
	return nil
}

// request is the CONNECT for the broker. A will outlives the packet, so it is copied.
func (c *conn) request(p *mqtt.Connect) (r broker.ConnectRequest, err error) {
	r = broker.ConnectRequest{Caller: c.caller, CleanStart: p.CleanStart, Link: &c.out, Protocol: 3}
	if c.remote.IsValid() {
		r.SourceIP = c.remote.String()
	}
	r.Socket = broker.Socket{Source: endOf(c.raw.RemoteAddr()), Target: endOf(c.raw.LocalAddr()), KeepAlive: c.keepAlive}
	if c.identity != nil {
		if t := c.identity.Thing(c.clientID); t != nil && t.Exclusive {
			r.Thing = t.Name
		}
	}
	if p.Version == mqtt.V5 {
		r.Protocol = 5
		r.Expiry = seconds(p.Props.SessionExpiry)
	} else if !p.CleanStart {
		r.Expiry = c.gateway.limits.SessionExpiryMax
	}
	if p.HasWill {
		r.WillDelay = seconds(p.Will.Delay)
		r.Will, err = c.will(&p.Will)
	}
	return r, err
}

// endOf is one end of a connection, not valid where it has no address.
func endOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), tcp.AddrPort().Port())
	}
	return netip.AddrPort{}
}

func (c *conn) will(w *mqtt.Will) (m *broker.Message, err error) {
	m = &broker.Message{
		Topic: string(w.Topic), Payload: append([]byte(nil), w.Payload...), QoS: w.QoS, Retain: w.Retain,
	}
	if w.Props.Has.Has(mqtt.PropMessageExpiry) {
		m.Expiry = max(1, w.Props.MessageExpiry)
	}
	m.Props, err = c.properties(&w.Props)
	return m, err
}

// checkConnect refuses what AWS IoT Core does not do.
func (c *conn) checkConnect(p *mqtt.Connect) error {
	switch {
	case p.Props.Has.Has(mqtt.PropAuthMethod):
		return clientError(mqtt.CodeBadAuthenticationMethod, "enhanced authentication is not supported by AWS IoT Core")
	case p.Props.Has.Has(mqtt.PropMaximumPacketSize) && int(p.Props.MaximumPacketSize) < c.gateway.limits.MinMaximumPacket:
		return clientError(mqtt.CodePacketTooLarge, "Maximum Packet Size below 512")
	case len(p.Props.User) > c.gateway.limits.UserProperties:
		return c.checkUser(p.Props.User)
	case p.HasWill && p.Will.QoS > 1:
		return clientError(mqtt.CodeQoSNotSupported, "a will with QoS 2 is not supported by AWS IoT Core")
	}
	return nil
}

// chooseClientID takes the client's id, or gives one to a client that has none.
func (c *conn) chooseClientID(p *mqtt.Connect) (assigned bool, err error) {
	id := string(p.ClientID)
	switch {
	case len(id) > c.gateway.limits.ClientID:
		return false, errClientID("client id over 128 bytes")
	case id != "" && id[0] == '$':
		return false, errClientID("client id begins with $, which is reserved")
	case id != "":
		c.clientID = id
		return false, nil
	case p.Version != mqtt.V5 && !p.CleanStart:
		return false, errClientID("an empty client id needs a clean session [MQTT-3.1.3-8]")
	}
	c.clientID = "$GEN/" + uuid.NewString()
	return p.Version == mqtt.V5, nil
}

func errClientID(text string) error {
	return clientError(mqtt.CodeClientIDNotValid, text)
}

// identify makes the caller of the connection. A certificate's connection is registered first, so that no change of
// its rights is missed.
func (c *conn) identify() error {
	if c.ws != nil {
		return c.identifySigner()
	}
	if c.identity == nil {
		c.caller = c.gateway.anonymous(c.clientID)
		return nil
	}
	c.gateway.register(c)
	c.rights.Lock()
	defer c.rights.Unlock()
	id, err := c.gateway.registry.Identify(c.fingerprint)
	if err != nil {
		return err
	}
	c.identity = id
	c.caller = broker.NewCaller(id.CertificateID, c.clientID, id.PoliciesFor(c.clientID), id.Connection(c.clientID, c.remote, c.domain))
	return nil
}

// connack is the answer to a CONNECT that is accepted, with what AWS IoT Core always tells (message broker reference,
// "CONNACK on MQTT 5").
func (c *conn) connack(p *mqtt.Connect, present, assigned bool) *mqtt.Connack {
	l := c.gateway.limits
	a := &mqtt.Connack{SessionPresent: present}
	a.Props = mqtt.ConnackProperties{
		Has: mqtt.PropReceiveMaximum | mqtt.PropMaximumQoS | mqtt.PropRetainAvailable | mqtt.PropMaximumPacketSize |
			mqtt.PropTopicAliasMaximum | mqtt.PropWildcardAvailable | mqtt.PropSubIDsAvailable |
			mqtt.PropSharedAvailable | mqtt.PropServerKeepAlive,
		ReceiveMaximum:    uint16(l.ReceiveMaximum),
		MaximumQoS:        1,
		RetainAvailable:   true,
		MaximumPacketSize: uint32(l.PacketSize),
		TopicAliasMaximum: uint16(l.TopicAliases),
		WildcardAvailable: true,
		SharedAvailable:   true,
		ServerKeepAlive:   uint16(c.keepAlive / time.Second),
	}
	if p.Props.Has.Has(mqtt.PropSessionExpiry) {
		a.Props.Has |= mqtt.PropSessionExpiry
		a.Props.SessionExpiry = uint32(min(seconds(p.Props.SessionExpiry), l.SessionExpiryMax) / time.Second)
	}
	if assigned {
		a.Props.Has |= mqtt.PropAssignedClientID
		a.Props.AssignedClientID = c.clientID
	}
	return a
}

// refuseConnect answers a CONNECT that is not accepted: v5 with CONNACK and a reason, v3 with a return code where the
// packet itself is at fault and with nothing where AWS sends nothing.
func (c *conn) refuseConnect(err error) {
	cause := closeCause(err, opConnect)
	if own, ok := err.(broker.Cause); ok { //nolint:errorlint // made by clientError, never wrapped
		cause = own
	}
	c.setCause(cause)
	trace := uuid.NewString()
	c.gateway.noteRefused(c, cause, trace)
	code := mqtt.Code(cause.Code)
	if c.version != mqtt.V5 {
		switch code {
		case mqtt.CodeClientIDNotValid:
			code = mqtt.CodeV3IdentifierRejected
		case mqtt.CodeUnsupportedProtocolVersion:
			code = mqtt.CodeV3UnacceptableVersion
		default:
			return
		}
	}
	a := &mqtt.Connack{Code: code}
	if reason := c.reasonString("CONNACK:"+cause.Text, trace); reason != "" {
		a.Props.Has, a.Props.Reason = mqtt.PropReason, reason
	}
	c.out.refuse(a)
}

// rightsChanged follows a change of the certificate: new policies at once, or the end.
func (c *conn) rightsChanged() {
	c.rights.Lock()
	defer c.rights.Unlock()
	id, err := c.gateway.registry.Identify(c.fingerprint)
	if err != nil {
		c.fail(broker.Cause{Reason: broker.ServerInitiated, Code: byte(mqtt.CodeNotAuthorized), Text: err.Error()})
		return
	}
	if c.caller == nil {
		return // CONNECT will ask
	}
	c.caller.SetRights(id.PoliciesFor(c.clientID), id.Connection(c.clientID, c.remote, c.domain))
	if c.session != nil {
		c.session.Refresh()
	}
}
