package device_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwire/thingwire/device"
)

// deviceCertificate is a certificate that a server may ask for.
func deviceCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lamp"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// trusting is a TLS configuration that trusts a test server.
func trusting(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
}

// dialerOf is a dialer of the address of a test server.
func dialerOf(t *testing.T, s *httptest.Server) *device.Dialer {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return &device.Dialer{Endpoint: host, Port: uint16(n), TLS: trusting(s)}
}

// presign is a signature of its own.
func presign(u *url.URL) (*url.URL, error) {
	signed := *u
	signed.RawQuery = "X-Amz-Signature=" + url.QueryEscape(u.Host+"/+")
	return &signed, nil
}

// echo is a WebSocket server that sends back what it gets, in frames of other sizes.
func echo(t *testing.T, seen func(*http.Request)) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen(r)
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1)
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("the client did not say goodbye: %v", err)
				}
				return
			}
			if kind != websocket.MessageBinary {
				t.Errorf("a frame of kind %v", kind)
			}
			out, err := c.Writer(r.Context(), websocket.MessageBinary)
			if err != nil {
				t.Error(err)
				return
			}
			for part := range slices.Chunk(message, 999) {
				if _, err := out.Write(part); err != nil {
					t.Error(err)
				}
			}
			if err := out.Close(); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestWebSocketIsAByteStream(t *testing.T) {
	t.Parallel()
	var target, host string
	s := echo(t, func(r *http.Request) { target, host = r.RequestURI, r.Host })
	d := dialerOf(t, s)
	d.Presign = presign
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "/mqtt?X-Amz-Signature=" + url.QueryEscape(d.Address()+"/+"); target != want || host != d.Address() {
		t.Errorf("%s to host %s, want %s", target, host, want)
	}
	large := strings.Repeat("0123456789", 20_000)
	var wg sync.WaitGroup
	wg.Go(func() { // in two frames of two sizes of length, the second over 64 KiB
		for _, part := range []string{large[:300], large[300:]} {
			if _, err := io.WriteString(conn, part); err != nil {
				t.Error(err)
			}
		}
	})
	got := make([]byte, len(large))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != large {
		t.Errorf("came back otherwise: %v", err)
	}
	wg.Wait()
	_ = conn.Close() // the server may be faster
	if _, err := io.WriteString(conn, "x"); err == nil {
		t.Error("a closed connection takes more")
	}
}

// The server pings and closes; the client answers both.
func TestWebSocketControlFrames(t *testing.T) {
	t.Parallel()
	ponged := make(chan error, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
		if err != nil {
			t.Error(err)
			return
		}
		ctx := c.CloseRead(r.Context())
		ponged <- c.Ping(ctx) // waits for the pong
		_ = c.Close(websocket.StatusGoingAway, "stop")
	}))
	t.Cleanup(s.Close)
	d := dialerOf(t, s)
	d.Presign = presign
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if n, err := conn.Read(make([]byte, 10)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	if err := <-ponged; err != nil {
		t.Errorf("no pong: %v", err)
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		{"in AWS's shape", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", "ForbiddenException:http://internal.amazon.com/")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"Forbidden; sign it"}`)
		}, "the server answered 403 Forbidden, ForbiddenException: Forbidden; sign it"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		}, "the server answered 502 Bad Gateway"},
		{"no WebSocket", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, "the server answered 200 OK"},
		{"another subprotocol", func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, nil); err == nil {
				_ = c.CloseNow()
			}
		}, "chose no subprotocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewTLSServer(http.HandlerFunc(c.answer))
			t.Cleanup(s.Close)
			d := dialerOf(t, s)
			d.Presign = presign
			_, err := d.Dial(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A server that says nothing costs no more than the context allows.
func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	reached, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(reached); <-leave }))
	t.Cleanup(s.Close)
	defer close(leave)
	d := dialerOf(t, s)
	d.Presign = presign
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	if _, err := d.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// proxy is an HTTP proxy that knows CONNECT alone.
type proxy struct {
	listener net.Listener
	status   string
	to       string // connects to this address, whatever it is asked for; set before it is asked
	asked    chan string
	wg       sync.WaitGroup
}

func newProxy(t *testing.T, status string) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, status: status, asked: make(chan string, 10)}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.tunnel(conn) })
	}
}

func (p *proxy) tunnel(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	p.asked <- req.Method + " " + req.RequestURI + " " + req.Host
	if p.status != "200 Connection established" {
		_, _ = io.WriteString(conn, "HTTP/1.1 "+p.status+"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := new(net.Dialer).DialContext(req.Context(), "tcp", cmp.Or(p.to, req.RequestURI))
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 "+p.status+"\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(to, in); _ = to.Close() })
	_, _ = io.Copy(conn, to)
	_ = conn.Close()
	wg.Wait()
}

func TestProxy(t *testing.T) {
	t.Parallel()
	s := echo(t, func(*http.Request) {})
	p := newProxy(t, "200 Connection established")
	d := dialerOf(t, s)
	d.Proxy, d.Presign = p.listener.Addr().String(), presign
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Error(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
		t.Errorf("%q, %v", got, err)
	}
	_ = conn.Close() // the server may be faster
	if asked, want := <-p.asked, "CONNECT "+d.Address()+" "+d.Address(); asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "407 Proxy Authentication Required")
	d := &device.Dialer{Endpoint: "iot.example.org", Proxy: p.listener.Addr().String()}
	_, err := d.Dial(t.Context())
	refused, ok := errors.AsType[*device.ProxyError](err)
	if !ok || refused.Status != "407 Proxy Authentication Required" {
		t.Errorf("%v", err)
	}
	if asked := <-p.asked; !strings.HasPrefix(asked, "CONNECT iot.example.org:8883 ") {
		t.Errorf("asked %q", asked)
	}
	d.Proxy = "127.0.0.1:1"
	if _, err := d.Dial(t.Context()); !errors.As(err, &refused) || refused.Err == nil {
		t.Errorf("a proxy that is not there: %v", err)
	}
}

// Certificates and ALPN names: on port 443 the protocol is named, elsewhere it is not.
func TestTLS(t *testing.T) {
	t.Parallel()
	certificate := deviceCertificate(t)
	type hello struct {
		name string
		alpn []string
	}
	for _, c := range []struct {
		name string
		port uint16
		ws   bool
		want string
	}{
		{"mqtt elsewhere", 0, false, ""}, {"mqtt on 443", 443, false, "x-amzn-mqtt-ca"}, {"websocket on 443", 443, true, "http/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan hello, 1)
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.TLS = &tls.Config{
				MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, NextProtos: []string{"x-amzn-mqtt-ca", "http/1.1"},
				GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
					seen <- hello{name: h.ServerName, alpn: h.SupportedProtos}
					return nil, nil //nolint:nilnil // the same one
				},
			}
			s.StartTLS()
			t.Cleanup(s.Close)
			d := dialerOf(t, s)
			d.TLS.Certificates = []tls.Certificate{certificate}
			if c.port != 0 { // the port is the proxy's to find: nobody may listen on 443 here
				p := newProxy(t, "200 Connection established")
				p.to = s.Listener.Addr().String()
				d.Proxy, d.Port = p.listener.Addr().String(), c.port
			}
			if c.ws {
				d.Presign = presign
			}
			conn, err := d.Dial(t.Context())
			if _, upgrade := errors.AsType[*device.UpgradeError](err); err != nil && (!c.ws || !upgrade) {
				t.Fatal(err)
			}
			if err == nil {
				_ = conn.Close()
			}
			if got := <-seen; got.name != "example.com" || strings.Join(got.alpn, ",") != c.want {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}
