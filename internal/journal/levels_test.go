package journal

import (
	"testing"
	"time"
)

// Which of some entries are kept, by the levels.
func TestLevels(t *testing.T) {
	t.Parallel()
	entries := []Entry{
		{ClientID: "lamp", EventType: Connect, PrincipalID: "c0ffee?token=x", SourceIP: "192.0.2.1"},
		{ClientID: "lamp", EventType: PublishIn, Reason: ReasonAuthorization, PrincipalID: "c0ffee"},
		{ClientID: "door", EventType: Connect, PrincipalID: "abc", SourceIP: "192.0.2.2"},
		{ClientID: "door", EventType: Queued, LogLevel: LevelWarn, Status: Failure},
		{ClientID: "door", EventType: Disconnect, DisconnectReason: "CONNECTION_LOST"},
	}
	const (
		lampIn     = "lamp Connect Success"
		lampDenied = "lamp Publish-In Failure AUTHORIZATION_FAILURE"
		doorIn     = "door Connect Success"
		doorQueued = "door Queued Failure"
		doorLost   = "door Disconnect Failure CONNECTION_LOST"
		own        = " Journal Failure TEST"
	)
	info, warn, failures, off := LevelInfo, LevelWarn, LevelError, LevelDisabled
	for _, c := range []struct {
		name   string
		levels *Levels
		want   []string
	}{
		{"none", nil, []string{lampIn, lampDenied, doorIn, doorQueued, doorLost}},
		{"debug", &Levels{Default: LevelDebug}, []string{lampIn, lampDenied, doorIn, doorQueued, doorLost}},
		{"info", &Levels{Default: info}, []string{lampIn, lampDenied, doorIn, doorQueued, doorLost}},
		{"warn", &Levels{Default: warn}, []string{lampDenied, doorQueued, doorLost}},
		{"error", &Levels{Default: failures}, []string{lampDenied, doorLost}},
		{"disabled", &Levels{Default: off}, nil},
		{"off", &Levels{Default: info, Off: true, Clients: map[string]string{"lamp": info}}, nil},
		{"a client", &Levels{Default: off, Clients: map[string]string{"lamp": info}}, []string{lampIn, lampDenied}},
		{"a quiet client", &Levels{Default: info, Clients: map[string]string{"lamp": off}}, []string{doorIn, doorQueued, doorLost}},
		{"an address", &Levels{Default: off, Addresses: map[string]string{"192.0.2.2": info}}, []string{doorIn}},
		{"a principal", &Levels{Default: off, Principals: map[string]string{"c0ffee": info}}, []string{lampIn, lampDenied}},
		{
			"two that match",
			&Levels{Default: info, Clients: map[string]string{"lamp": off}, Principals: map[string]string{"c0ffee": failures}},
			[]string{lampDenied, doorIn, doorQueued, doorLost},
		},
		{"an event type", &Levels{Default: failures, Events: map[string]string{Connect: info, Disconnect: off}}, []string{lampIn, lampDenied, doorIn}},
		{
			"a client before an event type",
			&Levels{Default: off, Events: map[string]string{Connect: info}, Clients: map[string]string{"lamp": failures}},
			[]string{lampDenied, doorIn},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := open(t, Options{Window: time.Hour})
			j.Obey(c.levels)
			for _, e := range entries {
				j.Record(e)
			}
			j.Record(Entry{EventType: OwnEvent, Reason: "TEST"})
			got := j.Query(Query{})
			for i := range got {
				got[i].Cause = ""
			}
			expect(t, got, append(append([]string{}, c.want...), own)...)
		})
	}
}

// Levels decide by the level that an entry will show.
func TestLevelsSeeTheLevelThatIsShown(t *testing.T) {
	t.Parallel()
	for _, e := range []Entry{
		{EventType: Connect},
		{EventType: Connect, Status: Failure},
		{EventType: Connect, Reason: ReasonAuthorization},
		{EventType: Disconnect, DisconnectReason: "CLIENT_INITIATED_DISCONNECT"},
		{EventType: Disconnect, DisconnectReason: "DUPLICATE_CLIENTID"},
		{EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: codePacketTooLarge},
		{EventType: Queued, LogLevel: LevelWarn, Status: Failure},
		{EventType: PublishIn, LogLevel: LevelInfo, Status: Failure},
	} {
		before := e.level()
		if e.fill(""); e.LogLevel != before {
			t.Errorf("%+v is decided as %s", e, before)
		}
	}
}

func TestLevelsChangeWhileOpen(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	j.Record(Entry{ClientID: "a", EventType: Connect})
	j.Obey(&Levels{Off: true})
	j.Record(Entry{ClientID: "b", EventType: Connect})
	j.Obey(nil)
	j.Record(Entry{ClientID: "c", EventType: Connect})
	expect(t, j.Query(Query{}), "a Connect Success", "c Connect Success")
}
