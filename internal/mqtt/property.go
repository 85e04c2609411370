package mqtt

import "strings"

// PropertySet is a set of properties of MQTT 5, a bit for each. The Prop constants are sets of one.
type PropertySet uint64

// The identifiers of properties on the wire (MQTT 5, 2.2.2.2).
const (
	idPayloadFormat     = 0x01
	idMessageExpiry     = 0x02
	idContentType       = 0x03
	idResponseTopic     = 0x08
	idCorrelationData   = 0x09
	idSubscriptionID    = 0x0B
	idSessionExpiry     = 0x11
	idAssignedClientID  = 0x12
	idServerKeepAlive   = 0x13
	idAuthMethod        = 0x15
	idAuthData          = 0x16
	idRequestProblem    = 0x17
	idWillDelay         = 0x18
	idRequestResponse   = 0x19
	idResponseInfo      = 0x1A
	idServerReference   = 0x1C
	idReason            = 0x1F
	idReceiveMaximum    = 0x21
	idTopicAliasMaximum = 0x22
	idTopicAlias        = 0x23
	idMaximumQoS        = 0x24
	idRetainAvailable   = 0x25
	idUser              = 0x26
	idMaximumPacketSize = 0x27
	idWildcardAvailable = 0x28
	idSubIDsAvailable   = 0x29
	idSharedAvailable   = 0x2A
)

// The 27 properties of MQTT 5.
const (
	PropPayloadFormat     PropertySet = 1 << idPayloadFormat
	PropMessageExpiry     PropertySet = 1 << idMessageExpiry
	PropContentType       PropertySet = 1 << idContentType
	PropResponseTopic     PropertySet = 1 << idResponseTopic
	PropCorrelationData   PropertySet = 1 << idCorrelationData
	PropSubscriptionID    PropertySet = 1 << idSubscriptionID
	PropSessionExpiry     PropertySet = 1 << idSessionExpiry
	PropAssignedClientID  PropertySet = 1 << idAssignedClientID
	PropServerKeepAlive   PropertySet = 1 << idServerKeepAlive
	PropAuthMethod        PropertySet = 1 << idAuthMethod
	PropAuthData          PropertySet = 1 << idAuthData
	PropRequestProblem    PropertySet = 1 << idRequestProblem
	PropWillDelay         PropertySet = 1 << idWillDelay
	PropRequestResponse   PropertySet = 1 << idRequestResponse
	PropResponseInfo      PropertySet = 1 << idResponseInfo
	PropServerReference   PropertySet = 1 << idServerReference
	PropReason            PropertySet = 1 << idReason
	PropReceiveMaximum    PropertySet = 1 << idReceiveMaximum
	PropTopicAliasMaximum PropertySet = 1 << idTopicAliasMaximum
	PropTopicAlias        PropertySet = 1 << idTopicAlias
	PropMaximumQoS        PropertySet = 1 << idMaximumQoS
	PropRetainAvailable   PropertySet = 1 << idRetainAvailable
	PropUser              PropertySet = 1 << idUser
	PropMaximumPacketSize PropertySet = 1 << idMaximumPacketSize
	PropWildcardAvailable PropertySet = 1 << idWildcardAvailable
	PropSubIDsAvailable   PropertySet = 1 << idSubIDsAvailable
	PropSharedAvailable   PropertySet = 1 << idSharedAvailable
)

// Has reports whether all properties of p are in s.
func (s PropertySet) Has(p PropertySet) bool { return s&p == p }

// With is s with the properties of p.
func (s PropertySet) With(p PropertySet) PropertySet { return s | p }

// Without is s without the properties of p.
func (s PropertySet) Without(p PropertySet) PropertySet { return s &^ p }

// String lists the names of the properties.
func (s PropertySet) String() string {
	var names []string
	for id := range properties {
		if s&(1<<id) != 0 && properties[id].name != "" {
			names = append(names, properties[id].name)
		}
	}
	return strings.Join(names, ", ")
}

// kind is the data type of a property, with the range of its values.
type kind uint8

const (
	kindNone    kind = iota // no such property
	kindBool                // one byte, 0 or 1
	kindU16                 // two bytes
	kindU16Some             // two bytes, not 0
	kindAlias               // two bytes, not 0; its own reason code
	kindU32                 // four bytes
	kindU32Some             // four bytes, not 0
	kindVarint              // variable byte integer, not 0
	kindText                // UTF-8 string
	kindTopic               // UTF-8 string that is a topic name
	kindBinary              // binary data
	kindPair                // UTF-8 string pair
)

// properties is table 2-4 of MQTT 5, 2.2.2.2; the ranges come from the section of each property.
var properties = [...]struct {
	name string
	kind kind
}{
	idPayloadFormat:     {"Payload Format Indicator", kindBool},
	idMessageExpiry:     {"Message Expiry Interval", kindU32},
	idContentType:       {"Content Type", kindText},
	idResponseTopic:     {"Response Topic", kindTopic},
	idCorrelationData:   {"Correlation Data", kindBinary},
	idSubscriptionID:    {"Subscription Identifier", kindVarint},
	idSessionExpiry:     {"Session Expiry Interval", kindU32},
	idAssignedClientID:  {"Assigned Client Identifier", kindText},
	idServerKeepAlive:   {"Server Keep Alive", kindU16},
	idAuthMethod:        {"Authentication Method", kindText},
	idAuthData:          {"Authentication Data", kindBinary},
	idRequestProblem:    {"Request Problem Information", kindBool},
	idWillDelay:         {"Will Delay Interval", kindU32},
	idRequestResponse:   {"Request Response Information", kindBool},
	idResponseInfo:      {"Response Information", kindText},
	idServerReference:   {"Server Reference", kindText},
	idReason:            {"Reason String", kindText},
	idReceiveMaximum:    {"Receive Maximum", kindU16Some},
	idTopicAliasMaximum: {"Topic Alias Maximum", kindU16},
	idTopicAlias:        {"Topic Alias", kindAlias},
	idMaximumQoS:        {"Maximum QoS", kindBool},
	idRetainAvailable:   {"Retain Available", kindBool},
	idUser:              {"User Property", kindPair},
	idMaximumPacketSize: {"Maximum Packet Size", kindU32Some},
	idWildcardAvailable: {"Wildcard Subscription Available", kindBool},
	idSubIDsAvailable:   {"Subscription Identifier Available", kindBool},
	idSharedAvailable:   {"Shared Subscription Available", kindBool},
}
