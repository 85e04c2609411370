package broker

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// Publishers who fill queues at the same time: a message is in every queue that has to keep it, or was refused and is in
// none, and no limit is passed.
func TestRefusedMessagesAreInNoQueue(t *testing.T) {
	t.Parallel()
	s, limits := mem.New(), OpenLimits()
	limits.QueueMessages, limits.RefuseWhenFull = 50, true
	b := openTest(t, s, limits)
	names := []string{"one", "two", "three"}
	for i, name := range names {
		c, _ := connect(t, b, ConnectRequest{Caller: anybody(name), Expiry: time.Hour, Link: newLink()})
		subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1, RetainAsPublished: i == 0})
		c.Close(Cause{Reason: ConnectionLost})
	}
	var mu sync.Mutex
	var accepted []string
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			by := anybody(fmt.Sprint("publisher", p))
			for n := range 50 {
				payload := fmt.Sprintf("%d/%d", p, n)
				if publishOne(b, by, &Message{Topic: "x", QoS: 1, Payload: []byte(payload)}) == nil {
					mu.Lock()
					accepted = append(accepted, payload)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(accepted)
	if len(accepted) > limits.QueueMessages || len(accepted) < limits.QueueMessages-4 {
		t.Errorf("%d messages were accepted by queues of %d", len(accepted), limits.QueueMessages)
	}
	for _, name := range names {
		link := newLink()
		c, _ := connect(t, b, ConnectRequest{Caller: anybody(name), Expiry: time.Hour, Link: link})
		got := c.drained(t, link)
		slices.Sort(got)
		if !slices.Equal(got, accepted) {
			t.Errorf("%s has %d messages, accepted were %d", name, len(got), len(accepted))
		}
		if n, size := c.session.messages.Load(), c.session.bytes.Load(); n != 0 || size != 0 {
			t.Errorf("the empty queue of %s counts %d messages of %d bytes", name, n, size)
		}
	}
	b.Close()
	_ = s.Close()
}

// drained waits until the link has got all that the session holds, acknowledges it, and gives it.
func (c *Connection) drained(t *testing.T, link *testLink) (got []string) {
	t.Helper()
	for c.session.messages.Load() > 0 {
		var seqs []uint64
		for _, r := range link.take() {
			got, seqs = append(got, r.payload), append(seqs, r.seq)
		}
		c.Ack(seqs)
		runtime.Gosched()
	}
	return got
}
