package dataplane

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
)

func (w *world) remove(uri string) *answer {
	w.t.Helper()
	return w.do(request{method: http.MethodDelete, uri: uri})
}

func TestGetConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, broker.OpenLimits())
		came := time.Now().UnixMilli()
		w.connect("c/1", nil).subscribe(1, "a")
		want := map[string]any{
			"connected": true, "thingName": "lamp", "cleanSession": true, "keepAliveDuration": 60.0, "connectedSince": float64(came),
			"sessionExpiry": 0.0, "clientId": "c/1",
		}
		if diff := cmp.Diff(want, w.get("/connections/c%2F1").body); diff != "" {
			t.Error(diff)
		}
		want["sourceIp"], want["sourcePort"], want["targetIp"], want["targetPort"] = "203.0.113.5", 50001.0, "192.0.2.1", 8883.0
		if diff := cmp.Diff(want, w.get("/connections/c%2F1?includeSocketInformation=true").body); diff != "" {
			t.Error(diff)
		}

		stays := w.connect("stays", persistent)
		time.Sleep(time.Minute)
		left := time.Now().UnixMilli()
		stays.leave()
		want = map[string]any{
			"connected": false, "thingName": "lamp", "cleanSession": false, "keepAliveDuration": 60.0, "disconnectedSince": float64(left),
			"disconnectReason": "CONNECTION_LOST", "sessionExpiry": 3600.0, "clientId": "stays",
		}
		if diff := cmp.Diff(want, w.get("/connections/stays").body); diff != "" {
			t.Error(diff)
		}
		time.Sleep(31 * time.Minute)
		want = map[string]any{"connected": false, "cleanSession": false, "sessionExpiry": 3600.0, "clientId": "stays"}
		if diff := cmp.Diff(want, w.get("/connections/stays").body); diff != "" {
			t.Error(diff)
		}
		back := w.connect("stays", persistent)
		if a := w.get("/connections/stays"); a.body["connected"] != true || a.body["disconnectReason"] != nil {
			t.Error(a.text)
		}
		w.connect("stays", nil) // takes over, and ends the session
		if cause := <-back.ends; cause.Reason != broker.DuplicateClientID {
			t.Error(cause)
		}
		if a := w.get("/connections/stays"); a.body["connected"] != true || a.body["cleanSession"] != true {
			t.Error(a.text)
		}

		goes := w.connect("goes", nil)
		goes.leave()
		if a := w.get("/connections/goes"); a.status != 200 || a.body["connected"] != false || a.body["cleanSession"] != true {
			t.Error(a.text)
		}
		time.Sleep(31 * time.Minute)
		for _, id := range []string{"goes", "never"} {
			if a := w.get("/connections/" + id); a.status != 404 || a.name != "ResourceNotFoundException" {
				t.Errorf("%s: %d %s", id, a.status, a.text)
			}
		}
	})
}

func TestDeleteConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	wills := w.listen("will/+")
	events := w.listen("$aws/events/presence/disconnected/+")
	withWill := func(r *broker.ConnectRequest) {
		persistent(r)
		r.Will = &broker.Message{Topic: "will/" + r.Caller.ClientID, Payload: []byte("x")}
	}
	for _, c := range []struct {
		id, query  string
		will, kept bool
	}{
		{"plain", "", true, true},
		{"quiet", "?preventWillMessage=true", false, true},
		{"clean", "?cleanSession=TRUE", true, false},
		{"both", "?cleanSession=true&preventWillMessage=TRUE", false, false},
		{"words", "?cleanSession=false&preventWillMessage=false", true, true},
	} {
		client := w.connect(c.id, withWill)
		client.subscribe(1, "a/"+c.id)
		if a := w.remove("/connections/" + c.id + c.query); a.status != 200 || a.text != "{}" {
			t.Fatalf("%s: %d %s", c.id, a.status, a.text)
		}
		cause := <-client.ends
		if cause.Reason != broker.APIInitiated || cause.Code != 0x98 || !strings.Contains(cause.Text, w.caller.Principal) {
			t.Errorf("%s: %+v", c.id, cause)
		}
		if e := string((<-events).Message.Payload); !strings.Contains(e, `"API_INITIATED_DISCONNECT"`) || !strings.Contains(e, `"clientInitiatedDisconnect":false`) {
			t.Errorf("%s: %s", c.id, e)
		}
		if c.will {
			if r := <-wills; r.Message.Topic != "will/"+c.id {
				t.Errorf("%s: will %s", c.id, r.Message.Topic)
			}
		}
		if a := w.get("/connections/" + c.id + "/subscriptions"); (a.status == 200) != c.kept {
			t.Errorf("%s: %d %s", c.id, a.status, a.text)
		}
		if a := w.get("/connections/" + c.id); a.body["connected"] != false || a.body["disconnectReason"] != "API_INITIATED_DISCONNECT" || a.body["cleanSession"] != !c.kept {
			t.Errorf("%s: %s", c.id, a.text)
		}
		n := 0
		for d, err := range w.store.List(t.Context(), "session", "5/"+c.id, "", 0) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Key != "" {
				n++
			}
		}
		if (n == 1) != c.kept {
			t.Errorf("%s: %d sessions in the store", c.id, n)
		}
		w.caller.Principal = c.id
		a := w.remove("/connections/" + c.id)
		if a.status != 404 || strings.Contains(a.message(), "persistent session") != c.kept {
			t.Errorf("%s: %d %s", c.id, a.status, a.text)
		}
		if e := w.lastEntry(); e.EventType != journal.DeleteConnection || e.ClientID != c.id || e.TraceID != a.body["traceId"] || e.LogLevel != journal.LevelWarn {
			t.Errorf("%s: %+v", c.id, e)
		}
	}
	select {
	case r := <-wills:
		t.Errorf("will %s although it was prevented", r.Message.Topic)
	default:
	}
}

