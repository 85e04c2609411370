package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// inMemory is a server with every listener that speaks HTTP, not started.
func inMemory(t *testing.T) *Server {
	t.Helper()
	return inMemoryThatLogs(t, nil)
}

func inMemoryThatLogs(t *testing.T, log *slog.Logger) *Server {
	t.Helper()
	cfg := Default()
	cfg.InMemory = true
	for _, row := range cfg.Listen.all() {
		*row.addr = "127.0.0.1:0"
	}
	s, err := New(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// browser is an HTTP client that trusts s.
func browser(t testing.TB, s *Server) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.RootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask makes a request and gives status and body. set may change the request first.
func ask(t *testing.T, c *http.Client, method, url string, set func(*http.Request)) (status int, body string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data), resp.Header
}

// Health is on console and api, metrics are on console and on their own listener, nothing of it is anywhere else.
func TestWhichListenerAnswersWhat(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c := browser(t, s)
	scheme := map[string]string{"console": "http://", "metrics": "http://", "api": "https://", "https": "https://", "shared": "https://"}
	for _, want := range []struct {
		method, listener, path string
		status                 int
		body                   string
	}{
		{"GET", "console", "/healthz", 200, "ok\n"},
		{"HEAD", "console", "/healthz", 200, ""},
		{"GET", "console", "/readyz", 200, "ready\n"},
		{"GET", "console", "/metrics", 200, "# HELP "},
		{"POST", "console", "/healthz", 405, "GET\n"},
		{"GET", "console", "/", 403, "{"},         // not signed
		{"GET", "console", "//healthz", 403, "{"}, // not signed
		{"GET", "console", "/healthz/", 403, "{"}, // not signed
		{"GET", "api", "/healthz", 200, "ok\n"},
		{"GET", "api", "/readyz", 200, "ready\n"},
		{"GET", "api", "/metrics", 403, "{"}, // not signed
		{"GET", "metrics", "/metrics", 200, "# HELP "},
		{"GET", "metrics", "/healthz", 501, "{"},
		{"GET", "https", "/healthz", 501, "{"},
		{"GET", "https", "/metrics", 501, "{"},
		{"GET", "shared", "/readyz", 403, "{"},  // not signed
		{"GET", "shared", "/metrics", 403, "{"}, // not signed
	} {
		url := scheme[want.listener] + s.Addr(want.listener) + want.path
		status, body, header := ask(t, c, want.method, url, nil)
		if status != want.status || !strings.HasPrefix(body, want.body) || want.body == "" && body != "" {
			t.Errorf("%s %s on %s: %d %.60q", want.method, want.path, want.listener, status, body)
		}
		if status == 501 && header.Get("X-Amzn-Errortype") != "NotImplementedException" {
			t.Errorf("%s on %s: %v", want.path, want.listener, header)
		}
	}
}

// The console has no TLS and no passwords of its own: what keeps web pages of others out is its Host and Origin check.
func TestConsoleKeepsForeignPagesOut(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c := browser(t, s)
	addr := s.Addr("console")
	_, port, _ := strings.Cut(addr, ":")
	refused, ids := 0, map[string]bool{}
	for _, want := range []struct {
		host, origin string
		status       int
	}{
		{addr, "", 200},
		{"localhost:" + port, "", 200},
		{"LocalHost:" + port, "", 200},
		{"[::1]:" + port, "", 200},
		{addr, "http://" + addr, 200},
		{"localhost:" + port, "http://localhost:" + port, 200},
		{"127.0.0.1", "", 403},
		{"127.0.0.1:1", "", 403},
		{"localhost", "", 403},
		{"127.0.0.1.example.org:" + port, "", 403},
		{"rebind.example.org:" + port, "", 403},
		{"rebind.example.org:" + port, "http://rebind.example.org:" + port, 403},
		{addr, "null", 403},
		{addr, "http://example.org", 403},
		{addr, "https://" + addr, 403},
		{addr, "http://localhost:" + port, 403},
		{addr, "http://" + addr + ".example.org", 403},
		{addr, "http://127.0.0.1:1", 403},
	} {
		for _, upgrade := range []bool{false, true} {
			status, body, header := ask(t, c, "GET", "http://"+addr+"/healthz", func(req *http.Request) {
				req.Host = want.host
				if want.origin != "" {
					req.Header.Set("Origin", want.origin)
				}
				if upgrade {
					req.Header.Set("Connection", "Upgrade")
					req.Header.Set("Upgrade", "websocket")
				}
			})
			if status != want.status {
				t.Errorf("host %q origin %q: %d %s", want.host, want.origin, status, body)
			}
			if h := header.Get("Access-Control-Allow-Origin"); h != "" {
				t.Errorf("host %q origin %q: CORS %q", want.host, want.origin, h)
			}
			if want.status == 403 {
				refused++
				ids[header.Get("X-Amzn-Requestid")] = true
			}
		}
	}
	status, body, header := ask(t, c, "GET", "http://"+addr+"/healthz", func(req *http.Request) {
		req.Header["Origin"] = []string{"http://" + addr, "http://example.org"}
	})
	ids[header.Get("X-Amzn-Requestid")] = true
	if refused++; status != 403 {
		t.Errorf("two origins: %d %s", status, body)
	}
	told := 0
	for _, e := range s.rooms.journal.Query(journal.Query{Failures: true}) {
		if e.Listener == "console" && e.Cause != "" && e.Remedy != "" && e.SourceIP == "127.0.0.1" && ids[e.TraceID] {
			told += max(1, e.Count)
		}
	}
	if told != refused {
		t.Errorf("the journal has %d of %d refusals", told, refused)
	}
	if got := series(t, s)["thingwire_console_refused_total"]; got != float64(refused) {
		t.Errorf("%v of %d refusals are counted", got, refused)
	}
}

// A request that did not come by a listener gets nothing.
func TestFrontWithoutListener(t *testing.T) {
	s := inMemory(t)
	if gateway.ListenerOf(t.Context()) != "" {
		t.Error("a listener")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	w := &answer{header: http.Header{}}
	s.rooms.front(slog.New(slog.DiscardHandler)).ServeHTTP(w, req)
	if w.status != http.StatusNotImplemented {
		t.Error(w.status, w.body.String())
	}
}

// answer is an http.ResponseWriter that keeps what it gets.
type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// Readiness says what is the matter in one word, from the first listener to the last.
func TestReadiness(t *testing.T) {
	s := inMemory(t)
	wants := func(status int, word string) {
		t.Helper()
		w := &answer{header: http.Header{}}
		s.rooms.ready(w, nil)
		if w.status != status || w.body.String() != word+"\n" {
			t.Errorf("%d %q, want %d %s", w.status, w.body.String(), status, word)
		}
		w = &answer{header: http.Header{}}
		if s.rooms.alive(w, nil); w.status != http.StatusOK || w.body.String() != "ok\n" {
			t.Error(w.status, w.body.String())
		}
	}
	wants(503, "starting")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	wants(200, "ready")
	disk, ok := s.rooms.store.(*mem.Store)
	if !ok {
		t.Fatalf("the store is a %T", s.rooms.store)
	}
	disk.Fail(errors.New("the disk is full"))
	wants(503, "degraded")
	disk.Fail(nil)
	wants(200, "ready")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wants(503, "stopping")
}

// A server that cannot open all its listeners never says that it is ready.
func TestReadinessNeedsAllListeners(t *testing.T) {
	first := inMemory(t)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	second := inMemory(t)
	second.cfg.Listen.MQTT = first.Addr("mqtts")
	if err := second.Start(); err == nil {
		t.Fatal("it started")
	}
	status, body, _ := ask(t, browser(t, second), "GET", "https://"+second.Addr("api")+"/readyz", nil)
	if status != 503 || body != "starting\n" {
		t.Error(status, body)
	}
}

func TestInMemoryLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := inMemory(t)
	if err := s.Run(done(t)); err != nil {
		t.Error(err)
	}
	if got := s.Config(); got.Account != DefaultAccount || got.Region != DefaultRegion {
		t.Error(got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
	cfg := Default()
	cfg.InMemory, cfg.DataDir = true, dir
	if _, err := New(t.Context(), cfg, nil); err == nil {
		t.Error("a server in memory has a data directory")
	}
}

// done is a context that is over.
func done(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return ctx
}
