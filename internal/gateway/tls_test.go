package gateway

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/registry"
)

// authority is one CA for all tests: RSA keys take their time.
var authority = sync.OnceValues(func() (*registry.Authority, error) {
	a, err := registry.NewAuthority(nil)
	if err == nil {
		err = a.ServeNames([]string{"localhost", "127.0.0.1"})
	}
	return a, err
})

// withTLS is a rig whose listeners can speak TLS.
func withTLS(r *rig, _ *broker.Limits) {
	var err error
	r.authority, err = authority()
	must(r.t, err)
}

// tlsConfig is a client's side of TLS: it trusts our root, and knows whether it was asked for a certificate.
func (r *rig) tlsConfig(d *device, alpn ...string) (cfg *tls.Config, asked *bool) {
	r.t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(r.authority.RootPEM()) {
		r.t.Fatal("the root is no certificate")
	}
	asked = new(bool)
	cfg = &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: alpn}
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*asked = true
		if len(info.AcceptableCAs) > 0 {
			r.t.Error("the list of authorities is not empty: clients of other CAs would send nothing")
		}
		if d == nil {
			return &tls.Certificate{}, nil
		}
		return &d.certificate, nil
	}
	return cfg, asked
}

// secure is a client over TLS; err is that of the handshake.
func (r *rig) secure(kind Kind, cfg *tls.Config) (*client, error) {
	r.t.Helper()
	nc := tls.Client(r.socket(kind), cfg)
	must(r.t, nc.SetDeadline(time.Now().Add(patience)))
	c := newClient(r.t, nc)
	return c, nc.HandshakeContext(r.t.Context())
}

const closed = "closed"

// tryMQTT says what becomes of a CONNECT.
func (c *client) tryMQTT() string {
	c.version = 5
	c.say(hello{id: "tls", clean: true}.bytes(5))
	f, err := readFrame(bufio.NewReader(c.nc))
	switch {
	case err == nil && f[0] == 0x20:
		return c.describe(f)
	case err == nil:
		return "not MQTT"
	}
	return "closed"
}

