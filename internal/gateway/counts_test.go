package gateway

import (
	"testing"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// Results have the meaning of AWS's metrics: whose fault it was.
func TestCountsTellResultsApart(t *testing.T) {
	for code, want := range map[mqtt.Code]Result{
		mqtt.CodeSuccess: ClientFailed, mqtt.CodeMalformedPacket: ClientFailed, mqtt.CodeTopicFilterInvalid: ClientFailed,
		mqtt.CodeNotAuthorized: AuthFailed, mqtt.CodeBadAuthenticationMethod: AuthFailed,
		mqtt.CodeUnspecifiedError: ServerFailed, mqtt.CodeServerUnavailable: ServerFailed,
		mqtt.CodeQuotaExceeded: Throttled, mqtt.CodeConnectionRateExceeded: Throttled,
	} {
		var n Counts
		for event, tally := range map[string]*Tally{
			journal.Connect: &n.Connects, journal.Subscribe: &n.Subscribes, journal.Unsubscribe: &n.Unsubscribes,
		} {
			n.note(&journal.Entry{EventType: event, Status: journal.Failure, ReasonCode: byte(code)})
			n.note(&journal.Entry{EventType: event, Status: journal.Success})
			for r := range tally {
				is := int64(0)
				if Result(r) == want || Result(r) == Succeeded {
					is = 1
				}
				if tally[r].Load() != is {
					t.Errorf("%s with %v: %v is %d", event, code, Result(r), tally[r].Load())
				}
			}
		}
	}
}

func TestCountsOfConnections(t *testing.T) {
	var n Counts
	for i, reason := range DisconnectReasons {
		n.note(&journal.Entry{EventType: journal.Connect, Status: journal.Success})
		if n.Connected.Load() != 1 {
			t.Error("a connection is not counted")
		}
		n.note(&journal.Entry{EventType: journal.Disconnect, DisconnectReason: string(reason)})
		if n.Connected.Load() != 0 || n.Disconnects[i].Load() != 1 {
			t.Errorf("%s: %d, %d are left", reason, n.Disconnects[i].Load(), n.Connected.Load())
		}
	}
	n.note(&journal.Entry{EventType: journal.Disconnect, DisconnectReason: string(broker.Reason("OTHER"))})
	for i := range n.Disconnects {
		if n.Disconnects[i].Load() != 1 {
			t.Error("a reason that nobody knows is counted as", DisconnectReasons[i])
		}
	}
	n.note(&journal.Entry{EventType: journal.AuthNError})
	n.note(&journal.Entry{EventType: journal.PublishOut})
	n.note(&journal.Entry{EventType: journal.PublishIn, Reason: throttledReason})
	n.note(&journal.Entry{EventType: journal.PublishIn, Reason: "AUTHORIZATION_FAILURE"})
	if n.Strangers.Load() != 1 || n.Dropped.Load() != 1 || n.ThrottledPublishes.Load() != 1 {
		t.Error(n.Strangers.Load(), n.Dropped.Load(), n.ThrottledPublishes.Load())
	}
}
