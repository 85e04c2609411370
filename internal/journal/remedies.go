package journal

// Reasons of failures: AWS's names where AWS has one, ours for the rest.
const (
	ReasonAuthorization    = "AUTHORIZATION_FAILURE" // also what a client may not receive
	ReasonNotAuthenticated = "NOT_AUTHENTICATED"
	ReasonDuplicate        = "DUPLICATE_CLIENT_ID"
	ReasonPayloadLimit     = "PAYLOAD_LIMIT_EXCEEDED"
	ReasonThrottled        = "THROTTLED"
	ReasonServerError      = "INTERNAL_SERVER_ERROR"
	ReasonInvalid          = "INVALID_REQUEST"
	ReasonUnsupported      = "UNSUPPORTED"

	// Certificates (AWS: Connection.AuthNError). The last two are ours.
	ReasonCertificateUnknown  = "DEVICE_CERTIFICATE_NOT_REGISTERED"
	ReasonCertificateInactive = "DEVICE_CERTIFICATE_INACTIVE"
	ReasonCertificateRevoked  = "DEVICE_CERTIFICATE_REVOKED"
	ReasonCertificateExpired  = "DEVICE_CERTIFICATE_EXPIRED"
	ReasonCertificateTooEarly = "DEVICE_CERTIFICATE_NOT_YET_VALID"

	// Signatures (AWS: Connection.AuthNError).
	ReasonTokenInvalid      = "SECURITY_TOKEN_INVALID"
	ReasonTokenExpired      = "SECURITY_TOKEN_EXPIRED"
	ReasonSignatureMismatch = "SECURITY_TOKEN_SIGNATURE_MISMATCH"

	// Before there is MQTT.
	ReasonHandshake      = "TLS_HANDSHAKE_FAILED"
	ReasonNoConnect      = "NO_CONNECT"       // what came is not a CONNECT, or nothing came
	ReasonTooManySockets = "TOO_MANY_SOCKETS" // of one address, none of them authenticated

	// Messages that did not arrive.
	ReasonQueueFull      = "QUEUE_FULL"          // the session has as many or as old ones as it may
	ReasonSlowReader     = "SLOW_READER"         // the client does not take what waits for it
	ReasonTooLarge       = "OVER_MAXIMUM_PACKET" // larger than the client said it takes
	ReasonExpired        = "MESSAGE_EXPIRED"
	ReasonRedeliveryOver = "REDELIVERY_OVER" // the client never acknowledged it

	// About the journal itself.
	ReasonEntriesLost      = "ENTRIES_LOST"
	ReasonEntriesUnwritten = "ENTRIES_UNWRITTEN"
	ReasonFollowerSlow     = "FOLLOWER_SLOW"
)

// end is what AWS's logs say besides the disconnectReason.
type end struct{ reason, details string }

var ends = map[string]end{
	"AUTH_ERROR":         {reason: ReasonAuthorization},
	"FORBIDDEN_ACCESS":   {reason: ReasonAuthorization},
	"DUPLICATE_CLIENTID": {reason: ReasonDuplicate, details: "A new connection was established with the same client ID"},
	"THROTTLED":          {reason: ReasonThrottled},
	"SERVER_ERROR":       {reason: ReasonServerError},
}

// details are AWS's words for a reason.
var details = map[string]string{
	ReasonAuthorization: "Authorization Failure",
	ReasonPayloadLimit:  "Message payload exceeds size limit for message type.",
}

