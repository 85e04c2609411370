package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Whatever is wrong with a request, its answer has an id that the log knows, with the cause.
func TestRefusalsAreKnown(t *testing.T) {
	log := &safeBuffer{}
	s := inMemoryThatLogs(t, slog.New(slog.NewJSONHandler(log, nil)))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	api, https, metrics := "https://"+s.Addr("api"), "https://"+s.Addr("https"), "http://"+s.Addr("metrics")
	iot, query, data := signer(s, "iot"), signer(s, "iam"), signer(s, "iotdata")
	with := func(k sigv4.Signer, spoil func(*sigv4.Signer)) *sigv4.Signer { spoil(&k); return &k }
	deep := strings.Repeat(`{"attributePayload":`, 20000) + "1" + strings.Repeat("}", 20000)
	for _, c := range []struct {
		name   string
		by     *sigv4.Signer
		method string
		url    string
		body   string
		status int
	}{
		{"unsigned", nil, "GET", api + "/things", "", 403},
		{"wrong secret", with(iot, func(k *sigv4.Signer) { k.Secret = "x" }), "GET", api + "/things", "", 403},
		{"forged session token", with(iot, func(k *sigv4.Signer) { k.Token = "x" }), "GET", api + "/things", "", 403},
		{"unknown key", with(iot, func(k *sigv4.Signer) { k.AccessKeyID = "AKIA0" }), "GET", api + "/things", "", 403},
		{"no JSON", &iot, "POST", api + "/things/a", "hello", 400},
		{"truncated", &iot, "POST", api + "/things/a", `{"attributePayload":{"attributes":{"a":"b"`, 400},
		{"deep", &iot, "POST", api + "/things/a", deep, 400},
		{"10 MB", &iot, "POST", api + "/things/a", strings.Repeat(" ", 10<<20), 400},
		{"wrong type", &iot, "POST", api + "/things/a", `{"attributePayload":7}`, 400},
		{"outside a pattern", &iot, "POST", api + "/things/a%20b", "", 400},
		{"a broken escape", &iot, "GET", api + "/things/%FF", "", 400},
		{"not there", &iot, "GET", api + "/things/a", "", 404},
		{"a forged page", &iot, "GET", api + "/things?nextToken=RGVzY3JpYmUAeA%3D%3D", "", 400},
		{"not implemented", &iot, "GET", api + "/rules", "", 501},
		{"no operation", &iot, "GET", api + "/none", "", 501},
		{"private API", &iot, "GET", api + "/_thingwire/v1/none", "", 501},
		{"the journal's query", &iot, "GET", api + "/_thingwire/v1/journal?since=then", "", 400},
		{"the data plane alone", &iot, "GET", https + "/things", "", 501},
		{"another listener", nil, "GET", metrics + "/things", "", 501},
		{"query: no action", &query, "POST", api + "/", "Version=2010-05-08", 400},
		{"query: unknown user", &query, "POST", api + "/", "Action=GetUser&Version=2010-05-08&UserName=none", 404},
		{"query: wrong secret", with(query, func(k *sigv4.Signer) { k.Secret = "x" }), "POST", api + "/", "Action=ListUsers&Version=2010-05-08", 403},
		{"data: unsigned", nil, "POST", api + "/topics/a", "x", 401},
		{"data: no such topic", &data, "POST", api + "/topics/%23", "x", 400},
		{"data: no message", &data, "GET", api + "/retainedMessage/a", "", 404},
		{"data: another method", &data, "PUT", api + "/topics/a", "", 405},
		{"data: 10 MB", &data, "POST", api + "/topics/a", strings.Repeat("a", 10<<20), 413},
		{"data: not implemented", &data, "GET", api + "/things/a/shadow", "", 501},
		{"no upgrade", nil, "GET", api + "/mqtt", "", 400},
		{"query: 10 MB", &query, "POST", api + "/", strings.Repeat("a", 10<<20), 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := send(t, s, c.by, c.method, c.url, c.body)
			id := a.header.Get("X-Amzn-Requestid")
			if a.status != c.status || id == "" {
				t.Fatalf("%d %q %s", a.status, id, a.body)
			}
			if xml := strings.HasPrefix(a.header.Get("Content-Type"), "text/xml"); xml != strings.HasPrefix(c.name, "query") || !xml && !json.Valid([]byte(a.body)) {
				t.Errorf("%v %s", a.header, a.body)
			}
			if !logged(log.String(), id) {
				t.Errorf("the log does not know %s, which has %s", id, a.body)
			}
		})
	}
	if a := send(t, s, &iot, http.MethodGet, api+"/things", ""); a.status != http.StatusOK || a.body != `{"things":[]}` {
		t.Errorf("something came of it: %+v", a)
	}
}

// The journal counts a flood of one refusal; the log has each.
func TestEachOfManyRefusalsIsLogged(t *testing.T) {
	log := &safeBuffer{}
	s := inMemoryThatLogs(t, slog.New(slog.NewJSONHandler(log, nil)))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	by := signer(s, "iotdata")
	for range 50 {
		a := send(t, s, &by, http.MethodPost, "https://"+s.Addr("api")+"/topics/%23", "x")
		if id := a.header.Get("X-Amzn-Requestid"); a.status != http.StatusBadRequest || !logged(log.String(), id) {
			t.Fatalf("%d: the log does not know %q", a.status, id)
		}
	}
}

// logged says whether a line of the log has a request's id and a cause.
func logged(log, id string) bool {
	for line := range strings.Lines(log) {
		var entry struct{ Request, Err string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Request == id && entry.Err != "" {
			return true
		}
	}
	return false
}
