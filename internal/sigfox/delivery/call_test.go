package delivery

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func get(url string) *Request { return &Request{Channel: URL, Method: "GET", URL: url, SendSNI: true} }

func post(url, body string) *Request {
	return &Request{Channel: URL, Method: "POST", URL: url, SendSNI: true, Body: body}
}

func TestStatusOfAnAnswer(t *testing.T) {
	var elsewhere atomic.Int32
	other := receiver(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", other.URL+"/else?token=x")
		w.WriteHeader(status)
	})
	s := open(t, Config{})
	for _, c := range []struct {
		status int
		ok     bool
		info   string
		remedy string
	}{
		{200, true, "success", ""},
		{201, true, "Created", ""},
		{204, true, "No Content", ""},
		{301, false, "Moved Permanently", "redirects are not followed: the receiver wants the callback at " + other.URL},
		{302, false, "Found", "redirects are not followed"},
		{307, false, "Temporary Redirect", "redirects are not followed"},
		{308, false, "Permanent Redirect", "redirects are not followed"},
		{400, false, "Bad Request", "look at what was sent"},
		{401, false, "Unauthorized", "other credentials"},
		{404, false, "Not Found", "nothing at this path"},
		{429, false, "Too Many Requests", "look at what was sent"},
		{500, false, "Internal Server Error", "look at its log"},
		{599, false, "status code 599", "look at its log"},
	} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			out := s.Deliver(t.Context(), &Request{Channel: URL, Method: method, URL: fmt.Sprintf("%s/%d", server.URL, c.status), Body: "x"})
			if out.Status != c.status || out.OK != c.ok || out.Info != c.info || !strings.Contains(out.Remedy, c.remedy) || out.At.IsZero() {
				t.Errorf("%s %d: %+v", method, c.status, out)
			}
			if strings.Contains(out.Remedy, "token") {
				t.Errorf("the remedy shows the query of a redirect: %q", out.Remedy)
			}
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// A receiver chooses its reason phrase; it is shown if it is short and printable.
func TestReasonPhrase(t *testing.T) {
	s := open(t, Config{})
	for phrase, want := range map[string]string{
		"Gone fishing":           "Gone fishing",
		"":                       "Not Found",
		"\x1b[31mred":            "Not Found",
		strings.Repeat("x", 100): "Not Found",
	} {
		url := raw(t, func(c net.Conn) { _, _ = fmt.Fprintf(c, "HTTP/1.1 404 %s\r\nContent-Length: 0\r\n\r\n", phrase) })
		if out := s.Deliver(t.Context(), get(url)); out.Info != want || out.Status != 404 {
			t.Errorf("%q: %+v", phrase, out)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	type got struct {
		method, uri, body string
		header            http.Header
		length            int64
	}
	var last got
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = got{r.Method, r.RequestURI, string(body), r.Header.Clone(), r.ContentLength}
	})
	host := strings.TrimPrefix(server.URL, "http://")
	s := open(t, Config{Origin: "server-1"})
	for _, c := range []struct {
		name    string
		request Request
		check   func(got) bool
	}{
		{"GET without a body", Request{Method: "GET", URL: "http://" + host + "/a?id=2DC7C1&x=%7B", Body: "never", ContentType: "text/plain"}, func(g got) bool {
			return g.method == "GET" && g.uri == "/a?id=2DC7C1&x=%7B" && g.body == "" && g.header["Content-Type"] == nil && g.length == 0
		}},
		{"POST is a form", Request{Method: "POST", URL: server.URL, Body: "a=b"}, func(g got) bool {
			return g.method == "POST" && g.body == "a=b" && g.header.Get("Content-Type") == "application/x-www-form-urlencoded" && g.length == 3
		}},
		{"PUT JSON as typed", Request{Method: "PUT", URL: server.URL, Body: "{\r\n\"a\" : 1 }", ContentType: "application/json"}, func(g got) bool {
			return g.method == "PUT" && g.body == "{\r\n\"a\" : 1 }" && g.header.Get("Content-Type") == "application/json"
		}},
		{"empty POST", Request{Method: "POST", URL: server.URL}, func(g got) bool { return g.body == "" && g.length == 0 }},
		{"login in the URL", Request{Method: "GET", URL: "http://login:password@" + host + "/x"}, func(g got) bool {
			return g.header.Get("Authorization") == "Basic bG9naW46cGFzc3dvcmQ="
		}},
		{"encoded login", Request{Method: "GET", URL: "http://lo%40gin:p%3Aw@" + host + "/x"}, func(g got) bool {
			return g.header.Get("Authorization") == "Basic bG9AZ2luOnA6dw=="
		}},
		{"headers", Request{Method: "GET", URL: server.URL, Headers: []Header{{"Authorization", "Bearer abc"}, {"X-Device", "2DC7C1"}}}, func(g got) bool {
			return g.header.Get("Authorization") == "Bearer abc" && g.header.Get("X-Device") == "2DC7C1"
		}},
		{"who it is", Request{Method: "GET", URL: server.URL}, func(g got) bool {
			return g.header.Get("User-Agent") == "SIGFOX" && g.header.Get(ViaHeader) == "server-1" && g.header["Idempotency-Key"] == nil && g.header["Accept-Encoding"] == nil
		}},
		{"a batch", Request{Channel: BatchURL, Method: "GET", URL: server.URL + "/?batch=" + strings.Repeat("2DC7C1%3B", 1000)}, func(g got) bool {
			return len(g.uri) > 9000
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.request.Channel == "" {
				c.request.Channel = URL
			}
			last = got{}
			if out := s.Deliver(t.Context(), &c.request); !out.OK {
				t.Fatalf("not delivered: %+v", out)
			}
			if !c.check(last) {
				t.Errorf("sent %+v", last)
			}
		})
	}
}

