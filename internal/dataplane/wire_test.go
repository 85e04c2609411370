package dataplane

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
)

// listenHTTP serves the world over real HTTP, in the name of its caller.
func (w *world) listenHTTP() *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(awsapi.WithCaller(r.Context(), w.caller)))
	}))
	w.t.Cleanup(s.Close)
	return s
}

// TestOnTheWire sends bytes as clients do, through net/http: what its parser does to paths must not change a topic.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker.OpenLimits())
	got := w.listen("#")
	s := w.listenHTTP()
	for _, c := range []struct {
		name, request  string
		status         int
		topic, payload string
		shut           bool // the client stops to send
	}{
		{"boto3", "POST /topics/%2Flead%2F%2Fx%2F?qos=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 200, "/lead//x/", "hi", false},
		{"curl", "POST /topics/a//b/?qos=1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nqos=7", 200, "a//b/", "qos=7", false},
		{"double slash", "POST //topics/a%2Fb HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "a/b", "", false},
		{"dots", "POST /topics/../a/. HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "../a/.", "", false},
		{"twice encoded", "POST /topics/a%252Fb HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "a%2Fb", "", false},
		{"absolute", "POST http://h/topics/a%2Fb/c?qos=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "a/b/c", "", false},
		{"1.0", "POST /topics/a HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 200, "a", "x", false},
		{"chunked", "POST /topics/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, "a", "abcde", false},
		{"expect", "POST /topics/a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 200, "a", "x", false},
		{"NUL", "POST /topics/a%00 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 400, "", "", false},
		{"cut", "POST /topics/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", 400, "", "", true},
		{"broken chunks", "POST /topics/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "", "", false},
		{"10 MB announced", "POST /topics/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10485760\r\n\r\n", 413, "", "", false},
	} {
		nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, c.request); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := nc.(*net.TCPConn); ok && c.shut {
			if err := tcp.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		status, body := readAnswer(t, nc)
		if status != c.status || !strings.Contains(body, `"traceId"`) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
		if c.status == 200 {
			if r := <-got; r.Message.Topic != c.topic || string(r.Message.Payload) != c.payload {
				t.Errorf("%s: %q %q", c.name, r.Message.Topic, r.Message.Payload)
			}
		}
		if err := nc.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(got) > 0 {
		t.Errorf("%d messages were published although they were refused", len(got))
	}
}

// readAnswer reads one answer, and 100 Continue before it.
func readAnswer(t *testing.T, nc net.Conn) (status int, body string) {
	t.Helper()
	br := bufio.NewReader(nc)
	for {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusContinue {
			return resp.StatusCode, string(data)
		}
	}
}

// BenchmarkPublishOverHTTP is the handler behind net/http on loopback, with the generator on the same processors.
func BenchmarkPublishOverHTTP(b *testing.B) {
	w := newWorld(b, broker.OpenLimits())
	w.may("allow iot:Publish topic/a/*")
	s := w.listenHTTP()
	request := fmt.Appendf(nil, "POST /topics/a%%2Fb?qos=1 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", 100, strings.Repeat("x", 100))
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		nc, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = nc.Close() }() // nothing is left to lose
		buf := make([]byte, 4096)
		for pb.Next() {
			if _, err := nc.Write(request); err != nil {
				b.Error(err)
				return
			}
			n, err := nc.Read(buf)
			if err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200") {
				b.Errorf("%q %v", buf[:n], err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
