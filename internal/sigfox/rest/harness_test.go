package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// sender answers every delivery alike.
type sender struct {
	outcome atomic.Pointer[delivery.Outcome]
}

func (s *sender) Deliver(_ context.Context, r *delivery.Request) delivery.Outcome {
	o := *s.outcome.Load()
	o.At = time.Now()
	o.Attempted = delivery.Sent{Method: r.Method, URL: r.URL, ContentType: r.ContentType, Body: r.Body, Headers: r.Headers}
	return o
}

func (s *sender) says(o delivery.Outcome) { s.outcome.Store(&o) }

// world is the API over a backend on memory, with an API user who may do everything.
type world struct {
	*backend.Backend
	t        testing.TB
	keys     *iam.Directory
	handler  *Handler
	sender   *sender
	login    string
	password string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, sender: &sender{}}
	w.sender.says(delivery.Outcome{Status: 200, Info: "success", OK: true})
	s := mem.New()
	var err error
	if w.keys, err = iam.Open(t.Context(), iam.Config{Store: s, Key: iam.NewKey()}); err != nil {
		t.Fatal(err)
	}
	if w.Backend, err = backend.Open(t.Context(), backend.Config{Store: s, Sender: w.sender, Speed: 1e5}); err != nil {
		t.Fatal(err)
	}
	w.Start()
	t.Cleanup(func() {
		w.Close()
		w.keys.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.handler = New(Config{Backend: w.Backend, Guard: awsapi.NewGuard(w.keys)})
	w.login, w.password = w.user("everything", iam.Everything)
	return w
}

// user makes an API user with a policy.
func (w *world) user(name, policy string) (login, password string) {
	w.t.Helper()
	if _, err := w.keys.CreateUser(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
	if err := w.keys.PutUserPolicy(w.t.Context(), name, "p", policy); err != nil {
		w.t.Fatal(err)
	}
	key, secret, err := w.keys.CreateAccessKey(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.ID, secret.Reveal()
}

// answer is what a client sees.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// do makes one call; headers are "Name: value".
func (w *world) do(method, path, body string, headers ...string) *answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "https://api.example"+path, strings.NewReader(body))
	r.SetBasicAuth(w.login, w.password)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := &answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	if a.text != "" {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil || a.header.Get("Content-Type") != "application/json" {
			w.t.Errorf("%s %s: no JSON: %q", method, path, a.text)
		}
	}
	return a
}

// must makes a call that is to succeed with a status.
func (w *world) must(status int, method, path, body string) *answer {
	w.t.Helper()
	a := w.do(method, path, body)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.text, status)
	}
	return a
}

// data are the entries of a list.
func (a *answer) data() (all []map[string]any) {
	list, _ := a.body["data"].([]any)
	for _, one := range list {
		entry, _ := one.(map[string]any)
		all = append(all, entry)
	}
	return all
}

// next is the path of the next page, empty on the last.
func (a *answer) next() string {
	paging, _ := a.body["paging"].(map[string]any)
	next, _ := paging["next"].(string)
	return strings.TrimPrefix(next, "https://api.example")
}

// id is that of what was created.
func (a *answer) id() string { id, _ := a.body["id"].(string); return id }

// world1 is a world with one device type and device 4D3091.
func world1(t testing.TB) (w *world, typeID string) {
	t.Helper()
	w = newWorld(t)
	typeID = w.must(201, "POST", "/v2/device-types/", `{"name":"seed","groupId":"000000000000000000000001","contracts":[],"payloadType":3,"payloadConfig":"temp::float:32","description":"d"}`).id()
	w.must(201, "POST", "/v2/devices/", `{"id":"4D3091","name":"room 12","deviceTypeId":"`+typeID+`","pac":"0123456789ABCDEF","lat":1.5,"lng":2}`)
	return w, typeID
}

// uplink sends a frame and waits until its callbacks are through.
func (w *world) uplink(f backend.Frame) *backend.Listed {
	w.t.Helper()
	f.Device = "4D3091"
	m, err := w.Uplink(w.t.Context(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		l, err := w.Show(w.t.Context(), "4D3091", m.Number)
		if err != nil {
			w.t.Fatal(err)
		}
		if l.Arrow != backend.Amber {
			return l
		}
	}
	return nil
}

// raw serves a request of anything.
func (w *world) raw(r *http.Request) (status int, text string) {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}
