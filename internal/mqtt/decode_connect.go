package mqtt

// The bits of the CONNECT flags (MQTT 5, 3.1.2.3).
const (
	flagReserved   = 0x01
	flagClean      = 0x02
	flagWill       = 0x04
	flagWillQoS    = 0x18
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUsername   = 0x80
)

const (
	connectProperties = PropSessionExpiry | PropReceiveMaximum | PropMaximumPacketSize | PropTopicAliasMaximum |
		PropRequestResponse | PropRequestProblem | PropAuthMethod | PropAuthData | PropUser
	willProperties = PropWillDelay | PropPayloadFormat | PropMessageExpiry | PropContentType | PropResponseTopic |
		PropCorrelationData | PropUser
)

// DecodeConnect decodes a CONNECT of any version into c. When it fails, c.Version is the version to answer in, 0 when
// that was not reached or is none of ours (CodeUnsupportedProtocolVersion), and c.Level is as sent.
func DecodeConnect(f Frame, c *Connect) error {
	*c = Connect{}
	r := read(f, CONNECT, 0)
	c.protocol(&r)
	if c.Version == V5 && f.padded {
		r.fail(CodeMalformedPacket, "its Remaining Length is not in its shortest form [MQTT-1.5.5-1]")
	}
	flags := r.byte("connect flags")
	checkConnectFlags(&r, c.Version, flags)
	c.CleanStart = flags&flagClean != 0
	c.HasWill = flags&flagWill != 0
	c.HasUsername = flags&flagUsername != 0
	c.HasPassword = flags&flagPassword != 0
	c.KeepAlive = r.uint16("keep alive")
	c.Props.ReceiveMaximum, c.Props.RequestProblem = 65535, true
	if c.Version == V5 {
		c.Props.decode(&r)
	}
	c.ClientID = r.text("client identifier")
	if c.HasWill {
		c.Will.decode(&r, c.Version, flags)
	}
	if c.HasUsername {
		c.Username = r.text("user name")
	}
	if c.HasPassword {
		c.Password = r.binary("password")
	}
	return r.finish()
}

// protocol reads name and level. Level 3 was called MQIsdp (MQTT 3.1); its packets are those of 3.1.1.
func (c *Connect) protocol(r *reader) {
	name := r.binary("protocol name")
	c.Level = r.byte("protocol level")
	switch {
	case r.err != nil:
	case string(name) == "MQTT" && c.Level == 4, string(name) == "MQIsdp" && c.Level == 3:
		c.Version = V311
	case string(name) == "MQTT" && c.Level == 5:
		c.Version = V5
	case string(name) == "MQTT" || string(name) == "MQIsdp":
		r.fail(CodeUnsupportedProtocolVersion, "its protocol level is unknown [MQTT-3.1.2-2]")
	default:
		r.fail(CodeUnsupportedProtocolVersion, "its protocol name is not MQTT [MQTT-3.1.2-1]")
	}
}

// checkConnectFlags judges the flags against each other (MQTT 5, 3.1.2.3 to 3.1.2.9).
func checkConnectFlags(r *reader, v Version, flags byte) {
	will := flags&flagWill != 0
	switch {
	case flags&flagReserved != 0:
		r.fail(CodeMalformedPacket, "the reserved bit of its flags is set [MQTT-3.1.2-3]")
	case !will && flags&flagWillQoS != 0:
		r.fail(CodeMalformedPacket, "it has a will QoS without a will [MQTT-3.1.2-11]")
	case !will && flags&flagWillRetain != 0:
		r.fail(CodeMalformedPacket, "it has will retain without a will [MQTT-3.1.2-13]")
	case flags&flagWillQoS == flagWillQoS:
		r.fail(CodeMalformedPacket, "its will QoS is 3 [MQTT-3.1.2-12]")
	case v == V311 && flags&flagPassword != 0 && flags&flagUsername == 0:
		r.fail(CodeMalformedPacket, "it has a password without a user name [MQTT-3.1.2-22]")
	}
}

func (c *ConnectProperties) decode(r *reader) {
	p := r.properties(connectProperties)
	for p.next(r) {
		switch p.id {
		case idSessionExpiry:
			c.SessionExpiry = p.num
		case idReceiveMaximum:
			c.ReceiveMaximum = p.uint16()
		case idMaximumPacketSize:
			c.MaximumPacketSize = p.num
		case idTopicAliasMaximum:
			c.TopicAliasMaximum = p.uint16()
		case idRequestResponse:
			c.RequestResponse = p.num == 1
		case idRequestProblem:
			c.RequestProblem = p.num == 1
		case idAuthMethod:
			c.AuthMethod = p.text
		case idAuthData:
			c.AuthData = p.text
		}
	}
	c.Has, c.User = p.seen, p.users()
	checkAuthData(r, c.Has)
}

// checkAuthData: data means nothing without a method (MQTT 5, 3.1.2.11.10).
func checkAuthData(r *reader, has PropertySet) {
	if has.Has(PropAuthData) && !has.Has(PropAuthMethod) {
		r.fail(CodeProtocolError, "it carries Authentication Data without a method (3.1.2.11.10)")
	}
}

// decode reads the will as it stands in the payload of CONNECT (MQTT 5, 3.1.3.2 to 3.1.3.4).
func (w *Will) decode(r *reader, v Version, flags byte) {
	w.QoS = flags & flagWillQoS >> 3
	w.Retain = flags&flagWillRetain != 0
	if v == V5 {
		p := r.properties(willProperties)
		for p.next(r) {
			if p.id == idWillDelay {
				w.Delay = p.num
				continue
			}
			w.Props.set(&p)
		}
		w.Props.Has, w.Props.User = p.seen.Without(PropWillDelay), p.users()
	}
	w.Topic = r.topicName("will topic")
	if len(w.Topic) == 0 {
		r.fail(CodeMalformedPacket, "its will topic is empty [MQTT-4.7.3-1]")
	}
	w.Payload = r.binary("will payload")
}
