package broker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// stubborn is a store that takes nothing while it refuses.
type stubborn struct {
	store.Store

	refuses atomic.Bool
}

func (s *stubborn) Commit(b *store.Batch) *store.Ticket {
	if !s.refuses.Load() {
		return s.Store.Commit(b)
	}
	t := b.Ticket()
	b.Complete(fault.New(fault.Unavailable, "the disk is full"))
	return t
}

// What ends while the store cannot write is written when it can again: no session that is over and no will that is void
// comes back with the next start.
func TestWhatTheStoreRefusedIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := mem.New()
		s := &stubborn{Store: inner}
		b := openTest(t, s, OpenLimits())
		over, _ := connect(t, b, ConnectRequest{Caller: anybody("over"), Protocol: 5, Link: newLink(), Expiry: time.Hour})
		subscribe(t, over, SubscribeRequest{Filter: "a/#", QoS: 1})
		subscribe(t, over, SubscribeRequest{Filter: "$share/g/b", QoS: 1})
		if err := publishOne(b, anybody("p"), &Message{Topic: "a/1", Payload: []byte("1"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		polite, _ := connect(t, b, ConnectRequest{
			Caller: anybody("polite"), Protocol: 5, Link: newLink(), Expiry: time.Hour,
			Will: &Message{Topic: "a/will", Payload: []byte("gone"), QoS: 1},
		})
		away, _ := connect(t, b, ConnectRequest{Caller: anybody("away"), Protocol: 5, Link: newLink(), Expiry: time.Hour})

		s.refuses.Store(true)
		never := time.Duration(0)
		over.Disconnect(&never)
		over.Close(Cause{Reason: ClientInitiated})
		polite.Disconnect(nil)
		polite.Close(Cause{Reason: ClientInitiated})
		time.Sleep(time.Minute)
		away.Close(Cause{Reason: ConnectionLost})
		time.Sleep(3 * owedPause)
		s.refuses.Store(false)
		time.Sleep(owedPause)
		synctest.Wait()

		keys := map[string][]string{}
		for _, bucket := range []string{bucketSessions, bucketSubscriptions, bucketWills, bucketGroups} {
			for d, err := range inner.List(t.Context(), bucket, "", "", 0) {
				if err != nil {
					t.Fatal(err)
				}
				keys[bucket] = append(keys[bucket], d.Key)
			}
		}
		if got := keys[bucketSessions]; len(got) != 2 || got[0] != "5/away" || got[1] != "5/polite" {
			t.Errorf("sessions %q", got)
		}
		for _, bucket := range []string{bucketSubscriptions, bucketWills, bucketGroups} {
			if len(keys[bucket]) > 0 {
				t.Errorf("%s: %q", bucket, keys[bucket])
			}
		}
		for id, err := range inner.QueueIDs(t.Context()) {
			t.Errorf("queue %d is there (%v)", id, err)
		}
		d, err := inner.Get(t.Context(), bucketSessions, "5/away")
		if err != nil {
			t.Fatal(err)
		}
		if r, err := restoreSession(d); err != nil || r.left == 0 {
			t.Errorf("the time of disconnect is not there: %s, %v", d.Value, err)
		}
		if n := len(b.owed.chores); n > 0 {
			t.Errorf("%d changes are still owed", n)
		}
		b.Close()
		if err := inner.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