// tryHTTP says what becomes of a GET.
func (c *client) tryHTTP() string {
	c.say([]byte("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(c.nc), nil)
	if err != nil {
		return "closed"
	}
	_ = resp.Body.Close()
	return fmt.Sprint("HTTP ", resp.StatusCode)
}

// TestListeners is the table of the doors: what each listener speaks, to whom, by which ALPN name, and whom it asks for
// a certificate (client-traps.md 9 and 10: some clients fail when they are asked, some when they are not).
func TestListeners(t *testing.T) {
	const ok, mqtt, httpGet = "CONNACK 00 present=false", "MQTT", "HTTP"
	r := newRig(t, withTLS)
	d := r.device(allowAll)
	for _, tt := range []struct {
		kind   Kind
		alpn   string
		cert   bool
		speaks string
		asked  bool
		want   string // "handshake" when that fails
	}{
		{MQTTS, "", true, mqtt, true, ok},
		{MQTTS, alpnMQTTCertificate, true, mqtt, true, ok},
		{MQTTS, "nobody-knows", true, mqtt, true, ok},
		{MQTTS, "", false, mqtt, true, closed},
		{MQTTS, "", true, httpGet, true, "HTTP 400"},
		{HTTPS, alpnMQTTCertificate, true, mqtt, true, ok},
		{HTTPS, alpnMQTTCertificate, false, mqtt, true, closed},
		{HTTPS, "", true, mqtt, true, closed},
		{HTTPS, "", true, httpGet, true, "HTTP 501"},
		{HTTPS, "", false, httpGet, true, "HTTP 501"},
		{HTTPS, alpnHTTPCertificate, true, httpGet, true, "HTTP 501"},
		{HTTPS, alpnHTTP, false, httpGet, true, "HTTP 501"},
		{HTTPS, "nobody-knows", true, mqtt, false, "handshake"},
		{API, "", true, httpGet, false, "HTTP 501"},
		{API, alpnHTTP, false, httpGet, false, "HTTP 501"},
		{API, "", true, mqtt, false, closed},
		{API, alpnHTTP, true, mqtt, false, closed},
		{API, alpnMQTTCertificate, true, mqtt, false, "handshake"},
		{Shared, alpnMQTTCertificate, true, mqtt, true, ok},
		{Shared, alpnMQTTCertificate, false, mqtt, true, closed},
		{Shared, alpnMQTTCustom, true, mqtt, false, closed},
		{Shared, alpnHTTPCertificate, true, httpGet, true, "HTTP 501"},
		{Shared, alpnHTTPCertificate, false, httpGet, true, closed},
		{Shared, alpnHTTP, true, httpGet, false, "HTTP 501"},
		{Shared, "", true, httpGet, false, "HTTP 501"},
		{Shared, "", true, mqtt, false, closed},
		{Shared, "nobody-knows", true, mqtt, false, "handshake"},
	} {
		t.Run(fmt.Sprintf("%s alpn=%s cert=%v %s", tt.kind, tt.alpn, tt.cert, tt.speaks), func(t *testing.T) {
			who, names := d, []string(nil)
			if !tt.cert {
				who = nil
			}
			if tt.alpn != "" {
				names = []string{tt.alpn}
			}
			cfg, asked := r.tlsConfig(who, names...)
			c, err := r.secure(tt.kind, cfg)
			got := "handshake"
			switch {
			case err != nil:
			case tt.speaks == mqtt:
				got = c.tryMQTT()
			default:
				got = c.tryHTTP()
			}
			if got != tt.want || *asked != tt.asked {
				t.Errorf("got %q (asked: %v, %v), want %q (%v)", got, *asked, err, tt.want, tt.asked)
			}
		})
	}
}

// TestPlainListeners: the console speaks HTTP only, so that no browser becomes anonymous; mqtt speaks MQTT only.
func TestPlainListeners(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		kind       Kind
		mqtt, http string
	}{
		{Console, closed, "HTTP 501"},
		{MQTT, "CONNACK 00 present=false", "HTTP 400"},
	} {
		dial := func() *client {
			nc := r.socket(tt.kind)
			must(t, nc.SetDeadline(time.Now().Add(patience)))
			return newClient(t, nc)
		}
		if got := dial().tryMQTT(); got != tt.mqtt {
			t.Errorf("MQTT on %s: %q", tt.kind, got)
		}
		if got := dial().tryHTTP(); got != tt.http {
			t.Errorf("HTTP on %s: %q", tt.kind, got)
		}
	}
}

// TestServerNames: without SNI, with a name that is not ours, and for clients that know RSA or ECDSA only, the server
// shows a certificate of its CA.
func TestServerNames(t *testing.T) {
	r := newRig(t, func(r *rig, _ *broker.Limits) { // the CA in memory has no RSA
		var err error
		r.authority, err = registry.OpenAuthority(t.TempDir(), nil)
		must(t, err)
		must(t, r.authority.ServeNames([]string{"localhost"}))
	})
	d := r.device(allowAll)
	for _, tt := range []struct {
		name   string
		sni    string
		suites []uint16
		key    x509.PublicKeyAlgorithm
	}{
		{"no SNI", "", nil, x509.ECDSA},
		{"another name", "iot.example.com", nil, x509.RSA},
		{"our name", "localhost", nil, x509.ECDSA},
		{"RSA only", "localhost", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, x509.RSA},
		{"ECDSA only", "localhost", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, x509.ECDSA},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _ := r.tlsConfig(d)
			cfg.ServerName, cfg.CipherSuites = tt.sni, tt.suites
			cfg.InsecureSkipVerify = true // VerifyConnection does it, for the name that we want
			if tt.suites != nil {
				cfg.MaxVersion = tls.VersionTLS12
			}
			cfg.VerifyConnection = func(cs tls.ConnectionState) error {
				leaf := cs.PeerCertificates[0]
				if leaf.PublicKeyAlgorithm != tt.key {
					t.Errorf("a certificate with a key of %s", leaf.PublicKeyAlgorithm)
				}
				_, err := leaf.Verify(x509.VerifyOptions{Roots: cfg.RootCAs, DNSName: "localhost"})
				return err
			}
			c, err := r.secure(MQTTS, cfg)
			must(t, err)
			if got := c.tryMQTT(); got != "CONNACK 00 present=false" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestSilentSocketsKeepNobodyOut: sockets that never finish their handshake held all places for one, for ten seconds;
// eight of them were enough to keep everybody out.
func TestSilentSocketsKeepNobodyOut(t *testing.T) {
	r := newRig(t, withTLS)
	d := r.device(allowAll)
	cfg, _ := r.tlsConfig(d)
	for i := range 3 * cap(r.gateway.handshakes) {
		nc := r.socket(MQTTS)
		if i%2 == 1 { // half a ClientHello
			_, err := nc.Write([]byte{0x16, 3, 1, 2, 0, 1})
			must(t, err)
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	began := time.Now()
	c, err := r.secure(MQTTS, cfg)
	must(t, err)
	if got := c.tryMQTT(); got != "CONNACK 00 present=false" {
		t.Errorf("got %q", got)
	}
	if waited := time.Since(began); waited > handshakeTimeout/2 {
		t.Errorf("a client waited %s", waited)
	}
}

// TestManyMessagesOverTLS: what batches, blocks and the cork make of messages of all sizes is what was sent.
func TestManyMessagesOverTLS(t *testing.T) {
	r := newRig(t, withTLS)
	cfg, _ := r.tlsConfig(r.device(allowAll))
	sub, err := r.secure(MQTTS, cfg)
	must(t, err)
	sub.listen()
	sub.hello(5, hello{id: "sub", clean: true})
	sub.sub(1, "t")
	pub, err := r.secure(MQTTS, cfg)
	must(t, err)
	pub.listen()
	pub.hello(3, hello{id: "pub", clean: true})
	const count = 600
	sizes := []int{10, 100, 3000, 15_000, 17_000, 70_000}
	go func() {
		for i := range count {
			pub.say(pub.publish("t", fmt.Sprintf("%06d", i)+payload(sizes[i%len(sizes)]), byte(i%2), uint16(i+1)))
		}
	}()
	for i := range count {
		f := sub.next()
		size := 6 + sizes[i%len(sizes)]
		if got := string(f[len(f)-size : len(f)-size+6]); got != fmt.Sprintf("%06d", i) {
			t.Fatalf("message %q comes as number %d", got, i)
		}
		if id := f[0] & 0x06; id != 0 {
			at := len(f) - size - 3
			sub.send(frame(0x40, f[at:at+2]))
		}
	}
	for i := 1; i < count; i += 2 {
		pub.want(fmt.Sprintf("PUBACK %d", i+1))
	}
}

// TestLastWordsArrive: a client sends much more than it may and reads then. The socket was closed with bytes unread,
// and the reset could overtake the DISCONNECT that says why.
func TestLastWordsArrive(t *testing.T) {
	r := newRig(t, withTLS)
	cfg, _ := r.tlsConfig(r.device(allowAll))
	over, err := r.secure(MQTTS, cfg)
	must(t, err)
	for name, c := range map[string]*client{"TCP": r.tcp0(), "TLS": over} {
		c.version = 5
		br := bufio.NewReader(c.nc)
		c.send(hello{id: name, clean: true}.bytes(5))
		f, err := readFrame(br)
		must(t, err)
		if got := c.describe(f); got != "CONNACK 00 present=false" {
			t.Fatalf("%s: %q", name, got)
		}
		c.send(frame(0x30, str("t"), []byte{0}, make([]byte, 300<<10)))
		f, err = readFrame(br)
		must(t, err)
		if got := c.describe(f); got != "DISCONNECT 95" {
			t.Errorf("%s: got %q", name, got)
		}
		if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the end is %v", name, err)
		}
		_ = c.nc.Close()
	}
}