// The reason codes of MQTT 5 that have words of their own.
const (
	codeMalformedPacket      = 0x81
	codeProtocolError        = 0x82
	codeUnsupportedVersion   = 0x84
	codeClientIDNotValid     = 0x85
	codeBadUserName          = 0x86
	codeNotAuthorized        = 0x87
	codeServerUnavailable    = 0x88
	codeServerShuttingDown   = 0x8B
	codeBadMethod            = 0x8C
	codeFilterInvalid        = 0x8F
	codeTopicInvalid         = 0x90
	codePacketIDInUse        = 0x91
	codeReceiveMaximum       = 0x93
	codeTopicAliasInvalid    = 0x94
	codePacketTooLarge       = 0x95
	codeQuotaExceeded        = 0x97
	codeAdministrative       = 0x98
	codePayloadFormatInvalid = 0x99
	codeQoSNotSupported      = 0x9B
	codeSharedNotSupported   = 0x9E
	codeSubscriptionIDs      = 0xA1
)

// occasion is what a remedy is for: a disconnectReason or a reason, in an event or in any, with a code or with any.
type occasion struct {
	event, reason string
	code          byte
}

// Remedy is what to do about an entry, in words; empty when there is nothing to say. The nearest row of the table
// holds: reason with code before reason alone, disconnectReason before reason, code alone last.
func Remedy(e *Entry) string {
	for _, o := range []occasion{
		{e.EventType, e.Reason, e.ReasonCode},
		{e.EventType, e.Reason, 0},
		{"", e.DisconnectReason, e.ReasonCode},
		{"", e.Reason, e.ReasonCode},
		{"", e.DisconnectReason, 0},
		{"", e.Reason, 0},
	} {
		if r, ok := remedies[o]; ok && o.reason != "" {
			return r
		}
	}
	return remedies[occasion{code: e.ReasonCode}]
}

const (
	allowIt    = "allow it in a policy of this principal (the cause says what comes nearest), or change what the client asks for; a changed policy holds at once"
	newOne     = "make a new one with `thingwire thing create`, or register and activate the one the device has"
	rightsGone = "its certificate or its access key was taken back: activate it again (aws iot update-certificate --new-status ACTIVE, aws iam update-access-key --status Active) or give the client another"
	libraryBug = "the client broke a rule of MQTT: look for a bug or an old version of its library; the cause names the packet and the rule"
)

