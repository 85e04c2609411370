package main

import (
	"bufio"
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// wsHouse is a door for signed WebSockets in front of a server's plain MQTT listener.
type wsHouse struct {
	host, port, ca string
	wanted         http.Header // what the last upgrade had
	credential     sigv4.Credential
}

func newWSHouse(t *testing.T) *wsHouse {
	t.Helper()
	cfg := server.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.Listen = server.Listeners{MQTT: "127.0.0.1:0", MQTTS: server.Off, HTTPS: server.Off, API: server.Off, Shared: server.Off, Console: server.Off, Metrics: server.Off}
	s, err := server.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &wsHouse{}
	door := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(t, w, r, s.Addr("mqtt")) }))
	t.Cleanup(door.Close)
	u, err := url.Parse(door.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.host, h.port, h.ca = u.Hostname(), u.Port(), filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(h.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: door.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// serve lets in who signed as AWS's SDKs sign, and joins both byte streams.
func (h *wsHouse) serve(t *testing.T, w http.ResponseWriter, r *http.Request, mqtt string) {
	v := sigv4.Verifier{Lookup: func(_ context.Context, id, _ string) (string, error) {
		if id != testKeyID {
			return "", fault.New(fault.Unauthenticated, "The security token included in the request is invalid.")
		}
		return testSecret, nil
	}}
	by, err := v.Verify(r, "iotdevicegateway")
	if err != nil || r.URL.Path != "/mqtt" {
		w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"Forbidden"}`)
		return
	}
	h.wanted, h.credential = r.Header, by
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		t.Error(err)
		return
	}
	near := websocket.NetConn(r.Context(), c, websocket.MessageBinary)
	far, err := new(net.Dialer).DialContext(r.Context(), "tcp", mqtt)
	if err != nil {
		t.Error(err)
		return
	}
	join(near, far)
}

// join joins two connections until both have ended.
func join(near, far net.Conn) {
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
		})
	}
	wg.Wait()
}

// newConnectProxy is an HTTP proxy that knows CONNECT alone and writes down what it was asked for.
func newConnectProxy(t *testing.T) (host, port string, asked <-chan string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { connectTunnel(near, seen) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port, seen
}

func connectTunnel(near net.Conn, seen chan<- string) {
	defer func() { _ = near.Close() }()
	req, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil {
		return
	}
	seen <- req.Method + " " + req.RequestURI
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", req.RequestURI)
	if err != nil {
		_, _ = io.WriteString(near, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	join(near, far)
}

// The sample over a signed WebSocket prints what it prints with a certificate.
func TestPubsubOverWebSocket(t *testing.T) {
	h := newWSHouse(t)
	proxyHost, proxyPort, asked := newConnectProxy(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": testKeyID, "AWS_SECRET_ACCESS_KEY": testSecret, "AWS_SESSION_TOKEN": "tok/en+=", "AWS_REGION": "eu-west-1",
		"AWS_CA_BUNDLE": h.ca,
	}
	common := []string{"pubsub", "--use-websocket", "--endpoint", h.host, "--port", h.port, "--count", "1", "--interval", "0s"}
	want := "'...\nConnected!\nSubscribing to topic 'test/topic'...\n" +
		"Subscribed with QoS.AT_LEAST_ONCE\nSending 1 message(s)\nPublishing message to topic 'test/topic': Hello World! [1]\n"
	for _, c := range []struct {
		name, region string
		args         []string
	}{
		{"straight", "eu-west-1", nil},
		{"signing region", "sa-east-1", []string{"--signing-region", "sa-east-1"}},
		{"root CA", "eu-west-1", []string{"--root-ca", h.ca}},
		{"through a proxy", "eu-west-1", []string{"--proxy-host", proxyHost, "--proxy-port", proxyPort}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := verbIn(t, env, "", append(common, c.args...)...)
			if code != exitDone || !strings.HasPrefix(out, "Connecting to "+h.host+" with client ID 'test-") || !strings.Contains(out, want) || !strings.HasSuffix(out, "1 message(s) received.\nDisconnecting...\nDisconnected!\n") {
				t.Errorf("%d\n%s%s", code, out, errs)
			}
			if h.credential.Region != c.region || h.credential.Token != "tok/en+=" || h.wanted.Get("Sec-WebSocket-Protocol") != "mqtt" {
				t.Errorf("signed for %s, %v", h.credential.Region, h.wanted)
			}
		})
	}
	if got, want := <-asked, "CONNECT "+h.host+":"+h.port; got != want {
		t.Errorf("the proxy was asked %q, want %q", got, want)
	}
}

func TestPubsubOverWebSocketRefused(t *testing.T) {
	t.Parallel()
	h := newWSHouse(t)
	good := map[string]string{"AWS_ACCESS_KEY_ID": testKeyID, "AWS_SECRET_ACCESS_KEY": testSecret, "AWS_CA_BUNDLE": h.ca}
	with := func(name, value string) map[string]string {
		env := map[string]string{name: value}
		for n, v := range good {
			if n != name {
				env[n] = v
			}
		}
		return env
	}
	html := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(html.Close)
	for _, c := range []struct {
		name  string
		env   map[string]string
		args  []string
		words string
	}{
		{"a wrong secret", with("AWS_SECRET_ACCESS_KEY", "x"), nil, "403 Forbidden, ForbiddenException: Forbidden; check the access key"},
		{"an unknown key", with("AWS_ACCESS_KEY_ID", "AKIAAAAAAAAAAAAAAAAA"), nil, "403 Forbidden"},
		{"no CA", with("AWS_CA_BUNDLE", ""), nil, "check --root-ca"},
		{"no such bundle", with("AWS_CA_BUNDLE", "/nowhere"), nil, "cannot be read"},
		{"no proxy", good, []string{"--proxy-host", "127.0.0.1", "--proxy-port", "1"}, "check --proxy-host and --proxy-port"},
		{"another server", good, []string{"--port", strings.TrimPrefix(html.URL, "https://127.0.0.1:")}, "404 Not Found; check that --port is one for WebSockets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := verbIn(t, c.env, "", append([]string{"pubsub", "--use-websocket", "--endpoint", h.host, "--port", h.port, "--count", "1"}, c.args...)...)
			if code != exitFailed || !strings.Contains(errs, c.words) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d %s", code, errs)
			}
			if strings.Contains(errs, "X-Amz-Signature") || strings.Contains(errs, testSecret) {
				t.Errorf("a secret is told: %s", errs)
			}
		})
	}
}

// The port of a WebSocket is 443 where none is given, that of a certificate 8883.
func TestPubsubDefaultPorts(t *testing.T) {
	t.Parallel()
	proxyHost, proxyPort, asked := newConnectProxy(t)
	env := map[string]string{"AWS_ACCESS_KEY_ID": testKeyID, "AWS_SECRET_ACCESS_KEY": testSecret}
	through := []string{"--endpoint", "127.0.0.1", "--proxy-host", proxyHost, "--proxy-port", proxyPort}
	_, _, _ = verbIn(t, env, "", append([]string{"pubsub", "--use-websocket"}, through...)...)
	if got := <-asked; got != "CONNECT 127.0.0.1:443" {
		t.Errorf("%q", got)
	}
}

// With a certificate, too, it goes through a proxy.
func TestPubsubThroughAProxy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	files := h.files(t)
	proxyHost, proxyPort, asked := newConnectProxy(t)
	out, end := h.pubsub(t, files, h.port, "--client-id", "lamp", "--count", "1", "--proxy-host", proxyHost, "--proxy-port", proxyPort)
	if code := end(); code != exitDone {
		t.Errorf("%d: %s", code, out.String())
	}
	if got := <-asked; got != "CONNECT localhost:"+h.port {
		t.Errorf("%q", got)
	}
}
