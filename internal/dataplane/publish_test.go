package dataplane

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestPublishEveryParameter sends what boto3, both command lines and the JavaScript SDK were seen to send (API reference,
// "Captured wire"), and looks at what a subscriber gets.
func TestPublishEveryParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	all := &broker.Properties{
		HasPayloadFormat: true, PayloadFormat: 1, ContentType: "application/json; charset=utf-8", ResponseTopic: "dev/resp/a b",
		CorrelationData: []byte("corr"), User: []broker.UserProperty{{Key: "deviceName", Value: "alpha"}, {Key: "deviceCnt", Value: "45"}},
	}
	for _, c := range []struct {
		name, uri string
		headers   []string
		payload   string
		topic     string
		qos       byte
		retain    bool
		expiry    uint32
		props     *broker.Properties
	}{
		{"nothing", "/topics/a", nil, "x", "a", 0, false, 0, nil},
		{"an empty payload", "/topics/a?qos=0", nil, "", "a", 0, false, 0, nil},
		{"zero values in words", "/topics/a%2Fb?qos=0&retain=false&messageExpiry=0", nil, "x", "a/b", 0, false, 1, nil},
		{
			"boto3", "/topics/dev%2F%C3%BC%20x%2F%24a1%2Ft?qos=1&retain=true&contentType=application%2Fjson%3B%20charset%3Dutf-8&responseTopic=dev%2Fresp%2Fa%20b&messageExpiry=300",
			[]string{
				"x-amz-mqtt5-user-properties: W3siZGV2aWNlTmFtZSI6ImFscGhhIn0seyJkZXZpY2VDbnQiOiI0NSJ9XQ==",
				"x-amz-mqtt5-payload-format-indicator: UTF8_DATA", "x-amz-mqtt5-correlation-data: Y29ycg==",
			},
			"{\"hello\":\"\x00\xff\"}", "dev/ü x/$a1/t", 1, true, 300, all,
		},
		{
			"boto3 with properties as a string", "/topics/a%2Fb",
			[]string{"x-amz-mqtt5-user-properties: Ilt7XCJrXCI6XCJ2XCJ9XSI="},
			"str", "a/b", 0, false, 0,
			&broker.Properties{User: []broker.UserProperty{{Key: "k", Value: "v"}}},
		},
		{
			"command line", "/topics/a%2Fb?qos=1&retain=true&contentType=application%2Fjson&responseTopic=r%2Ft&messageExpiry=60",
			[]string{
				"x-amz-mqtt5-user-properties: W3siZGV2aWNlTmFtZSI6ImFscGhhIn1d", "x-amz-mqtt5-payload-format-indicator: UNSPECIFIED_BYTES",
				"X-Amz-Mqtt5-Correlation-Data: " + b64("\x00\xff"),
			},
			`{"m":"hi"}`, "a/b", 1, true, 60,
			&broker.Properties{
				HasPayloadFormat: true, ContentType: "application/json", ResponseTopic: "r/t", CorrelationData: []byte{0, 255},
				User: []broker.UserProperty{{Key: "deviceName", Value: "alpha"}},
			},
		},
		{"booleans in capitals", "/topics/a?retain=TRUE&qos=1", nil, "x", "a", 1, true, 0, nil},
		{"a longer expiry than there is", "/topics/a?messageExpiry=99999999999", nil, "x", "a", 0, false, 604_800, nil},
		{"unknown parameters and headers", "/topics/a?x=1&x=2&clientId=y&X-Amz-Date=z", []string{"Content-Type: text/plain"}, "x", "a", 0, false, 0, nil},
		{"empty properties", "/topics/a?contentType=", []string{"x-amz-mqtt5-correlation-data: "}, "x", "a", 0, false, 0, &broker.Properties{}},
		{
			"order and duplicates", "/topics/a",
			[]string{"x-amz-mqtt5-user-properties: " + b64(`[{"b":"1"},{"a":"2"},{"b":"1"},{"b":""}]`)},
			"x", "a", 0, false, 0,
			&broker.Properties{User: []broker.UserProperty{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "1"}, {Key: "b", Value: ""}}},
		},
		{"UTF8_DATA that is none", "/topics/a", []string{"x-amz-mqtt5-payload-format-indicator: UTF8_DATA"}, "\xff", "a", 0, false, 0, &broker.Properties{HasPayloadFormat: true, PayloadFormat: 1}},
	} {
		w.mustPublish(c.uri, c.payload, c.headers...)
		r := <-got
		m := r.Message
		if m.Topic != c.topic || string(m.Payload) != c.payload || r.QoS != c.qos || r.Retain != c.retain {
			t.Errorf("%s: %q %q QoS %d retain %v", c.name, m.Topic, m.Payload, r.QoS, r.Retain)
		}
		if expires := (m.Expires - m.Time) / 1000; m.Expires == 0 && c.expiry != 0 || m.Expires != 0 && expires != int64(c.expiry) {
			t.Errorf("%s: expires after %d s, not %d", c.name, expires, c.expiry)
		}
		if diff := cmp.Diff(c.props, m.Props); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestPublishAnswer is the answer to the byte.
func TestPublishAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	a := w.publish("/topics/a?qos=1", "x")
	if !regexp.MustCompile(`^\{"message":"OK","traceId":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"\}$`).MatchString(a.text) {
		t.Error(a.text)
	}
	if a.status != 200 || a.body["traceId"] != a.header.Get("x-amzn-RequestId") {
		t.Errorf("%d %s %v", a.status, a.text, a.header)
	}
}

