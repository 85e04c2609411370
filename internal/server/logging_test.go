package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
)

func TestLevelsOfLoggingOptions(t *testing.T) {
	got := levelsOf(&registry.Logging{
		DefaultLevel: registry.LogWarn, DisableAll: true, Events: map[string]registry.LogLevel{journal.Connect: registry.LogDebug},
		Targets: []registry.LogTarget{
			{Type: registry.LogClientID, Name: "lamp", Level: registry.LogInfo},
			{Type: registry.LogPrincipalID, Name: "c0ffee", Level: registry.LogDisabled},
			{Type: registry.LogSourceIP, Name: "192.0.2.1", Level: registry.LogError},
		},
	})
	want := &journal.Levels{
		Off: true, Default: journal.LevelWarn, Events: map[string]string{journal.Connect: journal.LevelDebug},
		Clients:    map[string]string{"lamp": journal.LevelInfo},
		Principals: map[string]string{"c0ffee": journal.LevelDisabled},
		Addresses:  map[string]string{"192.0.2.1": journal.LevelError},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The journal obeys what the API was told, in this life of the server and in the next.
func TestJournalObeysLoggingOptions(t *testing.T) {
	cfg := quiet(t)
	s, admin := begin(t, cfg)
	call := func(path string, body any) {
		t.Helper()
		if err := admin.Do(t.Context(), Call{Method: "POST", Path: path, In: body}); err != nil {
			t.Fatal(err)
		}
	}
	happen := func(s *Server, client string) {
		s.rooms.journal.Record(journal.Entry{ClientID: client, EventType: journal.Connect})
		s.rooms.journal.Record(journal.Entry{ClientID: client, EventType: journal.PublishIn, Status: journal.Failure})
	}
	happen(s, "before")
	call("/v2LoggingOptions", map[string]any{"defaultLogLevel": "ERROR"})
	call("/v2LoggingLevel", map[string]any{"logTarget": map[string]string{"targetType": "CLIENT_ID", "targetName": "lamp"}, "logLevel": "INFO"})
	happen(s, "door")
	happen(s, "lamp")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s, admin = begin(t, cfg)
	happen(s, "window")
	call("/v2LoggingOptions", map[string]any{"disableAllLogs": true})
	happen(s, "lamp")
	var got []string
	for _, e := range s.rooms.journal.Query(journal.Query{}) {
		got = append(got, e.ClientID+" "+e.EventType)
	}
	want := []string{"before Connect", "before Publish-In", "door Publish-In", "lamp Connect", "lamp Publish-In", "window Publish-In"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
