package dataplane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/mem"
)

const (
	testAccount = "000000000000"
	testRegion  = "us-east-1"
)

// world is a data plane over a broker on memory, with a caller in front.
type world struct {
	t       testing.TB
	store   *mem.Store
	broker  *broker.Broker
	journal *journal.Journal
	handler *Handler
	caller  awsapi.Caller
}

// newWorld makes a world whose caller may do everything.
func newWorld(t testing.TB, limits broker.Limits) *world {
	t.Helper()
	w := &world{t: t, store: mem.New()}
	var err error
	if w.journal, err = journal.Open(journal.Options{Account: testAccount, Window: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	w.broker, err = broker.Open(t.Context(), broker.Config{
		Store: w.store, Limits: limits, Log: slog.New(slog.DiscardHandler), Journal: w.journal,
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
	w.handler = New(Config{Broker: w.broker, Journal: w.journal})
	w.caller = w.anybody()
	return w
}

func (w *world) anybody() awsapi.Caller {
	return awsapi.Caller{
		ARN: "arn:aws:iam::" + testAccount + ":user/ann", Principal: testAccount + "/AIDANN", Policies: policy.AllowAll(),
		Vars: &policy.Connection{SourceIP: netip.MustParseAddr("192.0.2.7")}, Service: "iotdata",
	}
}

// may gives the caller a policy of lines "allow|deny ACTION RESOURCE [if CONDITION]", the resource without its ARN head.
func (w *world) may(text string) { w.caller.Policies = compile(w.t, text) }

func compile(t testing.TB, text string) *policy.Set {
	t.Helper()
	var statements []string
	for line := range strings.Lines(text) {
		line, condition, conditional := strings.Cut(strings.TrimSpace(line), " if ")
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("a policy line is allow|deny ACTION RESOURCE [if CONDITION], not %q", line)
		}
		resource := f[2]
		if resource != "*" {
			resource = "arn:aws:iot:" + testRegion + ":" + testAccount + ":" + resource
		}
		s := fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q`, strings.ToUpper(f[0][:1])+f[0][1:], f[1], resource)
		if conditional {
			s += `,"Condition":` + condition
		}
		statements = append(statements, s+"}")
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`), policy.IoT)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(policy.Source{Name: "p", Document: doc})
}

// request is one request of a client, as its line and headers say.
type request struct {
	method, uri string
	headers     []string // "Name: value"
	body        io.Reader
	length      int64 // of the body as announced; 0 is the body's own
}

func (w *world) newRequest(q request) *http.Request {
	w.t.Helper()
	path, query, _ := strings.Cut(q.uri, "?")
	r, err := http.NewRequestWithContext(w.t.Context(), q.method, "http://data.example/", q.body)
	if err != nil {
		w.t.Fatal(err)
	}
	// As net/http does, but for what it would refuse by itself.
	r.RequestURI, r.URL.Path, r.URL.RawQuery = q.uri, path, query
	r.RemoteAddr = "198.51.100.9:4711"
	if q.length != 0 {
		r.ContentLength = q.length
	}
	for _, header := range q.headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r.WithContext(awsapi.WithCaller(r.Context(), w.caller))
}

// answer is what a client sees.
type answer struct {
	status int
	header http.Header
	name   string // of the exception
	body   map[string]any
	text   string
}

func (a *answer) message() string { s, _ := a.body["message"].(string); return s }

func (w *world) do(q request) *answer {
	w.t.Helper()
	return w.serve(w.newRequest(q))
}

// serve runs a request and holds its answer to what every answer has: JSON, a request id, of a failure a name, a message
// and the same id as traceId.
func (w *world) serve(r *http.Request) *answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := &answer{status: rec.Code, header: rec.Header(), name: rec.Header().Get("x-amzn-ErrorType"), text: rec.Body.String()}
	if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
		w.t.Fatalf("%s %s: %d, no JSON: %q", r.Method, r.RequestURI, rec.Code, rec.Body)
	}
	id := a.header.Get("x-amzn-RequestId")
	if len(id) != 36 || a.header.Get("Content-Type") != "application/json" {
		w.t.Errorf("%s %s: headers %v", r.Method, r.RequestURI, a.header)
	}
	if failed := a.status != http.StatusOK; failed != (a.name != "") || failed && (a.message() == "" || a.body["traceId"] != id) {
		w.t.Errorf("%s %s: %d %q %v", r.Method, r.RequestURI, a.status, a.name, a.body)
	}
	return a
}

// get is a request without a body.
func (w *world) get(uri string) *answer {
	w.t.Helper()
	return w.do(request{method: http.MethodGet, uri: uri})
}

func (w *world) publish(uri, payload string, headers ...string) *answer {
	w.t.Helper()
	return w.do(request{method: http.MethodPost, uri: uri, body: strings.NewReader(payload), headers: headers})
}

// mustPublish publishes and expects 200.
func (w *world) mustPublish(uri, payload string, headers ...string) {
	w.t.Helper()
	if a := w.publish(uri, payload, headers...); a.status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", uri, a.status, a.text)
	}
}

// listen subscribes a service and gives what it receives.
func (w *world) listen(filters ...string) <-chan broker.Received {
	w.t.Helper()
	got := make(chan broker.Received, 1000)
	var reqs []broker.SubscribeRequest
	for _, f := range filters {
		reqs = append(reqs, broker.SubscribeRequest{Filter: f, QoS: 1, RetainAsPublished: true})
	}
	by := broker.NewCaller("listener", "", policy.AllowAll(), nil)
	s, results := w.broker.Serve(by, reqs, func(r broker.Received) { got <- r })
	for _, r := range results {
		if r.Err != nil {
			w.t.Fatal(r.Err)
		}
	}
	w.t.Cleanup(s.Close)
	return got
}

// lastEntry is the newest entry of the journal.
func (w *world) lastEntry() journal.Entry {
	w.t.Helper()
	all := w.journal.Query(journal.Query{Limit: 1})
	if len(all) != 1 {
		w.t.Fatal("the journal is empty")
	}
	return all[0]
}

// chunked hides how long a body is.
func chunked(r io.Reader) io.Reader { return io.MultiReader(r) }

func zeros(n int) *bytes.Reader { return bytes.NewReader(make([]byte, n)) }
