package dataplane

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/broker"
)

// FuzzUserProperties: what is taken is within the limit, is text of MQTT, and comes out again as it went in.
func FuzzUserProperties(f *testing.F) {
	for _, s := range []string{
		``, `null`, `[]`, `[{"a":"b"}]`, `[{"a":"b"},{"a":"b"}]`, `"[{\"k\":\"v\"}]"`, `[{"a":1}]`, `{"a":"b"}`, `[{"a":"b"}`, `[{}]`, `[[]]`,
		` [ { "\u00fc" : "\ud83d\ude00" } ] `, `[{"a":"\u0000"}]`, "\xff", `"\""`, `[{"a":"b","c":"d"}]`, `[{"a":"b"}]x`, `[{"a":"\ud800"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pairs, err := readUserProperties(base64.StdEncoding.EncodeToString(text), 8<<10)
		if err != nil {
			return
		}
		size := 0
		for _, p := range pairs {
			size += pairOverhead + len(p.Key) + len(p.Value)
			if !utf8.ValidString(p.Key+p.Value) || strings.Contains(p.Key+p.Value, "\x00") {
				t.Fatalf("%q is no text of MQTT", p)
			}
		}
		if size > 8<<10 {
			t.Fatalf("%d bytes", size)
		}
		out, err := appendUserProperties(nil, pairs)
		if err != nil || !json.Valid(out) {
			t.Fatalf("%s %v", out, err)
		}
		again, err := readUserProperties(base64.StdEncoding.EncodeToString(out), 8<<10)
		if err != nil || !slices.Equal(again, pairs) {
			t.Fatalf("%v is %v the second time: %v", pairs, again, err)
		}
	})
}

// FuzzPublishRequest: whatever comes is answered with 200 or a refusal of the client, never with a failure inside, and
// what is taken is a topic.
func FuzzPublishRequest(f *testing.F) {
	f.Add("/topics/a%2Fb?qos=1&retain=true&messageExpiry=5", "", "", "", "x")
	f.Add("//topics//a/%24x/?contentType=a&responseTopic=b%2Fc", b64(`[{"a":"b"}]`), "UTF8_DATA", "Y29ycg==", "")
	f.Add("/topics/%00%zz?qos=2&qos&%=&&=", "x", "x", "x", "x")
	f.Add("/retainedMessage/a?maxResults=5&nextToken=x", "", "", "", "")
	f.Add("/connections/a%2Fb/messages?topic=a&timeout=16", "", "", "", "")
	f.Add("topics/../a", "", "", "", "")
	w := newWorld(f, broker.OpenLimits())
	w.store.Hold() // nothing stays: a batch that must be kept is given up
	f.Fuzz(func(t *testing.T, uri, user, format, correlation, payload string) {
		w.t = t
		q := parameters{limits: w.handler.limits}
		path, query, _ := strings.Cut(uri, "?")
		header := http.Header{headerUser: {user}, headerFormat: {format}, headerCorrelation: {correlation}}
		r := w.newRequest(request{method: http.MethodPost, uri: path, body: strings.NewReader(payload)})
		r.Header, r.URL.RawQuery = header, query
		if q.read(query, publishParameters) == nil && (q.retain || q.qos > 0) {
			return
		}
		switch a := w.serve(r); a.status {
		case 200, 400, 403, 404, 405, 501:
		default:
			t.Fatalf("%q: %d %s", uri, a.status, a.text)
		}
	})
}
