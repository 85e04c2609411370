package mqtt

import "strings"

func users(pairs ...string) (u UserProperties) {
	for i := 0; i < len(pairs); i += 2 {
		u = AppendUserProperty(u, pairs[i], pairs[i+1])
	}
	return u
}

// connectDefaults are the properties of a CONNECT that has none.
var connectDefaults = ConnectProperties{ReceiveMaximum: 65535, RequestProblem: true}

// packetCase is a packet and its bytes: each case is decoded and encoded.
type packetCase struct {
	name   string
	v      Version
	from   Side
	wire   string // in the notation of wire
	packet Packet
}

var packetCases = append(append(append([]packetCase{
	{"puback", V311, FromServer, "40 12 34", &Ack{Type: PUBACK, PacketID: 0x1234}},
	{"puback", V5, FromClient, "40 12 34", &Ack{Type: PUBACK, PacketID: 0x1234}},
	{"puback with code", V5, FromServer, "40 00 01 87", &Ack{Type: PUBACK, PacketID: 1, Code: CodeNotAuthorized}},
	{"puback with reason", V5, FromServer, "40 00 01 97 ( 1F $slow 26 $a $b )", &Ack{
		Type: PUBACK, PacketID: 1, Code: CodeQuotaExceeded, Reason: "slow", User: users("a", "b"),
	}},
	{"puback of success with user property", V5, FromServer, "40 00 01 00 ( 26 $a $b )", &Ack{
		Type: PUBACK, PacketID: 1, User: users("a", "b"),
	}},
	{"pubrec", V311, FromClient, "50 00 02", &Ack{Type: PUBREC, PacketID: 2}},
	{"pubrec with code", V5, FromClient, "50 00 02 10", &Ack{Type: PUBREC, PacketID: 2, Code: CodeNoMatchingSubscribers}},
	{"pubrel", V311, FromClient, "62 00 03", &Ack{Type: PUBREL, PacketID: 3}},
	{"pubrel with code", V5, FromClient, "62 00 03 92", &Ack{Type: PUBREL, PacketID: 3, Code: CodePacketIDNotFound}},
	{"pubcomp", V5, FromServer, "70 FF FF", &Ack{Type: PUBCOMP, PacketID: 65535}},

	{"subscribe", V311, FromClient, "82 00 0A $a/+ 01 $b/# 00", &Subscribe{
		PacketID: 10, Filters: []SubscribeFilter{{Filter: []byte("a/+"), QoS: 1}, {Filter: []byte("b/#")}},
	}},
	{"subscribe", V5, FromClient, "82 00 0A ( ) $a/+ 01 $b/# 2E", &Subscribe{
		PacketID: 10,
		Filters: []SubscribeFilter{
			{Filter: []byte("a/+"), QoS: 1},
			{Filter: []byte("b/#"), QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2},
		},
	}},
	{"subscribe with properties", V5, FromClient, "82 00 0A ( 0B 80 01 26 $k $v ) $$share/g/t 00", &Subscribe{
		PacketID: 10, SubscriptionID: 128, User: users("k", "v"),
		Filters: []SubscribeFilter{{Filter: []byte("$share/g/t")}},
	}},
	{"suback", V311, FromServer, "90 00 0A 00 01 02 80", &Suback{PacketID: 10, Codes: []Code{0, 1, 2, 0x80}}},
	{"suback", V5, FromServer, "90 00 0A ( 1F $no ) 01 87 8F", &Suback{
		PacketID: 10, Codes: []Code{CodeGrantedQoS1, CodeNotAuthorized, CodeTopicFilterInvalid}, Reason: "no",
	}},
	{"unsubscribe", V311, FromClient, "A2 00 0B $a/+ $b", &Unsubscribe{
		PacketID: 11, Filters: [][]byte{[]byte("a/+"), []byte("b")},
	}},
	{"unsubscribe", V5, FromClient, "A2 00 0B ( 26 $k $v 26 $k $w ) $a/+", &Unsubscribe{
		PacketID: 11, User: users("k", "v", "k", "w"), Filters: [][]byte{[]byte("a/+")},
	}},
	{"unsuback", V311, FromServer, "B0 00 0B", &Unsuback{PacketID: 11}},
	{"unsuback", V5, FromServer, "B0 00 0B ( 26 $k $v ) 00 11", &Unsuback{
		PacketID: 11, Codes: []Code{CodeSuccess, CodeNoSubscriptionExisted}, User: users("k", "v"),
	}},
	{"pingreq", V311, FromClient, "C0", &Ping{Type: PINGREQ}},
	{"pingresp", V5, FromServer, "D0", &Ping{Type: PINGRESP}},
	{"disconnect", V311, FromClient, "E0", &Disconnect{}},
	{"disconnect", V5, FromClient, "E0", &Disconnect{}},
	{"disconnect with will", V5, FromClient, "E0 04", &Disconnect{Code: CodeDisconnectWithWill}},
	{"disconnect with expiry", V5, FromClient, "E0 00 ( 11 00 00 00 00 )", &Disconnect{HasSessionExpiry: true}},
	{"disconnect of server", V5, FromServer, "E0 9D ( 1F $gone 1C $other:8883 26 $k $v )", &Disconnect{
		Code: CodeServerMoved, Reason: "gone", ServerReference: "other:8883", User: users("k", "v"),
	}},
	{"auth of success", V5, FromServer, "F0", &Auth{}},
	{"auth", V5, FromClient, "F0 18 ( 15 $SCRAM 16 $x 1F $on 26 $k $v )", &Auth{
		Code: CodeContinueAuthentication, Method: []byte("SCRAM"), Data: []byte("x"), Reason: "on", User: users("k", "v"),
	}},
}, connectCases...), connackCases...), publishCases...)

