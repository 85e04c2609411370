package mqtt

// Version is the protocol level of CONNECT. Level 3 (MQTT 3.1) is read as V311; see Connect.Level.
type Version uint8

// The versions Thingwire speaks.
const (
	V311 Version = 4
	V5   Version = 5
)

// Side says who sends a packet; some packets and properties are legal from one side only.
type Side uint8

// The two sides of a connection.
const (
	FromClient Side = iota
	FromServer
)

// Connect is a CONNECT packet. Its byte slices alias the frame it was decoded from.
type Connect struct {
	Level       byte // as sent: 3, 4 or 5
	Version     Version
	CleanStart  bool // v3: clean session
	KeepAlive   uint16
	ClientID    []byte
	HasUsername bool
	Username    []byte
	HasPassword bool
	Password    []byte
	HasWill     bool
	Will        Will
	Props       ConnectProperties
}

// Will is the will of a CONNECT: a message that the server publishes when the connection ends without DISCONNECT.
type Will struct {
	QoS     byte
	Retain  bool
	Topic   []byte
	Payload []byte
	Delay   uint32            // Will Delay Interval, seconds; 0 when absent
	Props   PublishProperties // without TopicAlias and SubscriptionIDs, which a will cannot have
}

// ConnectProperties are the properties of CONNECT (MQTT 5, 3.1.2.11). Has tells which were there, and which are to be
// written; User is written when it is not empty.
type ConnectProperties struct {
	Has               PropertySet
	SessionExpiry     uint32 // seconds
	ReceiveMaximum    uint16 // 65535 when absent
	MaximumPacketSize uint32 // 0 when absent: no limit
	TopicAliasMaximum uint16
	RequestResponse   bool
	RequestProblem    bool // true when absent
	AuthMethod        []byte
	AuthData          []byte
	User              UserProperties
}

// Connack is a CONNACK packet.
type Connack struct {
	SessionPresent bool
	Code           Code // v3: 0 to 5, and reason codes are translated on writing; v5: reason code
	Props          ConnackProperties
}

// ConnackProperties are the properties of CONNACK (MQTT 5, 3.2.2.3). Only those in Has are written, and User when it is
// not empty.
type ConnackProperties struct {
	Has               PropertySet
	SessionExpiry     uint32
	ReceiveMaximum    uint16
	MaximumQoS        byte
	RetainAvailable   bool
	MaximumPacketSize uint32
	AssignedClientID  string
	TopicAliasMaximum uint16
	Reason            string
	WildcardAvailable bool
	SubIDsAvailable   bool
	SharedAvailable   bool
	ServerKeepAlive   uint16
	ResponseInfo      string
	ServerReference   string
	AuthMethod        []byte
	AuthData          []byte
	User              UserProperties
}

// Publish is a PUBLISH packet. Its byte slices alias the frame it was decoded from.
type Publish struct {
	Dup      bool
	QoS      byte
	Retain   bool
	PacketID uint16 // 0 at QoS 0
	Topic    []byte // may be empty on v5, when an alias stands for it
	Payload  []byte
	Props    PublishProperties
}

// PublishProperties are the properties of PUBLISH and of a will (MQTT 5, 3.3.2.3). Only those in Has are written, but
// User and SubscriptionIDs whenever they are not empty.
type PublishProperties struct {
	Has             PropertySet
	PayloadFormat   byte // 0 unspecified bytes, 1 UTF-8
	MessageExpiry   uint32
	TopicAlias      uint16
	ContentType     []byte
	ResponseTopic   []byte
	CorrelationData []byte
	User            UserProperties
	SubscriptionIDs []uint32 // server to client only; allocated
}

// Ack is PUBACK, PUBREC, PUBREL or PUBCOMP; everything but type and packet id exists on v5 only.
type Ack struct {
	Type     Type
	PacketID uint16
	Code     Code
	Reason   string
	User     UserProperties
}

// Subscribe is a SUBSCRIBE packet.
type Subscribe struct {
	PacketID       uint16
	SubscriptionID uint32 // 0 when absent
	User           UserProperties
	Filters        []SubscribeFilter
}

// SubscribeFilter is one topic filter of a SUBSCRIBE with its options (MQTT 5, 3.8.3.1).
type SubscribeFilter struct {
	Filter            []byte // aliases the frame
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
}

// Suback is a SUBACK packet: one code per filter of the SUBSCRIBE, in its order. On v3 every refusal is written as 0x80.
type Suback struct {
	PacketID uint16
	Codes    []Code
	Reason   string
	User     UserProperties
}

// Unsubscribe is an UNSUBSCRIBE packet.
type Unsubscribe struct {
	PacketID uint16
	User     UserProperties
	Filters  [][]byte // alias the frame
}

// Unsuback is an UNSUBACK packet; Codes is empty on v3.
type Unsuback struct {
	PacketID uint16
	Codes    []Code
	Reason   string
	User     UserProperties
}

// Disconnect is a DISCONNECT packet; everything but the type exists on v5 only.
type Disconnect struct {
	Code             Code
	HasSessionExpiry bool
	SessionExpiry    uint32
	Reason           string
	ServerReference  string
	User             UserProperties
}

// Auth is an AUTH packet (v5 only). Method is nil only in the short form, an AUTH of nothing but its type.
type Auth struct {
	Code   Code
	Method []byte
	Data   []byte
	Reason string
	User   UserProperties
}

// Ping is PINGREQ or PINGRESP.
type Ping struct{ Type Type }
