package receive

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/mem"
)

const (
	testAccount = "000000000000"
	testRegion  = "us-east-1"
	testSecret  = "0123456789abcdef"
)

// message is one that was published.
type message struct {
	Topic   string
	Payload []byte
	QoS     byte
}

// world is receiving endpoints over a broker on memory.
type world struct {
	*Receiver
	t       testing.TB
	store   *mem.Store
	broker  *broker.Broker
	journal *journal.Journal
	got     <-chan message
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, store: mem.New()}
	var err error
	if w.journal, err = journal.Open(journal.Options{Account: testAccount, Window: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	w.broker, err = broker.Open(t.Context(), broker.Config{
		Store: w.store, Limits: broker.OpenLimits(), Log: slog.New(slog.DiscardHandler), Journal: w.journal,
		Account: testAccount, Region: testRegion,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.broker.Close()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
		if err := w.journal.Close(); err != nil {
			t.Error(err)
		}
	})
	w.reopen()
	got := make(chan message, 1000)
	s, results := w.broker.Serve(broker.NewCaller("listener", "", policy.AllowAll(), nil), []broker.SubscribeRequest{{Filter: "#", QoS: 1}},
		func(r broker.Received) {
			got <- message{r.Message.Topic, bytes.Clone(r.Message.Payload), r.Message.QoS}
		})
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	t.Cleanup(s.Close)
	w.got = got
	return w
}

// reopen reads the endpoints anew, as a new start does.
func (w *world) reopen() {
	w.t.Helper()
	r, err := Open(w.t.Context(), Config{
		Account: testAccount, Region: testRegion, Store: w.store, Broker: w.broker, Journal: w.journal, Origin: "server-1",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Receiver = r
}

// make makes an endpoint with testSecret.
func (w *world) make(e Endpoint) *Endpoint {
	w.t.Helper()
	out, _, err := w.Create(w.t.Context(), e, testSecret)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// send sends a callback; headers are "Name: value".
func (w *world) send(method, uri, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, uri, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

const (
	asJSON = "Content-Type: application/json"
	asForm = "Content-Type: application/x-www-form-urlencoded"
)

// sendJSON sends to an endpoint with the secret in its path.
func (w *world) sendJSON(name, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(http.MethodPost, Prefix+name+"/"+testSecret, body, asJSON)
}

// next is the next message that was published.
func (w *world) next() message {
	w.t.Helper()
	select {
	case m := <-w.got:
		return m
	case <-time.After(10 * time.Second):
		w.t.Fatal("nothing was published")
		return message{}
	}
}

// nothing expects that what was sent so far published nothing more: a message of the test's own comes first.
func (w *world) nothing() {
	w.t.Helper()
	w.publish("end", "", false)
	if m := w.next(); m.Topic != "end" {
		w.t.Errorf("published on %s: %s", m.Topic, m.Payload)
	}
}

func (w *world) publish(topic, payload string, retain bool) {
	w.t.Helper()
	done := make(chan struct{})
	b := &broker.Batch{Done: func(*broker.Batch) { close(done) }}
	m := b.Add()
	m.Topic, m.Payload, m.Retain, m.QoS = topic, []byte(payload), retain, 1
	if !w.broker.Publish(broker.NewCaller("test", "", policy.AllowAll(), nil), b) {
		<-done
	}
	if b.Results[0] != nil {
		w.t.Fatal(b.Results[0])
	}
}

// newRequest is a callback of anything; what net/http would not let in is left out.
func (w *world) newRequest(t *testing.T, kind, query, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Prefix+"e/"+testSecret, strings.NewReader(body))
	r.URL.RawQuery = query
	r.Header.Set("Content-Type", kind)
	return r
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

// publishAs publishes on a topic in the name of an endpoint.
func publishAs(w *world, c *compiled, topic string) error {
	done := make(chan struct{})
	b := &broker.Batch{Done: func(*broker.Batch) { close(done) }}
	b.Add().Topic = topic
	if !w.broker.Publish(c.caller(), b) {
		<-done
	}
	return b.Results[0]
}