// What cannot be sent as it is configured is refused before anything goes out, in words.
func TestRequestsThatCannotBeSent(t *testing.T) {
	s := open(t, Config{})
	many := make([]Header, 21)
	for i := range many {
		many[i] = Header{fmt.Sprintf("X-%d", i), "x"}
	}
	for _, c := range []struct {
		request Request
		info    string
	}{
		{Request{Method: "DELETE", URL: "http://127.0.0.1:1/"}, `Method "DELETE" cannot be sent`},
		{Request{Method: "GET", URL: ""}, "URL is neither http nor https"},
		{Request{Method: "GET", URL: "ftp://127.0.0.1/"}, "URL is neither http nor https"},
		{Request{Method: "GET", URL: "file:///etc/passwd"}, "URL is neither http nor https"},
		{Request{Method: "GET", URL: "http://"}, "URL is neither http nor https"},
		{Request{Method: "GET", URL: "http://:80/"}, "URL is neither http nor https"},
		{Request{Method: "GET", URL: "http://u:secret@[::1/"}, "URL cannot be read"},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/" + strings.Repeat("x", 2048)}, "URL too long: 2067 bytes"},
		{Request{Channel: BatchURL, Method: "GET", URL: "http://127.0.0.1:1/" + strings.Repeat("x", 20000)}, "URL too long: 20019 bytes"},
		{Request{Method: "POST", URL: "http://127.0.0.1:1/", Body: strings.Repeat("x", 128<<10+1)}, "Body too large: 131073 bytes"},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/", Headers: many}, "Too many headers: 21"},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/", Headers: []Header{{"X-A", "b\r\nX-B: c"}}}, `Header "X-A" cannot be sent`},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/", Headers: []Header{{"X A", "b"}}}, `Header "X A" cannot be sent`},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/", Headers: []Header{{"", "b"}}}, `Header "" cannot be sent`},
		{Request{Method: "GET", URL: "http://127.0.0.1:1/", Headers: []Header{{"X-A", "1"}, {"x-a", "2"}}}, "Header x-a twice"},
		{Request{Method: "GET", URL: "http://u:p@127.0.0.1:1/", Headers: []Header{{"Authorization", "x"}}}, "Two authorizations"},
		{Request{Channel: "EMAIL"}, "Channel EMAIL cannot be delivered"},
		{Request{Channel: AWSIoT}, "Channel AWS_IOT cannot be delivered"},
	} {
		if c.request.Channel == "" {
			c.request.Channel = URL
		}
		out := s.Deliver(t.Context(), &c.request)
		if out.OK || out.Status != 0 || out.Info != c.info || out.Remedy == "" {
			t.Errorf("%+v: %+v", c.request.URL, out)
		}
		if strings.Contains(fmt.Sprintf("%+v", out), "secret") {
			t.Errorf("a secret is shown: %+v", out)
		}
	}
}

// inBubble delivers in a bubble to a receiver that is a function on the other end of a pipe, and says how long it took.
func inBubble(t *testing.T, answer func(net.Conn)) (out Outcome, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var receivers sync.WaitGroup
		s := newSender(Config{}, func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			receivers.Go(func() {
				readHead(far)
				answer(far)
				_ = far.Close()
			})
			return near, nil
		})
		start := time.Now()
		out = s.Deliver(t.Context(), get("http://receiver.test/"))
		took = time.Since(start)
		s.Close()
		receivers.Wait()
	})
	return out, took
}

// The ten seconds are for the whole answer, not for its first byte.
func TestReceiversThatHang(t *testing.T) {
	gone := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) } // until the other end closes
	for _, c := range []struct {
		name   string
		answer func(net.Conn)
	}{
		{"says nothing", gone},
		{"stops in the head", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-")
			gone(c)
		}},
		{"stops in the body", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			gone(c)
		}},
		{"drips", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
			}
		}},
		{"sends 100 Continue for ever", func(c net.Conn) {
			for {
				time.Sleep(3 * time.Second)
				if _, err := io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n"); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, took := inBubble(t, c.answer)
			if out.Status != 0 || out.Info != "Timeout" || out.OK || out.Interrupted || took != 10*time.Second {
				t.Errorf("after %s: %+v", took, out)
			}
		})
	}
}

