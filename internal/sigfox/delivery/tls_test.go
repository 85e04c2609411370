package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func portOf(url string) string { return url[strings.LastIndexByte(url, ':'):] }

func TestServerNameIndication(t *testing.T) {
	var asked atomic.Value
	server, roots := tlsReceiver(t, func(http.ResponseWriter, *http.Request) {}, nil, "localhost")
	server.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		asked.Store(hello.ServerName)
		return nil, nil
	}
	s := open(t, Config{Roots: roots})
	for send, want := range map[bool]string{true: "localhost", false: ""} {
		r := get("https://localhost" + portOf(server.URL) + "/")
		r.SendSNI = send
		if out := s.Deliver(t.Context(), r); !out.OK || asked.Load() != want {
			t.Errorf("SNI %t: the handshake named %q: %+v", send, asked.Load(), out)
		}
	}
}

func TestBadTLS(t *testing.T) {
	ok := func(http.ResponseWriter, *http.Request) {}
	good, roots := tlsReceiver(t, ok, nil, "localhost", "127.0.0.1")
	stranger, _ := tlsReceiver(t, ok, nil, "127.0.0.1")
	other, otherRoots := tlsReceiver(t, ok, nil, "else.example.com")
	old, oldRoots := tlsReceiver(t, ok, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "127.0.0.1")
	client, clientRoots := tlsReceiver(t, ok, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "127.0.0.1")
	mutual, mutualRoots := tlsReceiver(t, ok, nil, "127.0.0.1")
	mutual.TLS.ClientAuth = tls.RequireAnyClientCert
	plain := receiver(t, ok)
	for _, c := range []struct {
		name  string
		url   string
		roots *x509.CertPool
		info  string // empty is delivered
	}{
		{"good", good.URL, roots, ""},
		{"unknown authority", stranger.URL, roots, "TLS: unknown authority"},
		{"authorities of the system", good.URL, nil, "TLS: unknown authority"},
		{"another name", other.URL, otherRoots, "TLS: certificate is not for 127.0.0.1"},
		{"expired", old.URL, oldRoots, "TLS: certificate expired or not yet valid"},
		{"no server's certificate", client.URL, clientRoots, "TLS: certificate is not good"},
		{"wants a certificate", mutual.URL, mutualRoots, "TLS: "},
		{"https to plain HTTP", strings.Replace(plain.URL, "http:", "https:", 1), roots, "TLS: the receiver"},
		{"http to TLS", strings.Replace(good.URL, "https:", "http:", 1), roots, "Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Config{Roots: c.roots})
			for _, sni := range []bool{true, false} {
				r := post(c.url, "x")
				r.SendSNI = sni
				out := s.Deliver(t.Context(), r)
				if out.OK != (c.info == "") || !out.OK && (!strings.HasPrefix(out.Info, c.info) || out.Remedy == "") {
					t.Errorf("SNI %t: %+v", sni, out)
				}
			}
		})
	}
}
