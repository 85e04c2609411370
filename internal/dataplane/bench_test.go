package dataplane

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/thingwire/thingwire/internal/broker"
)

// discard is a ResponseWriter that keeps nothing but the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// again is a request that can be served over and over.
type again struct {
	r    *http.Request
	body bytes.Reader
	data []byte
	w    discard
}

func (w *world) again(uri, payload string, headers ...string) *again {
	a := &again{data: []byte(payload), w: discard{header: http.Header{}}}
	a.r = w.newRequest(request{method: http.MethodPost, uri: uri, headers: headers, length: int64(len(payload))})
	a.r.Body = io.NopCloser(&a.body)
	return a
}

func (a *again) serve(h http.Handler) int {
	a.body.Reset(a.data)
	clear(a.w.header)
	h.ServeHTTP(&a.w, a.r)
	return a.w.status
}

func (a *again) must(t testing.TB, h http.Handler) {
	if status := a.serve(h); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
}

// BenchmarkPublish is the handler alone: no socket, no signature, nobody who receives.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct {
		name, uri string
		headers   []string
	}{
		{"plain", "/topics/a/b", nil},
		{"escaped", "/topics/a%2Fb?qos=1", nil},
		{"properties", "/topics/a%2Fb?qos=1&contentType=text%2Fplain&responseTopic=r", []string{headerUser + ": " + b64(`[{"deviceName":"alpha"},{"deviceCnt":"45"}]`)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, broker.OpenLimits())
			w.may("allow iot:Publish topic/a/*")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				a := w.again(c.uri, "hello, world", c.headers...)
				for pb.Next() {
					a.must(b, w.handler)
				}
			})
		})
	}
}