var connectCases = []packetCase{
	{"connect", V311, FromClient, "10 $MQTT 04 02 00 3C $dev", &Connect{
		Level: 4, Version: V311, CleanStart: true, KeepAlive: 60, ClientID: []byte("dev"), Props: connectDefaults,
	}},
	{"connect of 3.1", V311, FromClient, "10 $MQIsdp 03 02 00 3C $dev", &Connect{
		Level: 3, Version: V311, CleanStart: true, KeepAlive: 60, ClientID: []byte("dev"), Props: connectDefaults,
	}},
	{"connect with all", V311, FromClient, "10 $MQTT 04 EC 04 B0 $dev $w/t $bye $?SDK=PythonV2 $pw", &Connect{
		Level: 4, Version: V311, KeepAlive: 1200, ClientID: []byte("dev"), Props: connectDefaults,
		HasUsername: true, Username: []byte("?SDK=PythonV2"), HasPassword: true, Password: []byte("pw"),
		HasWill: true, Will: Will{QoS: 1, Retain: true, Topic: []byte("w/t"), Payload: []byte("bye")},
	}},
	{"connect with user name only", V311, FromClient, "10 $MQTT 04 80 00 00 $ $?SDK=Go", &Connect{
		Level: 4, Version: V311, HasUsername: true, Username: []byte("?SDK=Go"), Props: connectDefaults,
	}},
	{"connect", V5, FromClient, "10 $MQTT 05 02 00 1E ( ) $", &Connect{
		Level: 5, Version: V5, CleanStart: true, KeepAlive: 30, Props: connectDefaults,
	}},
	{"connect with password only", V5, FromClient, "10 $MQTT 05 40 00 00 ( ) $dev $pw", &Connect{
		Level: 5, Version: V5, ClientID: []byte("dev"), HasPassword: true, Password: []byte("pw"), Props: connectDefaults,
	}},
	{
		"connect with all properties", V5, FromClient,
		"10 $MQTT 05 02 00 1E ( 11 FF FF FF FF 21 00 64 27 00 02 48 00 22 00 08 19 01 17 00 15 $M 16 $D 26 $k $v ) $dev",
		&Connect{
			Level: 5, Version: V5, CleanStart: true, KeepAlive: 30, ClientID: []byte("dev"),
			Props: ConnectProperties{
				Has:           connectProperties,
				SessionExpiry: 0xFFFFFFFF, ReceiveMaximum: 100, MaximumPacketSize: 149504, TopicAliasMaximum: 8,
				RequestResponse: true, AuthMethod: []byte("M"), AuthData: []byte("D"), User: users("k", "v"),
			},
		},
	},
	{
		"connect with will", V5, FromClient,
		"10 $MQTT 05 2E 00 1E ( ) $dev ( 18 00 00 00 05 01 01 02 00 00 00 0A 03 $json 08 $r/t 09 $cd 26 $k $v ) $w $",
		&Connect{
			Level: 5, Version: V5, CleanStart: true, KeepAlive: 30, ClientID: []byte("dev"), Props: connectDefaults,
			HasWill: true, Will: Will{
				QoS: 1, Retain: true, Topic: []byte("w"), Delay: 5,
				Props: PublishProperties{
					Has: PropPayloadFormat | PropMessageExpiry | PropContentType | PropResponseTopic |
						PropCorrelationData | PropUser,
					PayloadFormat: 1, MessageExpiry: 10, ContentType: []byte("json"), ResponseTopic: []byte("r/t"),
					CorrelationData: []byte("cd"), User: users("k", "v"),
				},
			},
		},
	},
}