// TestTopicsOfPaths: slashes are part of a topic wherever they stand, and a path is decoded once.
func TestTopicsOfPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	for path, want := range map[string]string{
		"/topics/a/b/c":                       "a/b/c",
		"/topics/a%2Fb%2fc":                   "a/b/c",
		"/topics/%2Flead%2F%2Fx%2F":           "/lead//x/",
		"/topics//lead//x/":                   "/lead//x/",
		"//topics/a":                          "a",
		"///topics/a//b":                      "a//b",
		"/topics/a%252Fb":                     "a%2Fb",
		"/topics/%25":                         "%",
		"/topics/../a/./b":                    "../a/./b",
		"/topics/a%20b":                       "a b",
		"/topics/%C3%BC":                      "ü",
		"/topics/a;b,c=d@e:f":                 "a;b,c=d@e:f",
		"/topics/a%3Fqos%3D7":                 "a?qos=7",
		"/topics/" + strings.Repeat("x", 256): strings.Repeat("x", 256),
		"/topics/1/2/3/4/5/6/7/8":             "1/2/3/4/5/6/7/8",
	} {
		if a := w.publish(path, path); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.text)
			continue
		}
		if r := <-got; r.Message.Topic != want || string(r.Message.Payload) != path {
			t.Errorf("%s is topic %q, not %q", path, r.Message.Topic, want)
		}
	}
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	user := func(s string) string { return "x-amz-mqtt5-user-properties: " + b64(s) }
	long := strings.Repeat("x", 257)
	for _, c := range []struct {
		name, uri, header string
		words             string
	}{
		{"no topic", "/topics/", "", "at least one character"},
		{"no topic, no slash", "/topics", "", "at least one character"},
		{"long topic", "/topics/" + long, "", "257 bytes"},
		{"deep topic", "/topics/1/2/3/4/5/6/7/8/9", "", "8 slashes"},
		{"wildcard +", "/topics/a/+", "", "wildcard +"},
		{"wildcard #", "/topics/a%2F%23", "", "wildcard #"},
		{"NUL", "/topics/a%00b", "", "U+0000"},
		{"not UTF-8", "/topics/%ff", "", "UTF-8"},
		{"half an escape", "/topics/a%2", "", "escape it once"},
		{"no escape", "/topics/a%zz", "", "escape it once"},
		{"reserved, unknown", "/topics/%24x", "", "reserved"},

		{"qos 2", "/topics/a?qos=2", "", "qos=\"2\""},
		{"qos -1", "/topics/a?qos=-1", "", "0 or 1"},
		{"qos text", "/topics/a?qos=one", "", "0 or 1"},
		{"qos empty", "/topics/a?qos=", "", "0 or 1"},
		{"qos bare", "/topics/a?qos", "", "0 or 1"},
		{"qos twice", "/topics/a?qos=1&qos=1", "", "twice"},
		{"qos twice, escaped", "/topics/a?qos=1&%71os=1", "", "twice"},
		{"retain", "/topics/a?retain=1", "", "true or false"},
		{"retain twice", "/topics/a?retain=true&retain=false", "", "twice"},
		{"contentType long", "/topics/a?contentType=" + long, "", "257 bytes"},
		{"contentType not UTF-8", "/topics/a?contentType=%ff", "", "UTF-8"},
		{"contentType NUL", "/topics/a?contentType=%00", "", "U+0000"},
		{"contentType twice", "/topics/a?contentType=a&contentType=a", "", "twice"},
		{"contentType escape", "/topics/a?contentType=%2", "", "query"},
		{"name escape", "/topics/a?%2=1", "", "query"},
		{"responseTopic empty", "/topics/a?responseTopic=", "", "responseTopic"},
		{"responseTopic wildcard", "/topics/a?responseTopic=a%2F%2B", "", "wildcard"},
		{"responseTopic long", "/topics/a?responseTopic=" + long, "", "257 bytes"},
		{"responseTopic deep", "/topics/a?responseTopic=1/2/3/4/5/6/7/8/9", "", "slashes"},
		{"responseTopic NUL", "/topics/a?responseTopic=a%00", "", "U+0000"},
		{"messageExpiry negative", "/topics/a?messageExpiry=-1", "", "number of seconds"},
		{"messageExpiry text", "/topics/a?messageExpiry=1h", "", "number of seconds"},
		{"messageExpiry fraction", "/topics/a?messageExpiry=1.5", "", "number of seconds"},
		{"messageExpiry over 64 bits", "/topics/a?messageExpiry=9223372036854775808", "", "number of seconds"},
		{"messageExpiry empty", "/topics/a?messageExpiry=", "", "number of seconds"},

		{"format", "/topics/a", "x-amz-mqtt5-payload-format-indicator: utf8_data", "UTF8_DATA"},
		{"format empty", "/topics/a", "x-amz-mqtt5-payload-format-indicator: ", "UTF8_DATA"},
		{"correlation no base64", "/topics/a", "x-amz-mqtt5-correlation-data: a b", "base64"},
		{"correlation no padding", "/topics/a", "x-amz-mqtt5-correlation-data: YQ", "base64"},
		{"correlation long", "/topics/a", "x-amz-mqtt5-correlation-data: " + b64(strings.Repeat("x", 8193)), "8193 bytes"},
		{"user no base64", "/topics/a", `x-amz-mqtt5-user-properties: [{"a":"b"}]`, "base64"},
		{"user no JSON", "/topics/a", user(`[{a:1}]`), "cannot be used"},
		{"user cut", "/topics/a", user(`[{"a":"b"}`), "cannot be used"},
		{"user more", "/topics/a", user(`[{"a":"b"}] []`), "something follows"},
		{"user null and more", "/topics/a", user(`null 1`), "something follows"},
		{"user object", "/topics/a", user(`{"a":"b"}`), "no array"},
		{"user number", "/topics/a", user(`123.4`), "no array"},
		{"user true", "/topics/a", user(`true`), "no array"},
		{"user of strings", "/topics/a", user(`["a"]`), "element 0 is no object"},
		{"user two pairs", "/topics/a", user(`[{"a":"b"},{"a":"b","c":"d"}]`), "element 1 has more than one pair"},
		{"user no pair", "/topics/a", user(`[{}]`), "element 0 has no pair"},
		{"user value number", "/topics/a", user(`[{"a":45}]`), "element 0 is no string"},
		{"user value null", "/topics/a", user(`[{"a":null}]`), "element 0 is no string"},
		{"user value object", "/topics/a", user(`[{"a":{"b":"c"}}]`), "element 0 is no string"},
		{"user NUL", "/topics/a", user(`[{"a":"\u0000"}]`), "U+0000"},
		{"user not UTF-8", "/topics/a", user("[{\"a\":\"\xff\"}]"), "UTF-8"},
		{"user long", "/topics/a", user(`[{"a":"` + strings.Repeat("x", 8200) + `"}]`), "8 KB"},
		{"user twice inside", "/topics/a", user(`"\"[]\""`), "no array"},
		{"user deep", "/topics/a", user(strings.Repeat("[", 8000)), "element 0 is no object"},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		w.caller.Principal = c.name // the journal joins what repeats
		a := w.publish(c.uri, "x", headers...)
		if a.status != 400 || a.name != "InvalidRequestException" || !strings.Contains(a.message(), c.words) {
			t.Errorf("%s: %d %s %q", c.name, a.status, a.name, a.message())
		}
		if e := w.lastEntry(); e.TraceID != a.body["traceId"] || e.EventType != journal.PublishIn || e.Protocol != "HTTP" ||
			e.Status != journal.Failure || e.PrincipalID != w.caller.Principal || e.SourceIP != "192.0.2.7" || e.SourcePort != 4711 || e.Cause == "" || e.Remedy == "" {
			t.Errorf("%s: journal %+v", c.name, e)
		}
	}
	for _, header := range []string{headerUser, headerFormat, headerCorrelation} {
		if a := w.publish("/topics/a", "x", header+": YQ==", header+": YQ=="); a.status != 400 || !strings.Contains(a.message(), "2 times") {
			t.Errorf("%s twice: %d %s", header, a.status, a.text)
		}
	}
	w.mustPublish("/topics/last", "")
	if r := <-got; r.Message.Topic != "last" {
		t.Errorf("%q was published although it was refused", r.Message.Topic)
	}
}

