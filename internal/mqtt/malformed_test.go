package mqtt

import (
	"errors"
	"strings"
	"testing"
)

// Every way to break a packet that the standards name, with the code they want it answered with and a word of the rule.
var malformedCases = []struct {
	wire string // in the notation of wire
	v    Version
	from Side
	code Code
	rule string
}{
	// CONNECT.
	{"10 $MQTX 04 02 00 3C $dev", V311, FromClient, 0x84, "name is not MQTT"},
	{"10 $ 04 02 00 3C $dev", V311, FromClient, 0x84, "name is not MQTT"},
	{"10 $MQTT 03 02 00 3C $dev", V311, FromClient, 0x84, "level is unknown"},
	{"10 $MQTT 06 02 00 3C ( ) $dev", V5, FromClient, 0x84, "level is unknown"},
	{"10 $MQTT 84 02 00 3C $dev", V311, FromClient, 0x84, "level is unknown"},
	{"10 $MQIsdp 04 02 00 3C $dev", V311, FromClient, 0x84, "level is unknown"},
	{"10 $MQTT", V311, FromClient, 0x81, "middle of the protocol level"},
	{"10 $MQTT 04", V311, FromClient, 0x81, "middle of the connect flags"},
	{"10 $MQTT 04 03 00 3C $dev", V311, FromClient, 0x81, "reserved bit"},
	{"10 $MQTT 04 0A 00 3C $dev", V311, FromClient, 0x81, "will QoS without a will"},
	{"10 $MQTT 05 22 00 3C ( ) $dev", V5, FromClient, 0x81, "will retain without a will"},
	{"10 $MQTT 05 1E 00 3C ( ) $dev ( ) $w $x", V5, FromClient, 0x81, "will QoS is 3"},
	{"10 $MQTT 04 42 00 3C $dev $pw", V311, FromClient, 0x81, "password without a user name"},
	{"10 $MQTT 04 02 00", V311, FromClient, 0x81, "middle of the keep alive"},
	{"10 $MQTT 04 02 00 3C", V311, FromClient, 0x81, "middle of the client identifier"},
	{"10 $MQTT 04 02 00 3C 00 04 'dev", V311, FromClient, 0x81, "middle of the client identifier"},
	{"10 $MQTT 04 02 00 3C 00 01 00", V311, FromClient, 0x81, "client identifier is not well-formed"},
	{"10 $MQTT 04 02 00 3C 00 01 FF", V311, FromClient, 0x81, "client identifier is not well-formed"},
	{"10 $MQTT 04 06 00 3C $dev $ $x", V311, FromClient, 0x81, "will topic is empty"},
	{"10 $MQTT 04 06 00 3C $dev $w/# $x", V311, FromClient, 0x90, "will topic contains a wildcard"},
	{"10 $MQTT 04 06 00 3C $dev $w", V311, FromClient, 0x81, "middle of the will payload"},
	{"10 $MQTT 04 82 00 3C $dev", V311, FromClient, 0x81, "middle of the user name"},
	{"10 $MQTT 04 82 00 3C $dev 00 02 C0 80", V311, FromClient, 0x81, "user name is not well-formed"},
	{"10 $MQTT 04 C2 00 3C $dev $u", V311, FromClient, 0x81, "middle of the password"},
	{"10 $MQTT 04 02 00 3C $dev 00", V311, FromClient, 0x81, "bytes behind its end"},
	{"10 $MQTT 05 02 00 3C", V5, FromClient, 0x81, "middle of the property length"},
	{"10 $MQTT 05 02 00 3C 05 21 00 01 00 01", V5, FromClient, 0x81, "property that does not exist"},
	{"10 $MQTT 05 02 00 3C 03 21 00 01 00 01", V5, FromClient, 0x81, "middle of the client identifier"},
	{"10 $MQTT 05 02 00 3C 06 $dev", V5, FromClient, 0x81, "behind its end"},
	{"10 $MQTT 05 02 00 3C ( 21 00 00 ) $dev", V5, FromClient, 0x82, "Receive Maximum is 0"},
	{"10 $MQTT 05 02 00 3C ( 27 00 00 00 00 ) $dev", V5, FromClient, 0x82, "Maximum Packet Size is 0"},
	{"10 $MQTT 05 02 00 3C ( 17 02 ) $dev", V5, FromClient, 0x82, "Request Problem Information is neither"},
	{"10 $MQTT 05 02 00 3C ( 19 FF ) $dev", V5, FromClient, 0x82, "Request Response Information is neither"},
	{"10 $MQTT 05 02 00 3C ( 16 $D ) $dev", V5, FromClient, 0x82, "without a method"},
	{"10 $MQTT 05 02 00 3C ( 11 00 00 00 01 11 00 00 00 01 ) $dev", V5, FromClient, 0x82, "Session Expiry Interval twice"},
	{"10 $MQTT 05 02 00 3C ( 18 00 00 00 01 ) $dev", V5, FromClient, 0x81, "may not carry the property Will Delay"},
	{"10 $MQTT 05 06 00 3C ( ) $dev ( 23 00 01 ) $w $", V5, FromClient, 0x81, "may not carry the property Topic Alias"},
	{"10 $MQTT 05 06 00 3C ( ) $dev ( 0B 01 ) $w $", V5, FromClient, 0x81, "may not carry the property Subscription"},
	{"10 $MQTT 05 06 00 3C ( ) $dev ( 01 02 ) $w $", V5, FromClient, 0x82, "Payload Format Indicator is neither"},
	{"10 $MQTT 05 02 00 3C ( ) $dev", V5, FromServer, 0x82, "server does not send it"},

	// Property sections of any packet.
	{"30 $a", V5, FromClient, 0x81, "middle of the property length"},
	{"30 $a 80", V5, FromClient, 0x81, "middle of the property length"},
	{"30 $a 80 00 'x", V5, FromClient, 0x81, "property length is not in its shortest form"},
	{"30 $a FF FF FF FF 7F", V5, FromClient, 0x81, "property length is longer than four bytes"},
	{"30 $a 03 01 01", V5, FromClient, 0x81, "property length reaches behind"},
	{"30 $a 01 01 01", V5, FromClient, 0x81, "middle of the Payload Format Indicator"},
	{"30 $a ( 00 00 )", V5, FromClient, 0x81, "property that does not exist"},
	{"30 $a ( 04 00 )", V5, FromClient, 0x81, "property that does not exist"},
	{"30 $a ( 2B 00 )", V5, FromClient, 0x81, "property that does not exist"},
	{"30 $a ( FF 00 )", V5, FromClient, 0x81, "property that does not exist"},
	{"30 $a ( 11 00 00 00 01 )", V5, FromClient, 0x81, "may not carry the property Session Expiry"},
	{"30 $a ( 03 00 05 'abc )", V5, FromClient, 0x81, "middle of the Content Type"},
	{"30 $a ( 03 00 02 C3 28 )", V5, FromClient, 0x81, "Content Type is not well-formed"},
	{"30 $a ( 26 $k )", V5, FromClient, 0x81, "middle of the value of a User Property"},
	{"30 $a ( 26 00 01 FF $v )", V5, FromClient, 0x81, "name of a User Property is not well-formed"},
	{"30 $a ( 26 $k 00 01 00 )", V5, FromClient, 0x81, "value of a User Property is not well-formed"},
	{"30 $a ( 01 00 01 00 )", V5, FromClient, 0x82, "Payload Format Indicator twice"},
	{"30 $a ( 01 02 )", V5, FromClient, 0x82, "Payload Format Indicator is neither"},

	// PUBLISH.
	{"30", V311, FromClient, 0x81, "middle of the topic name"},
	{"30 00 05 'abc", V311, FromClient, 0x81, "middle of the topic name"},
	{"30 $ 'x", V311, FromClient, 0x81, "topic name is empty"},
	{"30 $ ( ) 'x", V5, FromClient, 0x81, "topic name is empty"},
	{"30 $a/+/b 'x", V311, FromClient, 0x90, "topic name contains a wildcard"},
	{"30 $averylongtopic/# ( ) 'x", V5, FromClient, 0x90, "topic name contains a wildcard"},
	{"30 00 03 61 00 62 'x", V311, FromClient, 0x81, "topic name is not well-formed"},
	{"30 00 03 ED A0 80 'x", V311, FromClient, 0x81, "topic name is not well-formed"}, // a surrogate
	{"30 00 02 C0 AF ( ) 'x", V5, FromClient, 0x81, "topic name is not well-formed"},  // an overlong /
	{"32 $a", V311, FromClient, 0x81, "middle of the packet identifier"},
	{"32 $a 00 00 'x", V311, FromClient, 0x82, "packet identifier is 0"},
	{"32 $a 00 00 ( ) 'x", V5, FromClient, 0x82, "packet identifier is 0"},
	{"30 $a ( 23 00 00 )", V5, FromClient, 0x94, "Topic Alias is 0"},
	{"30 $a ( 23 00 01 23 00 01 )", V5, FromClient, 0x82, "Topic Alias twice"},
	{"30 $a ( 08 $r/+ )", V5, FromClient, 0x90, "Response Topic contains a wildcard"},
	{"30 $a ( 08 $ )", V5, FromClient, 0x82, "Response Topic is empty"},
	{"30 $a ( 0B 01 )", V5, FromClient, 0x82, "client does not send a Subscription Identifier"},
	{"30 $a ( 0B 00 )", V5, FromServer, 0x82, "Subscription Identifier is 0"},
	{"30 $a ( 0B 81 00 )", V5, FromServer, 0x81, "Subscription Identifier is not in its shortest form"},

	// PUBACK and its kin.
	{"40", V311, FromClient, 0x81, "middle of the packet identifier"},
	{"40 01", V5, FromClient, 0x81, "middle of the packet identifier"},
	{"40 00 00", V311, FromClient, 0x82, "packet identifier is 0"},
	{"40 00 01 00", V311, FromClient, 0x81, "bytes behind its end"},
	{"40 00 01 01", V5, FromClient, 0x82, "may not carry the reason code granted QoS 1"},
	{"40 00 01 00 01", V5, FromClient, 0x81, "property length reaches behind"},
	{"40 00 01 00 ( ) 00", V5, FromClient, 0x81, "bytes behind its end"},
	{"40 00 01 00 ( 1F $a 1F $b )", V5, FromClient, 0x82, "Reason String twice"},
	{"40 00 01 00 ( 01 00 )", V5, FromClient, 0x81, "may not carry the property"},
	{"50 00 01 92", V5, FromClient, 0x82, "may not carry the reason code packet identifier not found"},
	{"62 00 01 10", V5, FromClient, 0x82, "may not carry the reason code no matching"},

	// SUBSCRIBE and UNSUBSCRIBE.
	{"82 00 01", V311, FromClient, 0x82, "no topic filter"},
	{"82 00 01 ( )", V5, FromClient, 0x82, "no topic filter"},
	{"82 00 00 $a 00", V311, FromClient, 0x82, "packet identifier is 0"},
	{"82 00 01 $a", V311, FromClient, 0x81, "middle of the subscription options"},
	{"82 00 01 $ 00", V311, FromClient, 0x81, "topic filter is empty"},
	{"82 00 01 00 01 00 00", V311, FromClient, 0x81, "topic filter is not well-formed"},
	{"82 00 01 $a 03", V311, FromClient, 0x82, "requested QoS is 3"},
	{"82 00 01 $a 04", V311, FromClient, 0x81, "reserved bits"},
	{"82 00 01 ( ) $a 03", V5, FromClient, 0x82, "requested QoS is 3"},
	{"82 00 01 ( ) $a 40", V5, FromClient, 0x81, "reserved bits"},
	{"82 00 01 ( ) $a 80", V5, FromClient, 0x81, "reserved bits"},
	{"82 00 01 ( ) $a 30", V5, FromClient, 0x82, "Retain Handling is 3"},
	{"82 00 01 ( ) $$share/g/a 04", V5, FromClient, 0x82, "No Local is set on a shared"},
	{"82 00 01 ( 0B 00 ) $a 00", V5, FromClient, 0x82, "Subscription Identifier is 0"},
	{"82 00 01 ( 0B 01 0B 02 ) $a 00", V5, FromClient, 0x82, "Subscription Identifier twice"},
	{"82 00 01 ( ) $a 00", V5, FromServer, 0x82, "server does not send it"},
	{"A2 00 01", V311, FromClient, 0x82, "no topic filter"},
	{"A2 00 01 ( )", V5, FromClient, 0x82, "no topic filter"},
	{"A2 00 00 $a", V311, FromClient, 0x82, "packet identifier is 0"},
	{"A2 00 01 $", V311, FromClient, 0x81, "topic filter is empty"},
	{"A2 00 01 00 02 'a", V311, FromClient, 0x81, "middle of the topic filter"},
	{"A2 00 01 ( 0B 01 ) $a", V5, FromClient, 0x81, "may not carry the property Subscription"},

	// DISCONNECT, AUTH.
	{"E0 00", V311, FromClient, 0x81, "bytes behind its end"},
	{"E0", V311, FromServer, 0x82, "server does not send it"},
	{"E0 8B", V5, FromClient, 0x82, "may not carry the reason code server shutting down"},
	{"E0 04", V5, FromServer, 0x82, "may not carry the reason code disconnect with will"},
	{"E0 00 ( 11 00 00 00 01 )", V5, FromServer, 0x82, "server does not send a Session Expiry"},
	{"E0 00 ( 1C $other )", V5, FromClient, 0x82, "client does not send a Server Reference"},
	{"E0 00 ( ) 00", V5, FromClient, 0x81, "bytes behind its end"},
	{"E0 00 ( 21 00 01 )", V5, FromClient, 0x81, "may not carry the property"},
	{"F0", V311, FromClient, 0x81, "reserved before MQTT 5"},
	{"F0 18", V5, FromClient, 0x81, "middle of the property length"},
	{"F0 18 ( )", V5, FromClient, 0x82, "no Authentication Method"},
	{"F0 18 ( 16 $D )", V5, FromClient, 0x82, "no Authentication Method"},
	{"F0 80 ( 15 $M )", V5, FromClient, 0x82, "may not carry the reason code"},

	// What only a server sends.
	{"20 02 00", V311, FromServer, 0x81, "reserved bits"},
	{"20 00 06", V311, FromServer, 0x82, "may not carry the reason code"},
	{"20 01 05", V311, FromServer, 0x82, "refuses and says that a session is present"},
	{"20 00 00 00", V311, FromServer, 0x81, "bytes behind its end"},
	{"20 00 01 ( )", V5, FromServer, 0x82, "may not carry the reason code"},
	{"20 00 00", V5, FromServer, 0x81, "middle of the property length"},
	{"20 00 00 ( 24 02 )", V5, FromServer, 0x82, "Maximum QoS is neither"},
	{"20 00 00 ( 21 00 00 )", V5, FromServer, 0x82, "Receive Maximum is 0"},
	{"20 00 00 ( 16 $D )", V5, FromServer, 0x82, "without a method"},
	{"20 00 00", V311, FromClient, 0x82, "client does not send it"},
	{"90 00 01", V311, FromServer, 0x82, "no reason codes"},
	{"90 00 01 03", V311, FromServer, 0x82, "may not carry the reason code"},
	{"90 00 01 ( ) 03", V5, FromServer, 0x82, "may not carry the reason code"},
	{"90 00 01 00", V311, FromClient, 0x82, "client does not send it"},
	{"B0 00 01 00", V311, FromServer, 0x81, "bytes behind its end"},
	{"B0 00 01 ( )", V5, FromServer, 0x82, "no reason codes"},
	{"B0 00 01 ( ) 01", V5, FromServer, 0x82, "may not carry the reason code"},
	{"D0", V5, FromClient, 0x82, "client does not send it"},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range malformedCases {
		t.Run(c.wire, func(t *testing.T) {
			_, err := Decode(frameOf(t, wire(t, c.wire)), c.v, c.from)
			wantError(t, err, c.code, c.rule)
		})
	}
}

