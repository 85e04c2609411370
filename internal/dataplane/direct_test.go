package dataplane

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
)

// send is the message of the JavaScript SDK as it was captured (API reference, 5.6), with other queries.
func (w *world) send(id, query, payload string, headers ...string) *answer {
	w.t.Helper()
	return w.do(request{method: http.MethodPost, uri: "/connections/" + id + "/messages?" + query, body: strings.NewReader(payload), headers: headers})
}

func TestSendDirectMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	others := w.listen("a/b")
	c := w.connect("c1", nil) // subscribes to nothing
	a := w.send("c1", "contentType=text%2Fplain&responseTopic=r%2Ft&topic=a%2Fb", "x\x00",
		"x-amz-mqtt5-user-properties: W3siayI6InYifV0=", "x-amz-mqtt5-payload-format-indicator: UTF8_DATA", "x-amz-mqtt5-correlation-data: Y29ycg==")
	if a.status != 200 || a.body["message"] != "OK" || a.body["traceId"] != a.header.Get("x-amzn-RequestId") {
		t.Errorf("%d %s", a.status, a.text)
	}
	got := <-c.got
	want := &broker.Properties{
		HasPayloadFormat: true, PayloadFormat: 1, ContentType: "text/plain", ResponseTopic: "r/t", CorrelationData: []byte("corr"),
		User: []broker.UserProperty{{Key: "k", Value: "v"}},
	}
	if diff := cmp.Diff(want, got.props); diff != "" || got.topic != "a/b" || got.payload != "x\x00" || got.qos != 0 || got.retain || got.seq != 0 {
		t.Errorf("%+v %s", got, diff)
	}

	answered := make(chan *answer)
	go func() { answered <- w.send("c1", "topic=a%2Fb&confirmation=true&timeout=15", "y") }()
	got = <-c.got
	if got.qos != 1 || got.payload != "y" || got.seq == 0 {
		t.Errorf("%+v", got)
	}
	select {
	case a := <-answered:
		t.Fatalf("%d before PUBACK", a.status)
	default:
	}
	c.ack(got)
	c.ack(got) // as a client may
	if a := <-answered; a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.mustPublish("/topics/a/b?qos=1", "published")
	if r := <-others; string(r.Message.Payload) != "published" {
		t.Errorf("a direct message reached a subscriber: %q", r.Message.Payload)
	}
	if a := w.get("/retainedMessage/a%2Fb"); a.status != 404 {
		t.Errorf("a direct message was retained: %s", a.text)
	}
}

func TestSendDirectMessageRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	c := w.connect("c1", nil)
	w.connect("away", persistent).leave()
	w.connect("deaf", func(r *broker.ConnectRequest) {
		r.Caller.SetRights(compile(t, "allow iot:Connect client/*\nallow iot:Receive topic/ok"), nil)
	})
	for _, t1 := range []struct {
		name, id, query string
		size            int
		status          int
		words           string
	}{
		{"no topic", "c1", "", 1, 400, "no topic"},
		{"empty topic", "c1", "topic=", 1, 400, "topic"},
		{"wildcard", "c1", "topic=a%2F%23", 1, 400, "wildcard"},
		{"reserved", "c1", "topic=%24aws%2Fthings%2Ft%2Fshadow%2Fget%2Faccepted", 1, 400, "reserved"},
		{"topic twice", "c1", "topic=a&topic=a", 1, 400, "twice"},
		{"confirmation", "c1", "topic=a&confirmation=1", 1, 400, "true or false"},
		{"timeout 0", "c1", "topic=a&confirmation=true&timeout=0", 1, 400, "1 to 15"},
		{"timeout 16", "c1", "topic=a&confirmation=true&timeout=16", 1, 400, "1 to 15"},
		{"timeout text", "c1", "topic=a&timeout=5s", 1, 400, "1 to 15"},
		{"response topic", "c1", "topic=a&responseTopic=%2B", 1, 400, "wildcard"},
		{"client id", "%24c", "topic=a", 1, 400, "client id"},
		{"too large", "c1", "topic=a", 128<<10 + 1, 413, "limit"},
		{"nobody", "c2", "topic=a", 1, 404, `"c2" is not connected`},
		{"away", "away", "topic=a&confirmation=true", 1, 404, "persistent session"},
		{"may not receive", "deaf", "topic=a", 1, 403, "not allowed to receive"},
	} {
		w.caller.Principal = t1.name
		a := w.send(t1.id, t1.query, strings.Repeat("x", t1.size))
		if a.status != t1.status || !strings.Contains(a.message(), t1.words) {
			t.Errorf("%s: %d %s", t1.name, a.status, a.text)
		}
		e := w.lastEntry()
		if e.EventType != journal.SendDirect || e.TraceID != a.body["traceId"] && e.Count < 2 || e.Protocol != "HTTP" || e.ClientID == "" || e.Remedy == "" || e.PrincipalID != t1.name {
			t.Errorf("%s: %+v", t1.name, e)
		}
		if t1.status == 404 && e.TopicName != "a" {
			t.Errorf("%s: topic %q in the journal", t1.name, e.TopicName)
		}
	}
	if a := w.send("deaf", "topic=ok", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.may(`allow iot:SendDirectMessage client/c1 if {"StringLike":{"iot:Topic":"a/*"}}`)
	for query, status := range map[string]int{"topic=a%2Fb": 200, "topic=b": 403} {
		if a := w.send("c1", query, ""); a.status != status {
			t.Errorf("%s: %d %s", query, a.status, a.text)
		}
	}
	if got := <-c.got; got.topic != "a/b" || len(c.got) > 0 {
		t.Errorf("%+v and %d more", got, len(c.got))
	}
	c.mu.Lock()
	c.full = true
	c.mu.Unlock()
	if a := w.send("c1", "topic=a%2Fb&confirmation=true", ""); a.status != 429 {
		t.Errorf("a client that does not read: %d %s", a.status, a.text)
	}
}

