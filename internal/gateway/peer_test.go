package gateway

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// asking makes the gateway's HTTP handler one that answers who asks.
func (r *rig) asking() {
	r.gateway.http.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p := PeerOf(req.Context())
		id, err := r.gateway.Device(req)
		name := "nobody"
		if id != nil {
			name = id.CertificateID
		}
		_, _ = fmt.Fprintf(w, "%s %s %s %s %v", ListenerOf(req.Context()), p.Addr.Addr(), p.Domain, name, err)
	})
}

// get is what a request on a kept-alive connection is answered.
func (c *client) get(br *bufio.Reader) string {
	c.t.Helper()
	c.send([]byte("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	resp, err := http.ReadResponse(br, nil)
	must(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	_, err = bufio.NewReader(resp.Body).WriteTo(&b)
	must(c.t, err)
	return b.String()
}

// TestDeviceOfARequest: a handler knows the peer of each request, and a certificate that is taken back opens nothing more
// on a connection that is kept alive.
func TestDeviceOfARequest(t *testing.T) {
	r := newRig(t, withTLS)
	r.asking()
	d := r.device(allowAll)
	for _, tt := range []struct {
		kind Kind
		who  *device
		name string
	}{{HTTPS, d, d.id}, {HTTPS, nil, "nobody"}, {API, d, "nobody"}} {
		cfg, _ := r.tlsConfig(tt.who)
		c, err := r.secure(tt.kind, cfg)
		must(t, err)
		if got, want := c.get(bufio.NewReader(c.nc)), fmt.Sprintf("%s 127.0.0.1 localhost %s <nil>", tt.kind, tt.name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	cfg, _ := r.tlsConfig(d)
	c, err := r.secure(HTTPS, cfg)
	must(t, err)
	br := bufio.NewReader(c.nc)
	if got := c.get(br); !strings.Contains(got, d.id) {
		t.Errorf("got %q", got)
	}
	must(t, r.registry.UpdateCertificate(t.Context(), d.id, registry.Inactive))
	if got := c.get(br); !strings.Contains(got, "nobody") || !strings.Contains(got, "INACTIVE") {
		t.Errorf("got %q", got)
	}
}

// TestDeviceExpires: the dates count at each request, not at the handshake alone.
func TestDeviceExpires(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		now := time.Now()
		d := r.deviceValid(allowAll, now.Add(-time.Hour), now.Add(time.Hour))
		cert, err := x509.ParseCertificate(d.certificate.Certificate[0])
		must(t, err)
		req := httptest.NewRequestWithContext(
			context.WithValue(t.Context(), peerKey{}, &Peer{chain: []*x509.Certificate{cert}}), http.MethodGet, "/", nil)
		id, err := r.gateway.Device(req)
		if err != nil || id.CertificateID != d.id {
			t.Fatalf("got %v, %v", id, err)
		}
		pass(2 * time.Hour)
		if _, err := r.gateway.Device(req); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "expired on") {
			t.Errorf("got %v", err)
		}
	})
}

// TestDeviceJustInTime: a request introduces a stranger that a registered CA vouches for, as CONNECT does.
func TestDeviceJustInTime(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		device, ca := vouched(t)
		watcher := r.join(5, "watcher")
		watcher.sub(0, "$aws/events/certificates/registered/+")
		registered, err := r.registry.RegisterCACertificate(t.Context(), registry.CASpec{
			PEM: toPEM(ca.Raw), Mode: registry.SNIOnly, Active: true, AutoRegistration: true,
		})
		must(t, err)
		req := httptest.NewRequestWithContext(
			context.WithValue(t.Context(), peerKey{}, &Peer{chain: []*x509.Certificate{device, ca}}), http.MethodGet, "/", nil)
		if _, err := r.gateway.Device(req); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "is PENDING_ACTIVATION") {
			t.Errorf("got %v", err)
		}
		if got := watcher.describe(watcher.next()); !strings.HasPrefix(got, "PUBLISH $aws/events/certificates/registered/"+registered.ID+" ") {
			t.Errorf("told %s", got)
		}
		must(t, r.registry.UpdateCertificate(t.Context(), registry.Fingerprint(device.Raw), registry.Active))
		synctest.Wait()
		if id, err := r.gateway.Device(req); err != nil || id == nil {
			t.Errorf("got %v, %v", id, err)
		}
	})
}

// TestIdleHTTP: a kept-alive connection without requests is closed.
func TestIdleHTTP(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.asking()
		near, far := net.Pipe()
		c := newClient(t, near)
		go r.gateway.http.take(&replayConn{Conn: far, gateway: r.gateway, peer: &Peer{Listener: API, raw: far}})
		br := bufio.NewReader(near)
		if got := c.get(br); !strings.HasPrefix(got, "api ") {
			t.Fatalf("got %q", got)
		}
		began := time.Now()
		_, err := br.ReadByte()
		if took := time.Since(began); err == nil || took < idleTimeout-time.Second || took > idleTimeout+time.Second {
			t.Errorf("ended after %s: %v", took, err)
		}
	})
}
