package gateway

import (
	"sync/atomic"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// Result is how an operation of a client ended, in the words of AWS's metrics (developer guide, "AWS IoT metrics").
type Result uint8

// The results.
const (
	Succeeded Result = iota
	AuthFailed
	ClientFailed
	ServerFailed
	Throttled
	results
)

func (r Result) String() string {
	return [...]string{"success", "auth_error", "client_error", "server_error", "throttled"}[r]
}

// Tally counts operations by their result.
type Tally [results]atomic.Int64

// Counts are what the gateway has done since it was made, for metrics. What is told to the journal is counted as it is
// told; bytes are added once per read and per write, never per packet.
type Counts struct {
	Handshakes       atomic.Int64 // TLS, done
	HandshakesFailed atomic.Int64
	Strangers        atomic.Int64 // sockets closed before CONNECT: no certificate, or not one of ours, or not MQTT
	Connected        atomic.Int64 // clients at this moment
	ReceivedBytes    atomic.Int64 // of MQTT, inside TLS
	SentBytes        atomic.Int64

	Connects, Subscribes, Unsubscribes Tally
	WebSockets                         Tally // upgrades to MQTT over WebSocket

	ThrottledPublishes atomic.Int64 // discarded at the door, before the broker saw them
	Dropped            atomic.Int64 // deliveries that a connection could not take

	// Disconnects has one counter for each of DisconnectReasons.
	Disconnects [len(DisconnectReasons)]atomic.Int64
}

// DisconnectReasons are the reasons that Counts.Disconnects tells apart, in its order.
var DisconnectReasons = [...]broker.Reason{
	broker.AuthError, broker.ClientInitiated, broker.ClientError, broker.ConnectionLost, broker.DuplicateClientID,
	broker.ForbiddenAccess, broker.KeepAliveTimeout, broker.ServerError, broker.ServerInitiated, broker.Throttled,
	broker.APIInitiated, broker.WebSocketExpiration,
}

// Counts gives the live counters.
func (g *Gateway) Counts() *Counts { return &g.counts }

// note counts what an entry of the journal says.
func (n *Counts) note(e *journal.Entry) {
	switch e.EventType {
	case journal.Connect:
		r := resultOf(e)
		n.Connects[r].Add(1)
		if r == Succeeded {
			n.Connected.Add(1)
		}
	case journal.Disconnect:
		n.Connected.Add(-1)
		n.disconnected(broker.Reason(e.DisconnectReason))
	case journal.AuthNError:
		n.Strangers.Add(1)
	case journal.Subscribe:
		n.Subscribes[resultOf(e)].Add(1)
	case journal.Unsubscribe:
		n.Unsubscribes[resultOf(e)].Add(1)
	case journal.PublishOut:
		n.Dropped.Add(1)
	case journal.PublishIn: // the broker counts publishes of every door, but for those that it never sees
		if e.Reason == throttledReason {
			n.ThrottledPublishes.Add(1)
		}
	}
}

// throttledReason is what a journal entry says of a message that was discarded because of a rate.
const throttledReason = "THROTTLED"

func (n *Counts) disconnected(why broker.Reason) {
	for i := range DisconnectReasons {
		if DisconnectReasons[i] == why {
			n.Disconnects[i].Add(1)
			return
		}
	}
}

// resultOf reads the result from an entry: the reason code tells, also where an MQTT 3.1.1 client got none.
func resultOf(e *journal.Entry) Result {
	if e.Status != journal.Failure {
		return Succeeded
	}
	switch code := mqtt.Code(e.ReasonCode); code {
	case mqtt.CodeNotAuthorized, mqtt.CodeBadAuthenticationMethod:
		return AuthFailed
	case mqtt.CodeUnspecifiedError, mqtt.CodeServerUnavailable, mqtt.CodeServerBusy, mqtt.CodeServerShuttingDown:
		return ServerFailed
	case mqtt.CodeQuotaExceeded, mqtt.CodeMessageRateTooHigh, mqtt.CodeConnectionRateExceeded:
		return Throttled
	default:
		return ClientFailed
	}
}
