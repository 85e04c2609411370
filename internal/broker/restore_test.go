package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// A document that cannot be understood keeps nobody else away: what it belongs to is set aside, in words, and its queue
// stays until its client has a session again.
func TestDamageIsSetAside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		harm    func(sick *session) store.DocOp
		present bool
		want    string
	}{
		{"session", func(s *session) store.DocOp {
			return store.DocOp{Bucket: bucketSessions, Key: s.key(), Value: []byte("{")}
		}, false, `session "5/sick" in the store is damaged`},
		{"session without a queue", func(s *session) store.DocOp {
			return store.DocOp{Bucket: bucketSessions, Key: s.key(), Value: []byte("{}")}
		}, false, `session "5/sick" in the store is damaged: it has no queue`},
		{"subscription", func(s *session) store.DocOp {
			return store.DocOp{Bucket: bucketSubscriptions, Key: s.subKey("x"), Value: []byte("?")}
		}, false, `is damaged`},
		{"filter", func(s *session) store.DocOp {
			return store.DocOp{Bucket: bucketSubscriptions, Key: s.subKey("a/#/b"), Value: []byte("{}")}
		}, false, `subscription "`},
		{"will", func(s *session) store.DocOp {
			return store.DocOp{Bucket: bucketWills, Key: s.willKey(1), Value: []byte("{}")}
		}, true, `will "`},
		{"shared subscription", func(*session) store.DocOp {
			return store.DocOp{Bucket: bucketGroups, Key: "g/x", Value: []byte("{}")}
		}, true, `group "g/x" in the store is damaged: it has no queue`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := mem.New()
			b := openTest(t, s, OpenLimits())
			open := func(id string) *Connection {
				conn, _ := connect(t, b, ConnectRequest{Caller: anybody(id), Protocol: 5, Link: newLink(), Expiry: time.Hour})
				subscribe(t, conn, SubscribeRequest{Filter: "x", QoS: 1})
				subscribe(t, conn, SubscribeRequest{Filter: "$share/g/x", QoS: 1})
				return conn
			}
			sick := open("sick").session
			open("well")
			b.Close()
			publish := func(b *Broker, payload string) {
				t.Helper()
				if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte(payload), QoS: 1}); err != nil {
					t.Fatal(err)
				}
			}
			b = openTest(t, s, OpenLimits())
			publish(b, "before")
			b.Close()
			if err := s.Commit(&store.Batch{Docs: []store.DocOp{c.harm(sick)}}).Wait(); err != nil {
				t.Fatal(err)
			}

			j, err := journal.Open(journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close() //nolint:errcheck // nothing of it is on disk
			b = openTestWith(t, s, OpenLimits(), j)
			publish(b, "after")
			if stats, err := s.QueueStats(t.Context(), sick.queue); err != nil || stats.Last == 0 {
				t.Errorf("the queue of what is damaged was swept away: %+v, %v", stats, err)
			}
			well, ill := newLink(), newLink()
			if _, present := connect(t, b, ConnectRequest{Caller: anybody("well"), Protocol: 5, Link: well, Expiry: time.Hour}); !present {
				t.Error("the whole session is gone")
			}
			back, present := connect(t, b, ConnectRequest{Caller: anybody("sick"), Protocol: 5, Link: ill, Expiry: time.Hour})
			if present != c.present {
				t.Errorf("session present %v, want %v", present, c.present)
			}
			subscribe(t, back, SubscribeRequest{Filter: "x", QoS: 1})
			publish(b, "at last")
			b.work.wg.Wait()
			if got := payloads(well.take()); !strings.Contains(got, "before") || !strings.Contains(got, "after") || !strings.Contains(got, "at last") {
				t.Errorf("the whole session received %q", got)
			}
			if got := payloads(ill.take()); !strings.Contains(got, "at last") {
				t.Errorf("the other one received %q", got)
			}
			var said strings.Builder
			for _, e := range j.Query(journal.Query{}) {
				said.WriteString(e.Cause)
			}
			if got := said.String(); !strings.Contains(got, c.want) || !strings.Contains(got, "set aside") {
				t.Errorf("the journal says %q", got)
			}
			b.Close()

			b = openTest(t, s, OpenLimits())
			defer b.Close()
			if _, present := connect(t, b, ConnectRequest{Caller: anybody("sick"), Protocol: 5, Link: newLink(), Expiry: time.Hour}); !present {
				t.Error("the session that replaced it did not last")
			}
		})
	}
}