// Every packet of the table, cut short anywhere in its body, is refused or is another legal packet; it never panics
// and never reads on.
func TestDecodeCutShort(t *testing.T) {
	for _, c := range packetCases {
		f := frameOf(t, wire(t, c.wire))
		for n := range f.Body {
			cut := Frame{Header: f.Header, Body: f.Body[:n:n]}
			p, err := Decode(cut, c.v, c.from)
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("%s cut to %d bytes: %v is not an *Error", c.title(), n, err)
				}
				continue
			}
			b := Append(nil, c.v, p)
			if len(b) > 2+n+3 {
				t.Errorf("%s cut to %d bytes became % X", c.title(), n, b)
			}
		}
	}
}

// The version of the answer is known even when the rest of a CONNECT is refused.
func TestDecodeConnectTellsTheVersion(t *testing.T) {
	for _, c := range []struct {
		wire    string
		version Version
		level   byte
	}{
		{"10 $MQTT 05 03 00 00 ( ) $", V5, 5},
		{"10 $MQTT 04 03 00 00 $", V311, 4},
		{"10 $MQIsdp 03 03 00 00 $", V311, 3},
		{"10 $MQTT 07 03 00 00 $", 0, 7},
		{"10 $HTTP 01 03 00 00 $", 0, 1},
	} {
		var got Connect
		if err := DecodeConnect(frameOf(t, wire(t, c.wire)), &got); err == nil {
			t.Errorf("%s was accepted", c.wire)
		}
		if got.Version != c.version || got.Level != c.level {
			t.Errorf("%s: version %d, level %d, want %d, %d", c.wire, got.Version, got.Level, c.version, c.level)
		}
	}
}

