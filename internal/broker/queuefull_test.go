package broker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// told opens a journal and gives what it says of a client, as "event reason: cause".
func told(t *testing.T) (j *journal.Journal, of func(clientID string) []string) {
	t.Helper()
	j, err := journal.Open(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return j, func(clientID string) (lines []string) {
		for _, e := range j.Query(journal.Query{ClientID: clientID}) {
			lines = append(lines, e.EventType+" "+e.Reason+": "+e.Cause)
			if e.Remedy == "" {
				t.Errorf("no remedy: %+v", e)
			}
		}
		return lines
	}
}

// What each limit of a queue costs is told, with the limit's name, for the client whose queue it is.
func TestQueueFullIsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  func(*Limits)
		refuse bool
		wait   time.Duration
		want   string
	}{
		{"messages", func(l *Limits) { l.QueueMessages = 1 }, false, 0, "limit of 1 messages: the newest messages are lost"},
		{"bytes", func(l *Limits) { l.QueueBytes = 5 }, false, 0, "limit of 5 bytes: the newest messages are lost"},
		{"age", func(l *Limits) { l.QueueAge = time.Hour }, false, time.Hour, "waited for 1h0m0s: the newest messages are lost"},
		{"messages, refused", func(l *Limits) { l.QueueMessages = 1 }, true, 0, "limit of 1 messages: its publisher was refused"},
		{"bytes, refused", func(l *Limits) { l.QueueBytes = 5 }, true, 0, "limit of 5 bytes: its publisher was refused"},
		{"age, refused", func(l *Limits) { l.QueueAge = time.Hour }, true, time.Hour, "waited for 1h0m0s: its publisher was refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, limits := mem.New(), OpenLimits()
				c.limit(&limits)
				limits.RefuseWhenFull = c.refuse
				j, of := told(t)
				b := openTestWith(t, s, limits, j)
				away, _ := connect(t, b, ConnectRequest{Caller: anybody("away"), Expiry: 24 * time.Hour, Link: newLink()})
				subscribe(t, away, SubscribeRequest{Filter: "x", QoS: 1})
				away.Close(Cause{Reason: ConnectionLost})
				by := anybody("p")
				first := publishOne(b, by, &Message{Topic: "x", QoS: 1, Payload: []byte("1234")})
				time.Sleep(c.wait)
				second := publishOne(b, by, &Message{Topic: "x", QoS: 1, Payload: []byte("1234")})
				if first != nil || (second != nil) != c.refuse {
					t.Errorf("the first: %v, the second: %v", first, second)
				}
				if c.refuse {
					refusedFor(t, second)
				}
				lines := of("away")
				if len(lines) != 1 || !strings.HasPrefix(lines[0], "Queued QUEUE_FULL: the session's queue ") || !strings.HasSuffix(lines[0], c.want) {
					t.Errorf("%q", lines)
				}
				if n := b.Counts().DroppedQueueFull.Load(); (n == 0) != c.refuse {
					t.Errorf("%d are counted as lost", n)
				}
				b.Close()
				if err := j.Close(); err != nil {
					t.Error(err)
				}
				_ = s.Close()
			})
		})
	}
}

// The publisher hears that a queue is full, and only the journal whose.
func refusedFor(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.Throttled) || strings.Contains(err.Error(), "away") {
		t.Errorf("refused by %v", err)
	}
	e := Entry(journal.Entry{EventType: journal.PublishIn}, err)
	if e.Reason != journal.ReasonQueueFull || !strings.Contains(e.Cause, `that of "away"`) || e.Remedy == "" {
		t.Errorf("%+v", e)
	}
}