var connackCases = []packetCase{
	{"connack", V311, FromServer, "20 01 00", &Connack{SessionPresent: true}},
	{"connack that refuses", V311, FromServer, "20 00 05", &Connack{Code: CodeV3NotAuthorized}},
	{"connack", V5, FromServer, "20 00 00 ( )", &Connack{}},
	{"connack that refuses", V5, FromServer, "20 00 87 ( 1F $no )", &Connack{
		Code: CodeNotAuthorized, Props: ConnackProperties{Has: PropReason, Reason: "no"},
	}},
	{
		"connack of AWS", V5, FromServer,
		"20 01 00 ( 11 00 00 0E 10 21 00 64 24 01 25 01 27 00 02 48 00 12 $$GEN/1 22 00 08 28 01 29 00 2A 01 13 04 B0 )",
		&Connack{SessionPresent: true, Props: ConnackProperties{
			Has: PropSessionExpiry | PropReceiveMaximum | PropMaximumQoS | PropRetainAvailable | PropMaximumPacketSize |
				PropAssignedClientID | PropTopicAliasMaximum | PropWildcardAvailable | PropSubIDsAvailable |
				PropSharedAvailable | PropServerKeepAlive,
			SessionExpiry: 3600, ReceiveMaximum: 100, MaximumQoS: 1, RetainAvailable: true, MaximumPacketSize: 149504,
			AssignedClientID: "$GEN/1", TopicAliasMaximum: 8, WildcardAvailable: true, SharedAvailable: true,
			ServerKeepAlive: 1200,
		}},
	},
	{
		"connack with the rest", V5, FromServer, "20 00 00 ( 1F $hi 1A $inf 1C $ref 15 $M 16 $D 26 $k $v )",
		&Connack{Props: ConnackProperties{
			Has:    PropReason | PropResponseInfo | PropServerReference | PropAuthMethod | PropAuthData | PropUser,
			Reason: "hi", ResponseInfo: "inf", ServerReference: "ref", AuthMethod: []byte("M"), AuthData: []byte("D"),
			User: users("k", "v"),
		}},
	},
}

var long = strings.Repeat("x", 200)

var publishCases = []packetCase{
	{"publish", V311, FromClient, "30 $a/b '{}", &Publish{Topic: []byte("a/b"), Payload: []byte("{}")}},
	{"publish with all flags", V311, FromServer, "3B $a/b 00 07 'x", &Publish{
		Dup: true, QoS: 1, Retain: true, PacketID: 7, Topic: []byte("a/b"), Payload: []byte("x"),
	}},
	{"publish of QoS 2 without payload", V311, FromClient, "34 $a 00 07", &Publish{
		QoS: 2, PacketID: 7, Topic: []byte("a"), Payload: []byte{},
	}},
	{"publish longer than 127", V311, FromClient, "30 $a '" + long, &Publish{Topic: []byte("a"), Payload: []byte(long)}},
	{"publish", V5, FromClient, "32 $a/b 00 07 ( ) '{}", &Publish{
		QoS: 1, PacketID: 7, Topic: []byte("a/b"), Payload: []byte("{}"),
	}},
	{"publish by alias", V5, FromClient, "30 $ ( 23 00 08 ) 'x", &Publish{
		Payload: []byte("x"), Props: PublishProperties{Has: PropTopicAlias, TopicAlias: 8},
	}},
	{
		"publish with all properties", V5, FromClient,
		"33 $tööö 12 34 ( 01 01 02 00 00 00 00 23 00 01 03 $text/plain 08 $r 09 $c 26 $k $v 26 $k $ ) 'x",
		&Publish{
			QoS: 1, Retain: true, PacketID: 0x1234, Topic: []byte("tööö"), Payload: []byte("x"),
			Props: PublishProperties{
				Has: publishProperties.Without(PropSubscriptionID), PayloadFormat: 1, TopicAlias: 1,
				ContentType: []byte("text/plain"), ResponseTopic: []byte("r"), CorrelationData: []byte("c"),
				User: users("k", "v", "k", ""),
			},
		},
	},
	{"publish longer than 127 in properties", V5, FromClient, "30 $a ( 09 $" + long + " ) 'x", &Publish{
		Topic: []byte("a"), Payload: []byte("x"),
		Props: PublishProperties{Has: PropCorrelationData, CorrelationData: []byte(long)},
	}},
	{"publish of server", V5, FromServer, "30 $a ( 0B 01 0B FF FF FF 7F ) 'x", &Publish{
		Topic: []byte("a"), Payload: []byte("x"),
		Props: PublishProperties{Has: PropSubscriptionID, SubscriptionIDs: []uint32{1, maxVarint}},
	}},
}