// MQTT 5 forbids a Remaining Length longer than it needs to be, 3.1.1 does not mention it.
func TestPaddedRemainingLength(t *testing.T) {
	for _, c := range []struct {
		wire  string
		v     Version
		legal bool
	}{
		{"C0 80 00", V311, true},
		{"C0 80 00", V5, false},
		{"40 82 80 80 00 00 01", V311, true},
		{"40 82 00 00 01", V5, false},
		{"10 8F 00 00 04 4D 51 54 54 04 02 00 3C 00 03 64 65 76", V311, true},
		{"10 90 00 00 04 4D 51 54 54 05 02 00 3C 00 00 03 64 65 76", V5, false},
		{"E0 80 00", V5, false},
		{"F0 80 00", V5, false},
	} {
		_, err := Decode(frameOf(t, raw(t, c.wire)), c.v, FromClient)
		if c.legal && err != nil {
			t.Errorf("v%d %s: %v", c.v, c.wire, err)
		}
		if !c.legal {
			wantError(t, err, CodeMalformedPacket, "Remaining Length is not in its shortest form")
		}
	}
}

// A typed decoder that is handed another packet refuses it instead of misreading it.
func TestTypedDecodersRefuseOthers(t *testing.T) {
	f := frameOf(t, wire(t, "32 $a 00 01 ( )"))
	for name, err := range map[string]error{
		"Connect":     DecodeConnect(f, new(Connect)),
		"Connack":     DecodeConnack(f, V5, new(Connack)),
		"Publish":     DecodePublish(Frame{Header: 0xC0}, V5, FromClient, new(Publish)),
		"Ack":         DecodeAck(f, V5, new(Ack)),
		"Subscribe":   DecodeSubscribe(f, V5, new(Subscribe)),
		"Suback":      DecodeSuback(f, V5, new(Suback)),
		"Unsubscribe": DecodeUnsubscribe(f, V5, new(Unsubscribe)),
		"Unsuback":    DecodeUnsuback(f, V5, new(Unsuback)),
		"Disconnect":  DecodeDisconnect(f, V5, FromClient, new(Disconnect)),
		"Auth":        DecodeAuth(f, V5, new(Auth)),
	} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeProtocolError {
			t.Errorf("Decode%s: %v", name, err)
		}
	}
}

func wantError(t *testing.T, err error, code Code, rule string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		t.Errorf("err = %v, want an *Error with %v", err, code)
	case e.Code != code || !strings.Contains(e.Rule, rule):
		t.Errorf("err = %v (0x%02X), want 0x%02X: …%s…", err, byte(e.Code), byte(code), rule)
	}
}
