package broker

// Link is the way out to one receiver: a connection's outbox or a service in this process.
type Link interface {
	// Deliver takes deliveries in order and never waits. It may refuse the tail of deliveries that have a Seq (they
	// stay in the queue, and the link calls Connection.Ready when it has room again); it takes all others, or drops
	// and counts what it must. shared says that other receivers get the same messages, so that a wire form is worth
	// keeping. It answers how many it took, and whether this caller must call Flush when its batch is over.
	Deliver(ds []Delivery, shared bool) (took int, flush bool)

	// Flush starts sending. It reports whether the receiver is over its high-water mark, so that a publisher may
	// pause for it (DESIGN: back-pressure).
	Flush() (congested bool)

	// Kick ends the receiver's connection for a cause. It does not wait for the end.
	Kick(Cause)
}

// Reason is why a connection ended, in AWS's words (the disconnectReason of lifecycle events).
type Reason string

// The reasons (message-broker reference: AWS IoT lifecycle events, "disconnectReason").
const (
	AuthError           Reason = "AUTH_ERROR"
	ClientInitiated     Reason = "CLIENT_INITIATED_DISCONNECT"
	ClientError         Reason = "CLIENT_ERROR"
	ConnectionLost      Reason = "CONNECTION_LOST"
	DuplicateClientID   Reason = "DUPLICATE_CLIENTID"
	ForbiddenAccess     Reason = "FORBIDDEN_ACCESS"
	KeepAliveTimeout    Reason = "MQTT_KEEP_ALIVE_TIMEOUT"
	ServerError         Reason = "SERVER_ERROR"
	ServerInitiated     Reason = "SERVER_INITIATED_DISCONNECT"
	Throttled           Reason = "THROTTLED"
	APIInitiated        Reason = "API_INITIATED_DISCONNECT"
	WebSocketExpiration Reason = "WEBSOCKET_TTL_EXPIRATION"
)

// Cause is why a connection ends: AWS's reason, the MQTT 5 reason code that the client is told (0 for none), and the
// words for people.
type Cause struct { //nolint:errname // a cause is told to clients and kept; it is an error only on its way to the door
	Reason Reason
	Code   byte
	Text   string
	Packet string // which packet brought it, empty if none did
	Err    error  // the refusal behind it, nil if there is none
}

func (c Cause) Error() string { return string(c.Reason) + ": " + c.Text }
