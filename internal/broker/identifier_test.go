package broker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store/mem"
)

// TestSessionIdentifierLivesAsLongAsTheSession: lifecycle events name a session, not a connection (AWS IoT Core developer
// guide, "Lifecycle events"): a persistent one keeps its identifier through absences and restarts, a clean start brings
// another.
func TestSessionIdentifierLivesAsLongAsTheSession(t *testing.T) {
	s := mem.New()
	defer s.Close() //nolint:errcheck // a store in memory
	connect := func(b *Broker, clean bool) string {
		c, _, err := b.Connect(ConnectRequest{
			Caller: anybody("lamp"), Protocol: 5, CleanStart: clean, Expiry: time.Hour, Link: newLink(),
		})
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan string, 1)
		watch, _ := b.Serve(anybody(""), []SubscribeRequest{{Filter: "$aws/events/presence/connected/lamp"}}, func(r Received) {
			var e struct {
				SessionIdentifier string `json:"sessionIdentifier"`
			}
			if err := json.Unmarshal(r.Message.Payload, &e); err != nil {
				t.Error(err)
			}
			events <- e.SessionIdentifier
		})
		c.Start()
		id := <-events
		watch.Close()
		c.Disconnect(nil)
		c.Close(Cause{Reason: ClientInitiated})
		return id
	}
	b := openTest(t, s, OpenLimits())
	first, second := connect(b, true), connect(b, false)
	b.Close()
	b = openTest(t, s, OpenLimits())
	defer b.Close()
	third, fresh := connect(b, false), connect(b, true)
	if first == "" || second != first || third != first {
		t.Errorf("one session was called %q, %q and after a restart %q", first, second, third)
	}
	if fresh == first {
		t.Error("a clean start has the old session's identifier")
	}
}
