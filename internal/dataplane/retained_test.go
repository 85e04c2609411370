package dataplane

import (
	"encoding/base64"
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

func TestGetRetained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	before := time.Now().UnixMilli()
	w.mustPublish("/topics/a%2Fb%20c?qos=1&retain=true", "old")
	w.mustPublish("/topics/a%2Fb%20c?qos=1&retain=true&contentType=text/plain", "he\x00llo", headerUser+": "+b64(`[{"a":"<1>"},{"b":"ü"},{"a":"\"2"}]`))
	w.mustPublish("/topics/%2Fx?retain=true", "x")
	w.mustPublish("/topics/not", "x")
	for _, uri := range []string{"/retainedMessage/a%2Fb%20c", "/retainedMessage/a/b%20c", "//retainedMessage/a%2Fb%20c"} {
		a := w.get(uri)
		user, err := base64.StdEncoding.DecodeString(fmt.Sprint(a.body["userProperties"]))
		if err != nil {
			t.Fatal(err)
		}
		pairs, err := readUserProperties(base64.StdEncoding.EncodeToString(user), 8<<10)
		want := []broker.UserProperty{{Key: "a", Value: "<1>"}, {Key: "b", Value: "ü"}, {Key: "a", Value: `"2`}}
		if diff := cmp.Diff(want, pairs); err != nil || diff != "" {
			t.Error(diff, err)
		}
		if a.status != 200 || a.body["topic"] != "a/b c" || a.body["payload"] != b64("he\x00llo") || a.body["qos"] != 1.0 {
			t.Errorf("%s: %d %s", uri, a.status, a.text)
		}
		if at, _ := a.body["lastModifiedTime"].(float64); int64(at) < before || int64(at) > time.Now().UnixMilli() {
			t.Errorf("last modified at %f", at)
		}
	}
	a := w.get("/retainedMessage//x")
	if _, has := a.body["userProperties"]; has || a.body["topic"] != "/x" || a.body["qos"] != 0.0 {
		t.Error(a.text)
	}
	w.mustPublish("/topics/%2Fx?retain=true", "")
	for uri, status := range map[string]int{
		"/retainedMessage//x": 404, "/retainedMessage/not": 404, "/retainedMessage/": 400, "/retainedMessage/a%2F%23": 400,
		"/retainedMessage/a%00": 400, "/retainedMessage/%zz": 400, "/retainedMessage/" + strings.Repeat("x", 257): 400,
	} {
		w.caller.Principal = uri
		a := w.get(uri)
		if a.status != status || a.name != map[int]string{404: "ResourceNotFoundException", 400: "InvalidRequestException"}[status] {
			t.Errorf("%s: %d %s", uri, a.status, a.name)
		}
		if e := w.lastEntry(); e.EventType != journal.GetRetained || e.TraceID != a.body["traceId"] || e.Protocol != "HTTP" || e.Remedy == "" {
			t.Errorf("%s: %+v", uri, e)
		}
	}
}

func TestListRetained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	if a := w.get("/retainedMessage"); a.status != 200 || !strings.HasPrefix(a.text, `{"retainedTopics":[]`) || strings.Contains(a.text, "nextToken") {
		t.Errorf("%d %s", a.status, a.text)
	}
	const all = 205
	for i := range all {
		w.mustPublish(fmt.Sprintf("/topics/t/%03d?retain=true&qos=%d", i, i%2), strings.Repeat("x", 1+i))
	}
	for _, size := range []int{0, 1, 7, 41, 200} {
		uri, pages, seen := "/retainedMessage", 0, 0
		if size > 0 {
			uri += fmt.Sprintf("?maxResults=%d", size)
		} else {
			size = 200
		}
		for next := uri; next != ""; pages++ {
			a := w.get(next)
			if a.status != 200 {
				t.Fatalf("%s: %d %s", next, a.status, a.text)
			}
			for _, r := range a.body["retainedTopics"].([]any) {
				m := r.(map[string]any)
				if m["topic"] != fmt.Sprintf("t/%03d", seen) || m["payloadSize"] != float64(1+seen) || m["qos"] != float64(seen%2) || m["lastModifiedTime"].(float64) < 1e12 {
					t.Fatalf("%v is entry %d", m, seen)
				}
				seen++
			}
			next = ""
			if token, ok := a.body["nextToken"].(string); ok {
				next = uri + map[bool]string{true: "&", false: "?"}[strings.Contains(uri, "?")] + "nextToken=" + url.QueryEscape(token)
			}
		}
		if seen != all || pages != (all+size-1)/size {
			t.Errorf("%d in %d pages of %d", seen, pages, size)
		}
	}
	for _, query := range []string{
		"maxResults=0", "maxResults=201", "maxResults=-1", "maxResults=x", "maxResults=", "maxResults=1&maxResults=1", "nextToken=x",
		"nextToken=" + b64("x\x00t"), "nextToken=" + b64("ListRetainedMessages "), "nextToken=" + b64("ListRetainedMessages \x00"), "nextToken=%zz",
	} {
		if a := w.get("/retainedMessage?" + query); a.status != 400 {
			t.Errorf("%s: %d %s", query, a.status, a.text)
		}
	}
}