// TestBodies: a payload of 128 KiB goes through, one byte more does not, and nobody reads what is far too large.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	const most = 128 << 10
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		status int
		size   int
	}{
		{"none", nil, 0, 200, 0},
		{"the largest", zeros(most), 0, 200, most},
		{"the largest, chunked", chunked(zeros(most)), -1, 200, most},
		{"byte by byte", iotest.OneByteReader(zeros(10_000)), -1, 200, 10_000},
		{"data with the end", iotest.DataErrReader(zeros(5000)), -1, 200, 5000},
		{"one byte more", zeros(most + 1), 0, 413, 0},
		{"one byte more, chunked", chunked(zeros(most + 1)), -1, 413, 0},
		{"cut", iotest.TimeoutReader(iotest.OneByteReader(zeros(10))), 10, 400, 0},
		{"ended too early", io.MultiReader(zeros(10), iotest.ErrReader(io.ErrUnexpectedEOF)), 20, 400, 0},
		{"a door's bound", io.MultiReader(zeros(10), iotest.ErrReader(&http.MaxBytesError{Limit: 10})), 20, 413, 0},
	} {
		a := w.do(request{method: http.MethodPost, uri: "/topics/a", body: c.body, length: c.length})
		if a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.text)
		}
		if a.status == 413 && a.name != "RequestEntityTooLargeException" {
			t.Errorf("%s: %s", c.name, a.name)
		}
		if c.status == 200 {
			if r := <-got; len(r.Message.Payload) != c.size {
				t.Errorf("%s: %d bytes", c.name, len(r.Message.Payload))
			}
		}
	}
	for name, length := range map[string]int64{"announced": 10 << 20, "chunked": -1} {
		read := &counter{r: zeros(10 << 20)}
		a := w.do(request{method: http.MethodPost, uri: "/topics/a", body: read, length: length})
		if a.status != 413 || length > 0 && read.n > 0 || read.n > most+1 {
			t.Errorf("10 MB %s: %d after %d bytes", name, a.status, read.n)
		}
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestPublishDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	w.may(`allow iot:Publish topic/a/*
		deny iot:Publish topic/a/no
		allow iot:Publish topic/${iot:ClientId}/x
		allow iot:Publish topic/$aws/*`)
	for _, c := range []struct {
		uri, words string
		status     int
	}{
		{"/topics/b", "no policy allows iot:Publish on topic/b", 403},
		{"/topics/a/no", "not allowed to publish to \"a/no\"", 403},
		{"/topics/me/x", "iot:ClientId", 403},
		{"/topics/a/b?retain=true", "iot:RetainPublish", 403},
		{"/topics/%24aws/events/presence/connected/x", "may only subscribe", 403},
		{"/topics/%24aws/things/t/shadow/update", "does not have yet", 501},
	} {
		w.caller.Principal = c.uri // the journal joins what repeats
		a := w.publish(c.uri, "x")
		name := map[int]string{403: "ForbiddenException", 501: "NotImplementedException"}[c.status]
		if a.status != c.status || a.name != name || !strings.Contains(a.message(), c.words) {
			t.Errorf("%s: %d %s %q", c.uri, a.status, a.name, a.message())
		}
		e := w.lastEntry()
		if e.TraceID != a.body["traceId"] || e.Remedy == "" || e.Cause == "" || e.TopicName == "" || e.Packet != "Publish" {
			t.Errorf("%s: journal %+v", c.uri, e)
		}
	}
	w.caller.Principal = "another"
	w.publish("/topics/a/no?retain=true&qos=1", "x")
	if e := w.lastEntry(); e.Policy != "p" || e.Statement != "1" || e.Retain != "True" || e.QoS != "1" || e.TopicName != "a/no" || e.Reason != journal.ReasonAuthorization {
		t.Errorf("journal %+v", e)
	}
	w.mustPublish("/topics/a/yes", "x")
	if r := <-got; r.Message.Topic != "a/yes" {
		t.Errorf("%q was published although it was refused", r.Message.Topic)
	}
	w.caller.Policies = nil
	if a := w.publish("/topics/a/yes", "x"); a.status != 403 {
		t.Errorf("without policies: %d %s", a.status, a.text)
	}
}

