package mqtt

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// same leaves the difference between nil and empty to those who asked for it: it cannot be seen on the wire, but for
// the method of AUTH.
var same = cmpopts.EquateEmpty()

func (c packetCase) title() string { return fmt.Sprintf("v%d %s", c.v, c.name) }

func TestDecode(t *testing.T) {
	for _, c := range packetCases {
		t.Run(c.title(), func(t *testing.T) {
			got, err := Decode(frameOf(t, wire(t, c.wire)), c.v, c.from)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.packet, got, same); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	for _, c := range packetCases {
		t.Run(c.title(), func(t *testing.T) {
			before := []byte("before")
			got := Append(before, c.v, c.packet)
			if d := cmp.Diff(append([]byte("before"), wire(t, c.wire)...), got); d != "" {
				t.Error(d)
			}
			p, ok := c.packet.(*Publish)
			if !ok {
				return
			}
			if n := PublishSize(c.v, p); n != len(got)-len(before) {
				t.Errorf("PublishSize = %d, want %d", n, len(got)-len(before))
			}
		})
	}
}

// What cannot be said on v3, or cannot be said at all, is left away or translated; nothing of it breaks the packet.
func TestAppendTranslates(t *testing.T) {
	for _, c := range []struct {
		name   string
		v      Version
		packet Packet
		wire   string
	}{
		{"properties on v3", V311, &Publish{
			Topic: []byte("a"), Payload: []byte("x"), Props: PublishProperties{
				Has: PropPayloadFormat, User: users("k", "v"), SubscriptionIDs: []uint32{1},
			},
		}, "30 $a 'x"},
		{"properties that are not of PUBLISH", V5, &Publish{
			Topic: []byte("a"), Props: PublishProperties{Has: PropWillDelay | PropReason | PropUser},
		}, "30 $a ( )"},
		{"subscription ids in a will", V5, &Connect{HasWill: true, Will: Will{
			Topic: []byte("a"), Props: PublishProperties{Has: PropTopicAlias, SubscriptionIDs: []uint32{1}},
		}}, "10 $MQTT 05 04 00 00 ( ) $ ( ) $a $"},
		{"level of v5 from a v3 struct", V5, &Connect{Level: 3}, "10 $MQTT 05 00 00 00 ( ) $"},
		{"puback code on v3", V311, &Ack{Type: PUBACK, PacketID: 1, Code: CodeNotAuthorized, Reason: "no"}, "40 00 01"},
		{"suback codes on v3", V311, &Suback{
			PacketID: 1, Codes: []Code{CodeGrantedQoS1, CodeNotAuthorized, CodeQuotaExceeded}, Reason: "no",
		}, "90 00 01 01 80 80"},
		{"unsuback codes on v3", V311, &Unsuback{PacketID: 1, Codes: []Code{0}}, "B0 00 01"},
		{"subscribe options on v3", V311, &Subscribe{
			PacketID: 1, SubscriptionID: 1,
			Filters: []SubscribeFilter{{Filter: []byte("a"), QoS: 1, NoLocal: true, RetainHandling: 1}},
		}, "82 00 01 $a 01"},
		{"disconnect code on v3", V311, &Disconnect{Code: CodeServerShuttingDown, Reason: "bye"}, "E0"},
		{"session of a refusal", V5, &Connack{SessionPresent: true, Code: CodeBanned}, "20 00 8A ( )"},
		{"reason with foreign bytes", V5, &Ack{Type: PUBACK, PacketID: 1, Code: 0x80, Reason: "a\x00b\xFF"}, "40 00 01 80 ( 1F $a�b� )"},
		{"connack properties on v3", V311, &Connack{
			Code: CodeV3IdentifierRejected, Props: ConnackProperties{Has: PropReason, Reason: "no"},
		}, "20 00 02"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(wire(t, c.wire), Append(nil, c.v, c.packet)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestConnackCodesOnV3(t *testing.T) {
	for _, c := range []struct{ code, want Code }{
		{CodeSuccess, 0},
		{CodeV3ServerUnavailable, 3},
		{CodeUnsupportedProtocolVersion, 1},
		{CodeClientIDNotValid, 2},
		{CodeServerUnavailable, 3},
		{CodeQuotaExceeded, 3},
		{CodeUnspecifiedError, 3},
		{CodeBadUsernameOrPassword, 4},
		{CodeNotAuthorized, 5},
		{CodeBanned, 5},
		{CodeBadAuthenticationMethod, 5},
	} {
		b := AppendConnack(nil, V311, &Connack{SessionPresent: true, Code: c.code})
		if got := Code(b[3]); got != c.want {
			t.Errorf("return code of %v = %d, want %d", c.code, got, c.want)
		}
	}
}

// Empty on the wire and absent are the same for these, so they are no case of the table.
func TestDecodeShortForms(t *testing.T) {
	for _, c := range []struct {
		wire string
		from Side
		want Packet
	}{
		{"40 00 01 00", FromClient, &Ack{Type: PUBACK, PacketID: 1}},
		{"40 00 01 00 ( )", FromClient, &Ack{Type: PUBACK, PacketID: 1}},
		{"40 00 01 00 ( 1F $ )", FromClient, &Ack{Type: PUBACK, PacketID: 1}},
		{"E0 00", FromClient, &Disconnect{}},
		{"E0 00 ( )", FromServer, &Disconnect{}},
		{"E0 81 ( )", FromServer, &Disconnect{Code: CodeMalformedPacket}},
		{"F0 00 ( 15 $ )", FromServer, &Auth{Method: []byte{}}},
		{"10 $MQTT 05 06 00 00 ( ) $ ( 18 00 00 00 00 ) $w $", FromClient, &Connect{
			Level: 5, Version: V5, CleanStart: true, Props: connectDefaults, HasWill: true, Will: Will{Topic: []byte("w")},
		}},
	} {
		got, err := Decode(frameOf(t, wire(t, c.wire)), V5, c.from)
		if err != nil {
			t.Errorf("%s: %v", c.wire, err)
		} else if d := cmp.Diff(c.want, got, same); d != "" {
			t.Errorf("%s: %s", c.wire, d)
		}
	}
}

// The structs are used again from packet to packet: nothing of the last one may shine through.
func TestDecodeForgets(t *testing.T) {
	s := Subscribe{SubscriptionID: 9, Filters: make([]SubscribeFilter, 5, 8), User: users("k", "v")}
	room := &s.Filters[0]
	if err := DecodeSubscribe(frameOf(t, wire(t, "82 00 01 $a 01")), V311, &s); err != nil {
		t.Fatal(err)
	}
	want := Subscribe{PacketID: 1, Filters: []SubscribeFilter{{Filter: []byte("a"), QoS: 1}}}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
	if room != &s.Filters[0] {
		t.Error("the room of Filters was not used again")
	}
	p := Publish{Dup: true, PacketID: 3, Props: PublishProperties{Has: PropUser, User: users("k", "v")}}
	if err := DecodePublish(frameOf(t, wire(t, "30 $a ( ) 'x")), V5, FromClient, &p); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Publish{Topic: []byte("a"), Payload: []byte("x")}, p); d != "" {
		t.Error(d)
	}
}

// A decoded slice that grows must not write into what comes behind it in the read buffer.
func TestDecodedSlicesAreClipped(t *testing.T) {
	b := wire(t, "32 $a/b 00 07 ( 26 $k $v 01 01 09 $c ) 'x")
	b = append(b, wire(t, "C0")...)
	f, n, err := Next(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	var p Publish
	if err := DecodePublish(f, V5, FromClient, &p); err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for _, s := range [][]byte{f.Body, p.Topic, p.Payload, p.Props.CorrelationData, p.Props.User} {
		_ = append(s, "overwritten"...)
	}
	AppendUserProperty(p.Props.User, "more", "of it")
	if string(b) != want {
		t.Errorf("the read buffer was written to: %q", b[:n])
	}
}

// The expiry is found whatever else the packet says, and nothing is where there is none.
func TestMessageExpiryOffset(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		for _, has := range []PropertySet{
			PropMessageExpiry, PropMessageExpiry | PropPayloadFormat, PropMessageExpiry | PropContentType | PropUser,
			PropMessageExpiry | PropPayloadFormat | PropResponseTopic | PropCorrelationData, PropPayloadFormat, PropContentType, 0,
		} {
			p := Publish{QoS: qos, PacketID: 1, Topic: []byte("some/topic"), Payload: []byte{2, 2, 2, 2, 2, 2}}
			p.Props = PublishProperties{
				Has: has, MessageExpiry: 0xABCDEF01, ContentType: []byte("c"), ResponseTopic: []byte("r"), CorrelationData: []byte{2},
			}
			if has.Has(PropUser) {
				p.Props.User = AppendUserProperty(nil, "k", "v")
			}
			b := AppendPublish(nil, V5, &p)
			at := MessageExpiryOffset(b)
			if !has.Has(PropMessageExpiry) {
				if at != 0 {
					t.Errorf("QoS %d with %b: found at %d", qos, has, at)
				}
				continue
			}
			if at == 0 || binary.BigEndian.Uint32(b[at:]) != 0xABCDEF01 {
				t.Errorf("QoS %d with %b: offset %d is not that of the expiry", qos, has, at)
			}
		}
	}
}

func TestPacketIDOffset(t *testing.T) {
	for _, size := range []int{0, 1, 100, 130, 16_500, 2_100_000} {
		p := Publish{QoS: 1, PacketID: 0xABCD, Topic: []byte("some/topic"), Payload: make([]byte, size)}
		for _, v := range []Version{V311, V5} {
			b := AppendPublish(nil, v, &p)
			at := PacketIDOffset(b)
			if b[at] != 0xAB || b[at+1] != 0xCD {
				t.Errorf("v%d, %d bytes: offset %d is not that of the id", v, size, at)
			}
			if n := PublishSize(v, &p); n != len(b) {
				t.Errorf("v%d, %d bytes: PublishSize = %d, want %d", v, size, n, len(b))
			}
		}
	}
}