// TestSendDirectMessageTimeout: the call waits as long as it was told, 5 s by itself, and no longer than the client is there.
func TestSendDirectMessageTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, broker.OpenLimits())
		c := w.connect("c1", nil)
		for query, want := range map[string]time.Duration{"": 5 * time.Second, "&timeout=1": time.Second, "&timeout=15": 15 * time.Second} {
			began := time.Now()
			a := w.send("c1", "topic=a&confirmation=true"+query, "")
			if took := time.Since(began); a.status != 504 || a.name != "GatewayTimeoutException" || took != want {
				t.Errorf("%q: %d %s after %s", query, a.status, a.text, took)
			}
			c.ack(<-c.got) // too late
		}
		if e := w.lastEntry(); e.Reason != "CONFIRMATION_TIMEOUT" || e.Remedy == "" || strings.Contains(e.Cause, "CONFIRMATION") {
			t.Errorf("%+v", e)
		}
		answered := make(chan *answer)
		go func() { answered <- w.send("c1", "topic=a&confirmation=true", "") }()
		<-c.got
		c.leave()
		if a := <-answered; a.status != 404 || !strings.Contains(a.message(), "before it acknowledged") {
			t.Errorf("%d %s", a.status, a.text)
		}
		c = w.connect("c1", nil)
		ctx, cancel := context.WithCancel(t.Context())
		r := w.newRequest(request{method: http.MethodPost, uri: "/connections/c1/messages?topic=a&confirmation=true"})
		go func() { answered <- w.serve(r.WithContext(joined{ctx, r.Context()})) }()
		<-c.got
		cancel()
		if a := <-answered; a.status != 500 {
			t.Errorf("%d %s", a.status, a.text)
		}
	})
}

func TestSendDirectMessageThrottled(t *testing.T) {
	t.Parallel()
	limits := broker.OpenLimits()
	limits.Data.DirectMessages = 2
	w := newWorld(t, limits)
	w.connect("c1", nil)
	for i, status := range []int{200, 200, 429} {
		if a := w.send("c1", "topic=a", ""); a.status != status {
			t.Errorf("%d: %d %s", i, a.status, a.text)
		}
	}
}

// TestDirectMessagesAndTheEnd: many senders, a client that acknowledges, and its end in the middle: everybody gets an
// answer, and nobody is told that a message arrived which was not acknowledged.
func TestDirectMessagesAndTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	for range 20 {
		c := w.connect("c1", nil)
		const senders = 8
		var acked sync.Map
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				payload := string(rune('a' + i))
				switch a := w.send("c1", "topic=a&confirmation=true", payload); a.status {
				case 200:
					if _, ok := acked.Load(payload); !ok {
						t.Errorf("%s was confirmed and never acknowledged", payload)
					}
				case 404:
				default:
					t.Errorf("%d %s", a.status, a.text)
				}
			})
		}
		for range senders / 2 {
			d := <-c.got
			acked.Store(d.payload, true)
			c.ack(d)
		}
		if a := w.remove("/connections/c1"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.text)
		}
		wg.Wait()
	}
}

// TestReceiverWithoutPolicies: a receiver whose rights were taken away gets nothing.
func TestReceiverWithoutPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	var by *broker.Caller
	c := w.connect("c1", func(r *broker.ConnectRequest) { by = r.Caller })
	by.SetRights(policy.Compile(), nil)
	if a := w.send("c1", "topic=a", ""); a.status != 403 || len(c.got) > 0 {
		t.Errorf("%d %s", a.status, a.text)
	}
}