// TestNobody: who is not known is refused before anything else is looked at.
func TestNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	for _, uri := range []string{"/topics/a", "/retainedMessage", "/connections/x", "/nowhere"} {
		a := w.serve(w.newRequest(request{method: http.MethodPost, uri: uri}).WithContext(t.Context()))
		if a.status != 401 || a.name != "UnauthorizedException" {
			t.Errorf("%s: %d %s", uri, a.status, a.name)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	for uri, allowed := range map[string]string{
		"/topics/a":                    "POST",
		"/topics/":                     "POST",
		"/retainedMessage":             "GET",
		"/retainedMessage/a":           "GET",
		"/connections/x":               "GET, DELETE",
		"/connections/x/subscriptions": "GET",
		"/connections/x/messages":      "POST",
		"/things/t/shadow":             "GET, POST, DELETE",
		"/things/t/jobs/$next":         "PUT, GET",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if strings.Contains(allowed, method) {
				continue
			}
			a := w.do(request{method: method, uri: uri})
			if a.status != 405 || a.name != "MethodNotAllowedException" || a.header.Get("Allow") != allowed {
				t.Errorf("%s %s: %d %s Allow %q", method, uri, a.status, a.name, a.header.Get("Allow"))
			}
		}
	}
}

// TestNotImplemented: what is not there is refused by its name.
func TestNotImplemented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	for request1, name := range map[string]string{
		"GET /things/t%3A1/shadow":                                     "GetThingShadow",
		"POST /things/t/shadow?name=cfg":                               "UpdateThingShadow",
		"DELETE /things/t/shadow":                                      "DeleteThingShadow",
		"GET /api/things/shadow/ListNamedShadowsForThing/t?pageSize=1": "ListNamedShadowsForThing",
		"GET /things/t/jobs":                                           "GetPendingJobExecutions",
		"PUT /things/t/jobs/$next":                                     "StartNextPendingJobExecution",
		"PUT /things/t/jobs/%24next":                                   "StartNextPendingJobExecution",
		"GET /things/t/jobs/%24next?includeJobDocument=true":           "DescribeJobExecution",
		"POST /things/t/jobs/j1":                                       "UpdateJobExecution",
		"GET /role-aliases/a/credentials":                              "AssumeRoleWithCertificate",
		"GET /connections/x/nothing":                                   "nothing at",
	} {
		method, uri, _ := strings.Cut(request1, " ")
		a := w.do(request{method: method, uri: uri})
		if a.status != 501 || a.name != "NotImplementedException" || !strings.Contains(a.message(), name) {
			t.Errorf("%s: %d %s %q", request1, a.status, a.name, a.message())
		}
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	signed := func(service string) []string {
		return []string{"Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261126/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=00"}
	}
	for _, c := range []struct {
		line    string
		headers []string
		want    bool
	}{
		{"POST /topics/a/b", nil, true},
		{"POST //topics/a", nil, true},
		{"GET /topics", nil, true},
		{"GET /retainedMessage", nil, true},
		{"GET /retainedMessage/a%2Fb", nil, true},
		{"GET /connections/x", nil, true},
		{"GET /connections/x/other", nil, true},
		{"GET /things/t/shadow?name=x", nil, true},
		{"GET /api/things/shadow/ListNamedShadowsForThing/t", nil, true},
		{"GET /role-aliases/a/credentials", nil, true},
		{"GET /things/t/jobs", nil, true}, // a device with its certificate
		{"GET /things/t/jobs", signed("iot-jobs-data"), true},
		{"GET /things/t/jobs", signed("iotdata"), true},
		{"GET /things/t/jobs", signed("iot"), false},
		{"GET /things/t/jobs/j", signed("execute-api"), false},
		{"DELETE /things/t/jobs/j", signed("iot"), false},
		{"POST /things/t/jobs/j", signed("iot"), true},
		{"PUT /things/t/jobs/$next", signed("iot"), true},
		{"PUT /things/t/jobs/j/cancel", signed("iot"), false},
		{"GET /things", nil, false},
		{"GET /things/t", nil, false},
		{"GET /things/t/principals", nil, false},
		{"GET /role-aliases/a", nil, false},
		{"GET /topicsx/a", nil, false},
		{"GET /retainedMessages", nil, false},
		{"POST /", nil, false},
		{"GET /", nil, false},
	} {
		method, uri, _ := strings.Cut(c.line, " ")
		if got := Owns(w.newRequest(request{method: method, uri: uri, headers: c.headers})); got != c.want {
			t.Errorf("%s %v: %v", c.line, c.headers, got)
		}
	}
}