// TestDeleteConnectionStoreFails: a session that could not be ended on disk is no 200.
func TestDeleteConnectionStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.connect("x", persistent)
	w.store.Fail(errors.New("disk full"))
	if a := w.remove("/connections/x?cleanSession=true"); a.status != 500 || a.name != "InternalFailureException" {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestListSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	c := w.connect("c 1", persistent)
	if a := w.get("/connections/c%201/subscriptions"); a.text != `{"subscriptions":[]}` {
		t.Error(a.text)
	}
	c.subscribe(0, "$share/g/x/#")
	for i := range 45 {
		c.subscribe(byte(i%2), fmt.Sprintf("t/%02d/+", i))
	}
	all := func(query string) (filters []string, pages int) {
		uri := "/connections/c%201/subscriptions" + query
		for next := uri; next != ""; pages++ {
			a := w.get(next)
			if a.status != 200 {
				t.Fatalf("%s: %d %s", next, a.status, a.text)
			}
			for _, s := range a.body["subscriptions"].([]any) {
				m := s.(map[string]any)
				filters = append(filters, fmt.Sprintf("%v %v", m["topicFilter"], m["qos"]))
			}
			next = ""
			if token, ok := a.body["nextToken"].(string); ok {
				next = uri + map[bool]string{true: "&", false: "?"}[query != ""] + "nextToken=" + url.QueryEscape(token)
			}
		}
		return filters, pages
	}
	for query, want := range map[string]int{"": 3, "?maxResults=5": 10, "?maxResults=200": 1, "?maxResults=46": 1} {
		filters, pages := all(query)
		if len(filters) != 46 || pages != want || filters[0] != "$share/g/x/# 0" || filters[2] != "t/01/+ 1" {
			t.Errorf("%q: %d filters on %d pages: %v", query, len(filters), pages, filters)
		}
	}
	first := w.get("/connections/c%201/subscriptions?maxResults=1").body["nextToken"].(string)
	w.connect("other", nil)
	for _, uri := range []string{
		"/connections/other/subscriptions?nextToken=" + url.QueryEscape(first), "/connections/c%201/subscriptions?nextToken=x",
		"/connections/c%201/subscriptions?maxResults=201", "/connections/c%201/subscriptions?maxResults=0",
	} {
		if a := w.get(uri); a.status != 400 {
			t.Errorf("%s: %d %s", uri, a.status, a.text)
		}
	}
	c.leave()
	if filters, _ := all("?maxResults=200"); len(filters) != 46 {
		t.Errorf("%d filters of the session of one who is away", len(filters))
	}
	if a := w.get("/connections/never/subscriptions"); a.status != 404 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestConnectionsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.connect("x", nil)
	for _, uri := range []string{
		"/connections/", "/connections", "/connections/$x", "/connections/%24x", "/connections/" + strings.Repeat("x", 129),
		"/connections/%00", "/connections/%ff", "/connections/%zz",
	} {
		if a := w.get(uri); a.status != 400 || a.name != "InvalidRequestException" {
			t.Errorf("%s: %d %s", uri, a.status, a.text)
		}
	}
	for _, uri := range []string{
		"/connections/x?cleanSession=1", "/connections/x?cleanSession=", "/connections/x?preventWillMessage=yes",
		"/connections/x?cleanSession=true&cleanSession=true",
	} {
		if a := w.remove(uri); a.status != 400 {
			t.Errorf("%s: %d %s", uri, a.status, a.text)
		}
	}
	if a := w.get("/connections/x?includeSocketInformation=1"); a.status != 400 {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.get("/connections/x"); a.body["connected"] != true {
		t.Error("a refused call ended the connection")
	}
}

func TestConnectionsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	for _, id := range []string{"a", "b"} {
		w.connect(id, nil)
	}
	w.may(`allow iot:GetConnection client/a if {"Bool":{"iot:IncludeSocketInformation":"false"}}
		allow iot:ListSubscriptions client/a
		allow iot:DeleteConnection client/a`)
	for _, c := range []struct {
		line   string
		status int
	}{
		{"GET /connections/a", 200},
		{"GET /connections/a?includeSocketInformation=false", 200},
		{"GET /connections/a?includeSocketInformation=true", 403},
		{"GET /connections/b", 403},
		{"GET /connections/never", 403},
		{"GET /connections/a/subscriptions", 200},
		{"GET /connections/b/subscriptions", 403},
		{"DELETE /connections/b", 403},
		{"DELETE /connections/a", 200},
	} {
		method, uri, _ := strings.Cut(c.line, " ")
		w.caller.Principal = c.line
		a := w.do(request{method: method, uri: uri})
		if a.status != c.status || a.status == 403 && (a.name != "ForbiddenException" || !strings.Contains(a.message(), "not allowed to")) {
			t.Errorf("%s: %d %s", c.line, a.status, a.text)
		}
		if a.status != 403 {
			continue
		}
		if e := w.lastEntry(); e.TraceID != a.body["traceId"] || e.Reason != journal.ReasonAuthorization || e.ClientID == "" || e.Remedy == "" {
			t.Errorf("%s: %+v", c.line, e)
		}
	}
}

// TestConnectionsThrottled: once a second per client id, and so often for all of them, each operation on its own.
func TestConnectionsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := broker.AWSLimits()
		limits.Data.Manage = 3
		limits.Rates.ConnectsPerClient = 0
		w := newWorld(t, limits)
		for _, id := range []string{"a", "b", "c", "d"} {
			w.connect(id, nil)
		}
		for _, operation := range []string{"GET %s", "GET %s/subscriptions", "DELETE %s"} {
			for i, c := range []struct {
				id     string
				status int
			}{{"a", 200}, {"a", 429}, {"b", 200}, {"c", 200}, {"d", 429}} {
				method, uri, _ := strings.Cut(fmt.Sprintf(operation, "/connections/"+c.id), " ")
				if a := w.do(request{method: method, uri: uri}); a.status != c.status {
					t.Errorf("%s %d: %d %s", operation, i, a.status, a.text)
				}
			}
		}
		time.Sleep(2 * time.Second)
		if a := w.get("/connections/a"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.text)
		}
	})
}