var remedies = map[occasion]string{
	// How connections end (message broker, "disconnectReason").
	{reason: "DUPLICATE_CLIENTID"}:                                   "two clients use this client id: give each device its own; if it is one device, it connects again before it has closed its old connection",
	{reason: "MQTT_KEEP_ALIVE_TIMEOUT"}:                              "the client was silent for 1.5 times its keep-alive: check its network, let its program loop often enough to send PINGREQ, or ask for a longer keep-alive (30 to 1200 s)",
	{reason: "CONNECTION_LOST"}:                                      "the client closed without DISCONNECT or the network broke: check power, network and NAT timeouts, and let the program disconnect before it exits",
	{reason: "AUTH_ERROR"}:                                           allowIt,
	{reason: "FORBIDDEN_ACCESS"}:                                     "allow iot:Connect on client/ and this client id in a policy of this principal; the cause says what comes nearest",
	{reason: "SERVER_ERROR"}:                                         "the server could not do its part: read its log at this time; disk space and permissions of the data directory come first",
	{reason: "SERVER_INITIATED_DISCONNECT", code: codeNotAuthorized}: rightsGone,
	{reason: "SERVER_INITIATED_DISCONNECT"}:                          "the server was stopped or restarted: clients should connect again by themselves, with a delay that grows",
	{reason: "API_INITIATED_DISCONNECT"}:                             "somebody called DeleteConnection for this client id: ask who operates this server",
	{reason: "THROTTLED"}:                                            "slow down: the client passed a rate or a count; the cause says which, docs/compatibility.md has the numbers",
	{reason: "WEBSOCKET_TTL_EXPIRATION"}:                             "a WebSocket lives for a day or as long as its credentials: connect again with fresh ones",
	{reason: "CUSTOMAUTH_TTL_EXPIRATION"}:                            "the authorizer's disconnectAfterInSeconds was over: connect again, or let the authorizer give more time",

	// What clients do wrong.
	{reason: "CLIENT_ERROR"}:                                 libraryBug,
	{reason: "CLIENT_ERROR", code: codeMalformedPacket}:      libraryBug,
	{reason: "CLIENT_ERROR", code: codeProtocolError}:        libraryBug,
	{reason: "CLIENT_ERROR", code: codeReceiveMaximum}:       "keep at most 100 QoS 1 messages unacknowledged (Receive Maximum in CONNACK): let the client wait for PUBACKs",
	{reason: "CLIENT_ERROR", code: codeTopicAliasInvalid}:    "use topic aliases 1 to 8 only (Topic Alias Maximum in CONNACK)",
	{reason: "CLIENT_ERROR", code: codePacketTooLarge}:       "a payload may have 131072 bytes and a packet 149504: send less, or in parts",
	{reason: "CLIENT_ERROR", code: codeQoSNotSupported}:      "AWS IoT Core has QoS 0 and 1: use QoS 1",
	{reason: "CLIENT_ERROR", code: codeSubscriptionIDs}:      "AWS IoT Core has no subscription identifiers: leave them out and tell messages apart by topic",
	{reason: "CLIENT_ERROR", code: codeSharedNotSupported}:   "subscribe without $share",
	{reason: "CLIENT_ERROR", code: codeQuotaExceeded}:        "stay below the limits of AWS IoT Core: content type 256 bytes, correlation data and user properties 8 KB each, the filters of one SUBSCRIBE as docs/compatibility.md says",
	{reason: "CLIENT_ERROR", code: codeTopicInvalid}:         "a topic has up to 256 bytes and 7 slashes, no + and #, and does not begin with $ unless AWS has a service there",
	{reason: "CLIENT_ERROR", code: codeFilterInvalid}:        "a filter has up to 256 bytes and 7 slashes; + stands for a whole level, # only at the end",
	{reason: "CLIENT_ERROR", code: codeClientIDNotValid}:     "choose a client id of 1 to 128 bytes that does not begin with $; without one, MQTT 3.1.1 needs a clean session",
	{reason: "CLIENT_ERROR", code: codeUnsupportedVersion}:   "let the client speak MQTT 3.1.1 or 5",
	{reason: "CLIENT_ERROR", code: codeBadMethod}:            "AWS IoT Core has no enhanced authentication: leave the authentication method out",
	{reason: "CLIENT_ERROR", code: codePacketIDInUse}:        "do not use a packet id again before it is acknowledged",
	{reason: "CLIENT_ERROR", code: codePayloadFormatInvalid}: "the payload is said to be UTF-8 and is not: set payload format 0, or send UTF-8",

	// Who is not let in.
	{reason: ReasonCertificateUnknown}:  "nobody has registered this certificate here: " + newOne,
	{reason: ReasonCertificateInactive}: "activate it: aws iot update-certificate --new-status ACTIVE --certificate-id …",
	{reason: ReasonCertificateRevoked}:  "a revoked certificate is revoked on purpose: " + newOne,
	{reason: ReasonCertificateExpired}:  "its time is over: " + newOne,
	{reason: ReasonCertificateTooEarly}: "its time has not begun: check the clocks of device and server",
	{reason: ReasonNotAuthenticated}:    "connect with the certificate and key that `thingwire thing create` wrote",
	{reason: ReasonTokenInvalid}:        "use an access key of this server (thingwire key list, thingwire env), and with a session its token too",
	{reason: ReasonTokenExpired}:        "take a new session, sign again, and set the client's clock",
	{reason: ReasonSignatureMismatch}:   "check the secret access key, and what stands between client and server and changes requests",
	{reason: ReasonHandshake}:           "check that the client trusts this server's ca.pem, uses a name of its certificate (--hostname), sends its own certificate and key, and speaks TLS 1.2 or 1.3",
	{reason: ReasonNoConnect}:           "check that the client speaks MQTT on this port; HTTP is on the https and api listeners",
	{reason: ReasonTooManySockets}:      "something at this address opens sockets and does not authenticate: find it, or raise the limit if a proxy stands in between",

	{event: Connect, reason: ReasonAuthorization}:    "allow iot:Connect on client/ and this client id in a policy of this principal; the cause says what comes nearest",
	{event: Connect, reason: ReasonThrottled}:        "the client connects too often: let it wait between tries, with a delay that grows",
	{event: Subscribe, reason: ReasonAuthorization}:  "allow iot:Subscribe on topicfilter/ and this filter as the client writes it; the cause says what comes nearest",
	{event: Subscribe, reason: ReasonThrottled}:      "subscribe to fewer filters, with wildcards where they fit, and in smaller requests",
	{event: PublishIn, reason: ReasonAuthorization}:  "allow iot:Publish on topic/ and this topic (with RETAIN also iot:RetainPublish); the cause says what comes nearest",
	{event: PublishIn, reason: ReasonThrottled}:      "publish less often on one connection: the excess is discarded, QoS 1 is not acknowledged and may be sent again",
	{event: PublishOut, reason: ReasonAuthorization}: "allow iot:Receive on topic/ and this topic in a policy of the receiver; iot:Subscribe alone does not let messages through",
	{event: Subscribe, reason: ReasonInvalid}:        "a filter has up to 256 bytes and 7 slashes; + stands for a whole level, # only at the end",
	{event: PublishIn, reason: ReasonInvalid}:        "a topic has up to 256 bytes and 7 slashes, no + and #, and does not begin with $ unless AWS has a service there",
	{event: PublishIn, reason: ReasonPayloadLimit}:   "a payload may have 131072 bytes: send less, or in parts",
	{event: Connect, reason: ReasonPayloadLimit}:     "a will's payload may have 131072 bytes: make it smaller",
	{event: Connect, reason: ReasonNotAuthenticated}: "connect with the certificate and key that `thingwire thing create` wrote",

	{reason: ReasonAuthorization}: allowIt,
	{reason: ReasonUnsupported}:   "Thingwire does not do this; docs/compatibility.md says what it does",
	{reason: ReasonServerError}:   "the server could not do its part: read its log at this time; disk space and permissions of the data directory come first",

	// Messages that did not arrive.
	{reason: ReasonQueueFull}:      "the session holds as much as it may: let the client connect and read more often, publish less, use a shorter message expiry, raise the limit (`queue` in the configuration), or use `queue_full: refuse` so that publishers know",
	{reason: ReasonSlowReader}:     "the client reads more slowly than messages come: let it do less in its message handler, subscribe to less, or share the work ($share)",
	{reason: ReasonTooLarge}:       "the client takes only packets up to its Maximum Packet Size: let it allow more, or publish less at once",
	{reason: ReasonExpired}:        "the message expiry was over before the client came: give messages more time, or let it connect more often",
	{reason: ReasonRedeliveryOver}: "the client never sent PUBACK: look at its acknowledgements",

	{reason: ReasonEntriesLost}:      "look for a client that fails in a loop: the entries around this one name it",
	{reason: ReasonEntriesUnwritten}: "look at the disk of the data directory",
	{reason: ReasonFollowerSlow}:     "ask for less: --client-id, --failures",

	// A code alone.
	{code: codeNotAuthorized}:      allowIt,
	{code: codeQuotaExceeded}:      "stay below the limits in docs/compatibility.md",
	{code: codeServerShuttingDown}: "connect again: the server is being stopped",
	{code: codeServerUnavailable}:  "connect again later, with a delay that grows",
	{code: codeAdministrative}:     "ask who operates this server",
	{code: codeBadUserName}:        "check user name and password",
	{code: codeTopicInvalid}:       "a topic has up to 256 bytes and 7 slashes, no + and #, and does not begin with $ unless AWS has a service there",
	{code: codeFilterInvalid}:      "a filter has up to 256 bytes and 7 slashes; + stands for a whole level, # only at the end",
}