// TestPublishNoOKBeforeDurable: the 200 of a message that somebody must keep comes after the commit.
func TestPublishNoOKBeforeDurable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.store.Hold()
	answered := make(chan *answer)
	go func() { answered <- w.publish("/topics/a?qos=1&retain=true", "x") }()
	for w.store.Waiting() == 0 {
		select {
		case a := <-answered:
			t.Fatalf("answered %d before the commit", a.status)
		default:
		}
	}
	select {
	case a := <-answered:
		t.Fatalf("answered %d before the commit was durable", a.status)
	default:
	}
	w.store.Release()
	if a := <-answered; a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// TestClientGoesAway: who does not wait for the answer leaves a batch behind, which the broker finishes in its memory.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.store.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	r := w.newRequest(request{method: http.MethodPost, uri: "/topics/gone?retain=true", body: strings.NewReader("first")})
	answered := make(chan *answer)
	go func() { answered <- w.serve(r.WithContext(joined{ctx, r.Context()})) }()
	for w.store.Waiting() == 0 {
		runtime.Gosched()
	}
	cancel()
	if a := <-answered; a.status != 500 || a.name != "InternalFailureException" {
		t.Errorf("%d %s", a.status, a.text)
	}
	go func() { answered <- w.publish("/topics/next?retain=true", "second and longer") }()
	for w.store.Waiting() < 2 {
		runtime.Gosched()
	}
	w.store.Release()
	if a := <-answered; a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
	for topic, want := range map[string]string{"gone": "first", "next": "second and longer"} {
		if a := w.get("/retainedMessage/" + topic); a.body["payload"] != b64(want) {
			t.Errorf("%s holds %v", topic, a.body["payload"])
		}
	}
}