func TestAnswerJustInTime(t *testing.T) {
	out, took := inBubble(t, func(c net.Conn) {
		time.Sleep(9900 * time.Millisecond)
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	if !out.OK || took != 9900*time.Millisecond {
		t.Errorf("after %s: %+v", took, out)
	}
}

func TestConnectionsThatFail(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String() + "/"
	_ = closed.Close()
	says := func(text string) string {
		return raw(t, func(c net.Conn) { _, _ = io.WriteString(c, text) })
	}
	s := open(t, Config{})
	for _, c := range []struct{ name, url, info string }{
		{"nobody listens", nobody, "Connection refused"},
		{"closes at once", says(""), "Connection closed before the answer was complete"},
		{"closes in the head", says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"), "Connection closed before the answer was complete"},
		{"closes in the body", says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "Connection closed before the answer was complete"},
		{"closes in a chunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"), "Connection closed before the answer was complete"},
		{"speaks something else", says("220 smtp.example.com ESMTP\r\n\r\n"), "Answer is not HTTP"},
		{"no length", says("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "Answer is not HTTP"},
		{"an endless head", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), "Answer is not HTTP"},
		{"no such host", "http://no-such-host.invalid/", "DNS: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []*Request{get(c.url), post(c.url, "x")} {
				out := s.Deliver(t.Context(), r)
				if out.OK || out.Status != 0 || !strings.HasPrefix(out.Info, c.info) || out.Remedy == "" {
					t.Errorf("%s: %+v", r.Method, out)
				}
			}
		})
	}
}

// 64 KiB of an answer are read, and the rest is not waited for.
func TestLongAnswers(t *testing.T) {
	gone := make(chan error, 1)
	server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		size := 10 << 20
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &size)
		var err error
		for block := bytes.Repeat([]byte("x"), 1<<10); size > 0 && err == nil; size -= len(block) {
			_, err = w.Write(block[:min(size, len(block))])
		}
		if size > 0 || strings.Contains(r.URL.Path, "10485760") {
			gone <- err
		}
	})
	s := open(t, Config{})
	for _, c := range []struct {
		size, read int
		truncated  bool
	}{{0, 0, false}, {65536, 65536, false}, {65537, 65536, true}, {10 << 20, 65536, true}} {
		out := s.Deliver(t.Context(), get(fmt.Sprintf("%s/%d", server.URL, c.size)))
		if !out.OK || len(out.Answer) != c.read || out.Truncated != c.truncated || c.truncated != (out.Remedy != "") {
			t.Errorf("%d bytes: read %d, truncated %t, %q, %q", c.size, len(out.Answer), out.Truncated, out.Info, out.Remedy)
		}
	}
	if err := <-gone; err == nil {
		t.Error("the receiver could send all of 10 MB: it was read")
	}
}

// An answer that unpacks to more than it is stays packed.
func TestCompressedAnswersStayPacked(t *testing.T) {
	server := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0})
	})
	if out := open(t, Config{}).Deliver(t.Context(), get(server.URL)); !out.OK || len(out.Answer) != 4 {
		t.Errorf("%+v", out)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := open(t, Config{})
	for range 50 {
		if out := s.Deliver(t.Context(), post(server.URL, "x")); string(out.Answer) != "x" {
			t.Fatalf("%+v", out)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("50 callbacks one after the other took %d connections", n)
	}
}

// A receiver may close a kept connection just when the next callback comes: that is no failure of the callback.
func TestKeptConnectionThatIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			if first {
				readHead(c) // the second callback arrives, and the receiver goes away without a word
			}
			_ = c.Close()
		}
	}()
	s := open(t, Config{})
	url := "http://" + l.Addr().String() + "/"
	for i := range 2 {
		if out := s.Deliver(t.Context(), post(url, "x")); !out.OK {
			t.Errorf("callback %d: %+v", i, out)
		}
	}
	_ = l.Close()
	<-served
}

// A callback that the server's end cuts short says nothing of its receiver.
func TestInterrupted(t *testing.T) {
	arrived := make(chan struct{}, 2)
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	for name, end := range map[string]func(*Sender, context.CancelFunc){
		"its context ends": func(_ *Sender, cancel context.CancelFunc) { cancel() },
		"Close":            func(s *Sender, _ context.CancelFunc) { s.Close() },
	} {
		s := open(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan Outcome)
		go func() { done <- s.Deliver(ctx, get(server.URL)) }()
		<-arrived
		end(s, cancel)
		if out := <-done; !out.Interrupted || out.OK || out.Status != 0 || out.Info != "Interrupted" {
			t.Errorf("%s: %+v", name, out)
		}
		cancel()
	}
	s := New(Config{})
	s.Close()
	if out := s.Deliver(t.Context(), get(server.URL)); !out.Interrupted {
		t.Errorf("after Close: %+v", out)
	}
}
