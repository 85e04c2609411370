package journal

import (
	"strings"
	"testing"
)

// Whatever ends a connection or loses a message has a remedy (message-broker reference: "Unauthorised operations",
// "Throttling reactions", "disconnectReason values").
func TestEveryFailureHasARemedy(t *testing.T) {
	t.Parallel()
	var all []Entry
	for _, reason := range []string{
		"AUTH_ERROR", "CLIENT_ERROR", "CONNECTION_LOST", "DUPLICATE_CLIENTID", "FORBIDDEN_ACCESS", "MQTT_KEEP_ALIVE_TIMEOUT",
		"SERVER_ERROR", "SERVER_INITIATED_DISCONNECT", "API_INITIATED_DISCONNECT", "THROTTLED", "WEBSOCKET_TTL_EXPIRATION",
		"CUSTOMAUTH_TTL_EXPIRATION",
	} {
		all = append(all, Entry{EventType: Disconnect, DisconnectReason: reason}, Entry{EventType: Connect, DisconnectReason: reason, ReasonCode: 0x80})
	}
	for _, code := range []byte{0x81, 0x82, 0x84, 0x85, 0x8C, 0x8F, 0x90, 0x91, 0x93, 0x94, 0x95, 0x97, 0x99, 0x9B, 0x9E, 0xA1} {
		all = append(all, Entry{EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: code})
	}
	for _, reason := range []string{
		ReasonCertificateUnknown, ReasonCertificateInactive, ReasonCertificateRevoked, ReasonCertificateExpired,
		ReasonCertificateTooEarly, ReasonNotAuthenticated, ReasonHandshake, ReasonNoConnect, ReasonTooManySockets,
	} {
		all = append(all, Entry{EventType: AuthNError, Reason: reason})
	}
	for _, reason := range []string{ReasonQueueFull, ReasonSlowReader, ReasonTooLarge, ReasonExpired, ReasonRedeliveryOver} {
		all = append(all, Entry{EventType: Queued, Reason: reason})
	}
	for _, event := range []string{Connect, Subscribe, PublishIn, PublishOut} {
		all = append(all, Entry{EventType: event, Reason: ReasonAuthorization, ReasonCode: 0x87})
	}
	for _, event := range []string{Connect, Subscribe, PublishIn} {
		all = append(all, Entry{EventType: event, Reason: ReasonThrottled, ReasonCode: 0x97})
	}
	for i := range all {
		e := &all[i]
		if e.fill(""); e.Remedy == "" || e.Status != Failure {
			t.Errorf("%s %s %s 0x%02X: status %s, no remedy", e.EventType, e.DisconnectReason, e.Reason, e.ReasonCode, e.Status)
		}
	}
}

func TestNearestRemedyHolds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e    Entry
		want string
	}{
		{Entry{EventType: Disconnect, DisconnectReason: "SERVER_INITIATED_DISCONNECT", ReasonCode: 0x87}, "certificate"},
		{Entry{EventType: Disconnect, DisconnectReason: "SERVER_INITIATED_DISCONNECT", ReasonCode: 0x8B}, "restarted"},
		{Entry{EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: 0x9B}, "QoS 1"},
		{Entry{EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: 0xF0}, "library"},
		{Entry{EventType: PublishIn, Reason: ReasonAuthorization, ReasonCode: 0x87}, "iot:Publish"},
		{Entry{EventType: PublishOut, Reason: ReasonAuthorization}, "iot:Receive"},
		{Entry{EventType: Unsubscribe, ReasonCode: 0x8F}, "filter"},
		{Entry{EventType: Connect}, ""},
	} {
		if got := Remedy(&tc.e); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("the remedy of %s %s 0x%02X is %q", tc.e.EventType, tc.e.DisconnectReason+tc.e.Reason, tc.e.ReasonCode, got)
		}
	}
	e := Entry{EventType: Connect, Reason: ReasonThrottled, Remedy: "my own words"}
	if e.fill(""); e.Remedy != "my own words" {
		t.Errorf("a remedy that was given became %q", e.Remedy)
	}
}