// TestRetainedExpires: what has expired is not there, for both calls.
func TestRetainedExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, broker.OpenLimits())
		w.mustPublish("/topics/short?retain=true&messageExpiry=5", "x")
		w.mustPublish("/topics/stays?retain=true", "x")
		if a := w.get("/retainedMessage/short"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.text)
		}
		time.Sleep(6 * time.Second)
		if a := w.get("/retainedMessage"); strings.Contains(a.text, "short") || !strings.Contains(a.text, "stays") {
			t.Error(a.text)
		}
		if a := w.get("/retainedMessage/short"); a.status != 404 {
			t.Errorf("%d %s", a.status, a.text)
		}
	})
}

func TestRetainedDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.mustPublish("/topics/a?retain=true", "x")
	w.mustPublish("/topics/b?retain=true", "x")
	w.may("allow iot:GetRetainedMessage topic/a\ndeny iot:GetRetainedMessage topic/b")
	for uri, status := range map[string]int{"/retainedMessage/a": 200, "/retainedMessage/b": 403, "/retainedMessage/none": 403, "/retainedMessage": 403} {
		w.caller.Principal = uri
		a := w.get(uri)
		if a.status != status {
			t.Errorf("%s: %d %s", uri, a.status, a.text)
		}
		if status != 403 {
			continue
		}
		if e := w.lastEntry(); e.TraceID != a.body["traceId"] || e.Reason != journal.ReasonAuthorization || a.name != "ForbiddenException" {
			t.Errorf("%s: %s %+v", uri, a.name, e)
		}
	}
	w.may("allow iot:ListRetainedMessages *")
	if a := w.get("/retainedMessage"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestRetainedThrottledAndUnavailable(t *testing.T) {
	t.Parallel()
	limits := broker.OpenLimits()
	limits.Data.GetRetained, limits.Data.ListRetained = 2, 1
	w := newWorld(t, limits)
	w.mustPublish("/topics/a?retain=true", "x")
	for i, status := range []int{200, 200, 429} {
		if a := w.get("/retainedMessage/a"); a.status != status {
			t.Errorf("get %d: %d", i, a.status)
		}
	}
	for i, status := range []int{200, 429} {
		a := w.get("/retainedMessage")
		if a.status != status || status == 429 && a.name != "ThrottlingException" {
			t.Errorf("list %d: %d", i, a.status)
		}
	}
	for name, status := range map[string]int{"GetRetainedMessage": 503, "Publish": 500, "GetConnection": 500} {
		for _, ops := range [][]operation{onRetained, onTopic, onConnection} {
			if ops[0].name == name {
				if f := failureOf(&ops[0], w.unavailable(), "id"); f.Status != status {
					t.Errorf("%s: %d %s", name, f.Status, f.Name)
				}
			}
		}
	}
}

// unavailable is an error of a store that cannot do its part.
func (w *world) unavailable() error {
	w.store.Fail(errors.New("disk full"))
	return w.store.Degraded()
}
