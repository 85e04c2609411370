package mqtt

import "fmt"

// Code is a reason code of MQTT 5 (2.4), or a return code of MQTT 3.1.1.
type Code byte

// Reason codes of MQTT 5. Success is also called normal disconnection and granted QoS 0.
const (
	CodeSuccess                     Code = 0x00
	CodeGrantedQoS1                 Code = 0x01
	CodeGrantedQoS2                 Code = 0x02
	CodeDisconnectWithWill          Code = 0x04
	CodeNoMatchingSubscribers       Code = 0x10
	CodeNoSubscriptionExisted       Code = 0x11
	CodeContinueAuthentication      Code = 0x18
	CodeReauthenticate              Code = 0x19
	CodeUnspecifiedError            Code = 0x80
	CodeMalformedPacket             Code = 0x81
	CodeProtocolError               Code = 0x82
	CodeImplementationSpecificError Code = 0x83
	CodeUnsupportedProtocolVersion  Code = 0x84
	CodeClientIDNotValid            Code = 0x85
	CodeBadUsernameOrPassword       Code = 0x86
	CodeNotAuthorized               Code = 0x87
	CodeServerUnavailable           Code = 0x88
	CodeServerBusy                  Code = 0x89
	CodeBanned                      Code = 0x8A
	CodeServerShuttingDown          Code = 0x8B
	CodeBadAuthenticationMethod     Code = 0x8C
	CodeKeepAliveTimeout            Code = 0x8D
	CodeSessionTakenOver            Code = 0x8E
	CodeTopicFilterInvalid          Code = 0x8F
	CodeTopicNameInvalid            Code = 0x90
	CodePacketIDInUse               Code = 0x91
	CodePacketIDNotFound            Code = 0x92
	CodeReceiveMaximumExceeded      Code = 0x93
	CodeTopicAliasInvalid           Code = 0x94
	CodePacketTooLarge              Code = 0x95
	CodeMessageRateTooHigh          Code = 0x96
	CodeQuotaExceeded               Code = 0x97
	CodeAdministrativeAction        Code = 0x98
	CodePayloadFormatInvalid        Code = 0x99
	CodeRetainNotSupported          Code = 0x9A
	CodeQoSNotSupported             Code = 0x9B
	CodeUseAnotherServer            Code = 0x9C
	CodeServerMoved                 Code = 0x9D
	CodeSharedSubsNotSupported      Code = 0x9E
	CodeConnectionRateExceeded      Code = 0x9F
	CodeMaximumConnectTime          Code = 0xA0
	CodeSubscriptionIDsNotSupported Code = 0xA1
	CodeWildcardSubsNotSupported    Code = 0xA2
)

// Return codes of a 3.1.1 CONNACK (3.1.1, 3.2.2.3). Their numbers mean other things elsewhere on MQTT 5.
const (
	CodeV3UnacceptableVersion   Code = 1
	CodeV3IdentifierRejected    Code = 2
	CodeV3ServerUnavailable     Code = 3
	CodeV3BadUsernameOrPassword Code = 4
	CodeV3NotAuthorized         Code = 5
)

var codeNames = [...]string{ //nolint:gosec // G101 takes the word authentication for a secret
	CodeSuccess:                     "success",
	CodeGrantedQoS1:                 "granted QoS 1",
	CodeGrantedQoS2:                 "granted QoS 2",
	CodeDisconnectWithWill:          "disconnect with will message",
	CodeNoMatchingSubscribers:       "no matching subscribers",
	CodeNoSubscriptionExisted:       "no subscription existed",
	CodeContinueAuthentication:      "continue authentication",
	CodeReauthenticate:              "re-authenticate",
	CodeUnspecifiedError:            "unspecified error",
	CodeMalformedPacket:             "malformed packet",
	CodeProtocolError:               "protocol error",
	CodeImplementationSpecificError: "implementation specific error",
	CodeUnsupportedProtocolVersion:  "unsupported protocol version",
	CodeClientIDNotValid:            "client identifier not valid",
	CodeBadUsernameOrPassword:       "bad user name or password",
	CodeNotAuthorized:               "not authorized",
	CodeServerUnavailable:           "server unavailable",
	CodeServerBusy:                  "server busy",
	CodeBanned:                      "banned",
	CodeServerShuttingDown:          "server shutting down",
	CodeBadAuthenticationMethod:     "bad authentication method",
	CodeKeepAliveTimeout:            "keep alive timeout",
	CodeSessionTakenOver:            "session taken over",
	CodeTopicFilterInvalid:          "topic filter invalid",
	CodeTopicNameInvalid:            "topic name invalid",
	CodePacketIDInUse:               "packet identifier in use",
	CodePacketIDNotFound:            "packet identifier not found",
	CodeReceiveMaximumExceeded:      "receive maximum exceeded",
	CodeTopicAliasInvalid:           "topic alias invalid",
	CodePacketTooLarge:              "packet too large",
	CodeMessageRateTooHigh:          "message rate too high",
	CodeQuotaExceeded:               "quota exceeded",
	CodeAdministrativeAction:        "administrative action",
	CodePayloadFormatInvalid:        "payload format invalid",
	CodeRetainNotSupported:          "retain not supported",
	CodeQoSNotSupported:             "QoS not supported",
	CodeUseAnotherServer:            "use another server",
	CodeServerMoved:                 "server moved",
	CodeSharedSubsNotSupported:      "shared subscriptions not supported",
	CodeConnectionRateExceeded:      "connection rate exceeded",
	CodeMaximumConnectTime:          "maximum connect time",
	CodeSubscriptionIDsNotSupported: "subscription identifiers not supported",
	CodeWildcardSubsNotSupported:    "wildcard subscriptions not supported",
}

// String is the standard's name of the code, in lower case.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return fmt.Sprintf("code 0x%02X", byte(c))
}

// IsError tells the codes that refuse something: 0x80 and above (MQTT 5, 2.4). It does not fit the return codes of a
// 3.1.1 CONNACK.
func (c Code) IsError() bool { return c >= 0x80 }
