package mqtt

// codeSet is a set of reason codes.
type codeSet [4]uint64

func codesOf(codes ...Code) *codeSet {
	var s codeSet
	for _, c := range codes {
		s[c>>6] |= 1 << (c & 63)
	}
	return &s
}

func (s *codeSet) has(c Code) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// Which packet may carry which reason code (MQTT 5, table 2-6 and the section of each packet). A success that only
// the other side may send is refused like an unknown code.
var (
	connackCodes = codesOf(CodeSuccess, CodeUnspecifiedError, CodeMalformedPacket, CodeProtocolError,
		CodeImplementationSpecificError, CodeUnsupportedProtocolVersion, CodeClientIDNotValid,
		CodeBadUsernameOrPassword, CodeNotAuthorized, CodeServerUnavailable, CodeServerBusy, CodeBanned,
		CodeBadAuthenticationMethod, CodeTopicNameInvalid, CodePacketTooLarge, CodeQuotaExceeded,
		CodePayloadFormatInvalid, CodeRetainNotSupported, CodeQoSNotSupported, CodeUseAnotherServer,
		CodeServerMoved, CodeConnectionRateExceeded)
	connackCodesV3 = codesOf(CodeSuccess, CodeV3UnacceptableVersion, CodeV3IdentifierRejected,
		CodeV3ServerUnavailable, CodeV3BadUsernameOrPassword, CodeV3NotAuthorized)

	// PUBACK and PUBREC (3.4.2.1, 3.5.2.1).
	pubackCodes = codesOf(CodeSuccess, CodeNoMatchingSubscribers, CodeUnspecifiedError,
		CodeImplementationSpecificError, CodeNotAuthorized, CodeTopicNameInvalid, CodePacketIDInUse,
		CodeQuotaExceeded, CodePayloadFormatInvalid)
	// PUBREL and PUBCOMP (3.6.2.1, 3.7.2.1).
	pubrelCodes = codesOf(CodeSuccess, CodePacketIDNotFound)

	subackCodes = codesOf(CodeSuccess, CodeGrantedQoS1, CodeGrantedQoS2, CodeUnspecifiedError,
		CodeImplementationSpecificError, CodeNotAuthorized, CodeTopicFilterInvalid, CodePacketIDInUse,
		CodeQuotaExceeded, CodeSharedSubsNotSupported, CodeSubscriptionIDsNotSupported,
		CodeWildcardSubsNotSupported)
	subackCodesV3 = codesOf(CodeSuccess, CodeGrantedQoS1, CodeGrantedQoS2, CodeUnspecifiedError)
	unsubackCodes = codesOf(CodeSuccess, CodeNoSubscriptionExisted, CodeUnspecifiedError,
		CodeImplementationSpecificError, CodeNotAuthorized, CodeTopicFilterInvalid, CodePacketIDInUse)

	disconnectCodesOfClient = codesOf(CodeSuccess, CodeDisconnectWithWill, CodeUnspecifiedError,
		CodeMalformedPacket, CodeProtocolError, CodeImplementationSpecificError, CodeTopicNameInvalid,
		CodeReceiveMaximumExceeded, CodeTopicAliasInvalid, CodePacketTooLarge, CodeMessageRateTooHigh,
		CodeQuotaExceeded, CodeAdministrativeAction, CodePayloadFormatInvalid)
	disconnectCodesOfServer = codesOf(CodeSuccess, CodeUnspecifiedError, CodeMalformedPacket, CodeProtocolError,
		CodeImplementationSpecificError, CodeNotAuthorized, CodeServerBusy, CodeServerShuttingDown,
		CodeKeepAliveTimeout, CodeSessionTakenOver, CodeTopicFilterInvalid, CodeTopicNameInvalid,
		CodeReceiveMaximumExceeded, CodeTopicAliasInvalid, CodePacketTooLarge, CodeMessageRateTooHigh,
		CodeQuotaExceeded, CodeAdministrativeAction, CodePayloadFormatInvalid, CodeRetainNotSupported,
		CodeQoSNotSupported, CodeUseAnotherServer, CodeServerMoved, CodeSharedSubsNotSupported,
		CodeConnectionRateExceeded, CodeMaximumConnectTime, CodeSubscriptionIDsNotSupported,
		CodeWildcardSubsNotSupported)

	authCodes = codesOf(CodeSuccess, CodeContinueAuthentication, CodeReauthenticate)
)

// v3Connack is the return code of a 3.1.1 CONNACK that comes nearest to c: clients stumble over codes above 5.
func (c Code) v3Connack() Code {
	switch {
	case !c.IsError():
		return c
	case c == CodeUnsupportedProtocolVersion:
		return CodeV3UnacceptableVersion
	case c == CodeClientIDNotValid:
		return CodeV3IdentifierRejected
	case c == CodeBadUsernameOrPassword:
		return CodeV3BadUsernameOrPassword
	case c == CodeNotAuthorized, c == CodeBanned, c == CodeBadAuthenticationMethod:
		return CodeV3NotAuthorized
	}
	return CodeV3ServerUnavailable
}