// joined ends with one context and has the values of another.
type joined struct {
	context.Context
	values context.Context
}

func (j joined) Value(key any) any { return j.values.Value(key) }

// TestStoreFails: the model of Publish has no ServiceUnavailableException.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.mustPublish("/topics/b?retain=true", "x")
	w.store.Fail(errors.New("disk full"))
	a := w.publish("/topics/a?retain=true", "x")
	if a.status != 500 || a.name != "InternalFailureException" || !strings.Contains(a.message(), "degraded") {
		t.Errorf("%d %s %s", a.status, a.name, a.text)
	}
	if e := w.lastEntry(); e.TraceID != a.body["traceId"] || e.Reason != journal.ReasonServerError {
		t.Errorf("journal %+v", e)
	}
	w.mustPublish("/topics/a?qos=1", "needs no store")
	if a := w.get("/retainedMessage/b"); a.status != 200 {
		t.Errorf("a store that cannot write can be read: %d %s", a.status, a.text)
	}
}

func TestShuttingDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	w.broker.Close()
	if a := w.publish("/topics/a", "x"); a.status != 500 || !strings.Contains(a.message(), "shutting down") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// TestPublishThrottled: a retained message over its rate is refused as a whole, so that a client that tries again
// publishes it once.
func TestPublishThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.AWSLimits())
	got := w.listen("#")
	w.mustPublish("/topics/a?retain=true", "1")
	a := w.publish("/topics/a?retain=true", "2")
	if a.status != 429 || a.name != "ThrottlingException" {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.mustPublish("/topics/b?retain=true", "3")
	for _, want := range []string{"1", "3"} {
		if r := <-got; string(r.Message.Payload) != want {
			t.Errorf("got %s, want %s", r.Message.Payload, want)
		}
	}
	limits := broker.AWSLimits()
	limits.Rates.Publishes = 2
	w = newWorld(t, limits)
	w.mustPublish("/topics/a", "")
	w.mustPublish("/topics/a", "")
	if a := w.publish("/topics/a", ""); a.status != 429 || !strings.Contains(a.message(), "quota of messages per second") {
		t.Errorf("%d %s", a.status, a.text)
	}
	w = newWorld(t, broker.OpenLimits())
	for range 300 {
		w.mustPublish("/topics/a?retain=true", "x")
	}
}

// TestManyPublishers: memory that is used again never carries one message into another.
func TestManyPublishers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	const publishers, each = 8, 100
	got := w.listen("p/#")
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for k := range each {
				name := strconv.Itoa(i) + "-" + strconv.Itoa(k)
				uri := "/topics/p/" + name + []string{"", "?qos=1", "?qos=1&retain=true"}[k%3]
				w.mustPublish(uri, strings.Repeat(name+" ", 1+k%50), headerCorrelation+": "+b64(name))
			}
		})
	}
	for range publishers * each {
		m := (<-got).Message
		name := strings.TrimPrefix(m.Topic, "p/")
		rest := bytes.ReplaceAll(m.Payload, []byte(name+" "), nil)
		if len(rest) > 0 || len(m.Payload) == 0 || string(m.Props.CorrelationData) != name {
			t.Fatalf("%s got %q", m.Topic, m.Payload)
		}
	}
	wg.Wait()
}

// TestPanic: nothing that goes wrong inside leaves a client without an answer that it can read.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	a := w.do(request{method: http.MethodPost, uri: "/topics/a", body: panicking{}, length: 5})
	if a.status != 500 || a.name != "InternalFailureException" || strings.Contains(a.text, "boom") {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.mustPublish("/topics/a", "goes on")
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("boom") }
