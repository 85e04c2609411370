package thingwiretest_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/thingwire/thingwire/thingwiretest"
)

// device is a connected client that tells how its connection ended.
type device struct {
	*paho.Client
	ended chan byte // reason code of the server's DISCONNECT
}

func connect(t *testing.T, s *thingwiretest.Server, th *thingwiretest.Thing, clientID string) (*device, error) {
	t.Helper()
	conn, err := (&tls.Dialer{Config: th.TLSConfig()}).DialContext(t.Context(), "tcp", s.Addr("mqtts"))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	d := &device{ended: make(chan byte, 1)}
	d.Client = paho.NewClient(paho.ClientConfig{
		Conn:               packets.NewThreadSafeConn(conn),
		OnServerDisconnect: func(p *paho.Disconnect) { d.ended <- p.ReasonCode },
	})
	_, err = d.Connect(t.Context(), &paho.Connect{ClientID: clientID, KeepAlive: 30, CleanStart: true})
	return d, err
}

// A server must be cheap enough for every test to have its own.
func TestStartTakesNoTime(t *testing.T) {
	best := time.Hour
	for range 5 {
		began := time.Now()
		s := thingwiretest.Start(t)
		s.NewThing(t, "lamp", s.AllowEverything())
		best = min(best, time.Since(began))
	}
	if best > 100*time.Millisecond {
		t.Errorf("a server and a thing take %v", best)
	}
}

// A client that negotiates RSA alone is served, several at once by one certificate.
func TestClientsThatOnlyDoRSA(t *testing.T) {
	t.Parallel()
	s := thingwiretest.Start(t)
	lamp := s.NewThing(t, "lamp", s.AllowEverything())
	old := lamp.TLSConfig()
	old.MaxVersion = tls.VersionTLS12
	old.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	shown := make(chan *x509.Certificate, 3)
	for i := range cap(shown) {
		go func() {
			conn, err := (&tls.Dialer{Config: old}).DialContext(t.Context(), "tcp", s.Addr("mqtts"))
			if err != nil {
				t.Errorf("client %d: %v", i, err)
				shown <- nil
				return
			}
			shown <- conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
			_ = conn.Close()
		}()
	}
	first := <-shown
	for range cap(shown) - 1 {
		if c := <-shown; c != nil && first != nil && !c.Equal(first) {
			t.Error("two clients were shown two RSA certificates")
		}
	}
	if first == nil || first.PublicKeyAlgorithm != x509.RSA {
		t.Fatalf("shown was %v, want RSA", first)
	}
	modern, err := (&tls.Dialer{Config: lamp.TLSConfig()}).DialContext(t.Context(), "tcp", s.Addr("mqtts"))
	if err != nil {
		t.Fatal(err)
	}
	defer modern.Close() //nolint:errcheck // nothing was sent
	if c := modern.(*tls.Conn).ConnectionState().PeerCertificates[0]; c.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("a client that can do ECDSA is shown %v", c.PublicKeyAlgorithm)
	}
}

func TestEveryListenerIsOpenOnLoopback(t *testing.T) {
	s := thingwiretest.Start(t)
	seen := map[string]bool{}
	for _, name := range []string{"mqtts", "https", "api", "shared", "console", "mqtt", "metrics"} {
		addr := s.Addr(name)
		if !strings.HasPrefix(addr, "127.0.0.1:") || seen[addr] {
			t.Errorf("%s is at %q", name, addr)
		}
		seen[addr] = true
	}
	if addr := s.Addr("gopher"); addr != "" {
		t.Error(addr)
	}
}

// Two servers in one test share nothing: not the things, not the topics, not the CA.
func TestTwoServersAreStrangers(t *testing.T) {
	one, two := thingwiretest.Start(t), thingwiretest.Start(t)
	lamp := one.NewThing(t, "lamp", one.AllowEverything())
	two.NewThing(t, "lamp", two.AllowEverything())
	if _, err := connect(t, one, lamp, "lamp"); err != nil {
		t.Error(err)
	}
	if _, err := connect(t, two, lamp, "lamp"); err == nil {
		t.Error("a thing of the one is trusted by the other")
	}
	if bytes.Equal(one.RootPEM(), two.RootPEM()) {
		t.Error("they have one CA")
	}
}

func TestServersInParallel(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := thingwiretest.Start(t)
			d, err := connect(t, s, s.NewThing(t, "lamp", s.ThingScoped()), "lamp")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Publish(t.Context(), &paho.Publish{Topic: "lamp/state", QoS: 1}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	var log bytes.Buffer
	s := thingwiretest.Start(t,
		thingwiretest.WithAccount("123456789012"), thingwiretest.WithRegion("eu-central-1"), thingwiretest.WithHostname("iot.example.org"),
		thingwiretest.WithLimits("aws"), thingwiretest.WithLog(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	lamp := s.NewThing(t, "lamp", s.ThingScoped())
	if !strings.HasPrefix(lamp.CertificateARN, "arn:aws:iot:eu-central-1:123456789012:cert/") || !strings.HasSuffix(lamp.CertificateARN, lamp.CertificateID) {
		t.Error(lamp.CertificateARN)
	}
	cfg := lamp.TLSConfig()
	cfg.ServerName = "iot.example.org"
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(t.Context(), "tcp", s.Addr("mqtts"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	// 9 filters in one SUBSCRIBE are one more than AWS takes.
	d, err := connect(t, s, lamp, "lamp")
	if err != nil {
		t.Fatal(err)
	}
	sub := &paho.Subscribe{}
	for i := range 9 {
		sub.Subscriptions = append(sub.Subscriptions, paho.SubscribeOptions{Topic: fmt.Sprintf("lamp/%d", i)})
	}
	if _, err := d.Subscribe(t.Context(), sub); err == nil {
		t.Error("the limits are not AWS's")
	}
}

// The files are what AWS's tools take: separate PEM files that belong together.
func TestFilesOfAThing(t *testing.T) {
	s := thingwiretest.Start(t)
	lamp := s.NewThing(t, "hall:lamp", s.AllowEverything())
	if _, err := tls.LoadX509KeyPair(lamp.CertFile, lamp.KeyFile); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(lamp.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	root, err := os.ReadFile(lamp.CAFile)
	if err != nil || !bytes.Equal(root, s.RootPEM()) {
		t.Error(err)
	}
	data, err := os.ReadFile(lamp.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

func TestDeactivatedThingIsDisconnected(t *testing.T) {
	s := thingwiretest.Start(t)
	lamp := s.NewThing(t, "lamp", s.AllowEverything())
	d, err := connect(t, s, lamp, "lamp")
	if err != nil {
		t.Fatal(err)
	}
	lamp.Deactivate(t)
	if code := <-d.ended; code != packets.DisconnectNotAuthorized {
		t.Errorf("reason code %#x", code)
	}
	if _, err := connect(t, s, lamp, "lamp"); err == nil {
		t.Error("it came back")
	}
	if why := s.Why(""); len(why) == 0 {
		t.Error("nobody knows why it was not let in")
	}
	lamp.Activate(t)
	if _, err := connect(t, s, lamp, "lamp"); err != nil {
		t.Error(err)
	}
}

// What a client does is seen in the metrics, under AWS's results.
func TestMetricsOfAClient(t *testing.T) {
	s := thingwiretest.Start(t)
	lamp := s.NewThing(t, "lamp", s.ThingScoped())
	d, err := connect(t, s, lamp, "lamp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "lamp/#", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	for topic, allowed := range map[string]bool{"lamp/state": true, "attic/state": false} {
		if _, err := d.Publish(t.Context(), &paho.Publish{Topic: topic, QoS: 1, Payload: []byte("on")}); (err == nil) != allowed {
			t.Error(topic, err)
		}
	}
	if _, err := connect(t, s, lamp, "attic"); err == nil {
		t.Error("the lamp may connect as attic")
	}
	want := []string{
		`thingwire_connections 1`,
		`thingwire_connects_total{result="success"} 1`,
		`thingwire_connects_total{result="auth_error"} 1`,
		`thingwire_publishes_total{result="auth_error"} 1`,
		`thingwire_subscribes_total{result="success"} 1`,
		`thingwire_subscriptions 1`,
		`thingwire_sessions 0`,
		`thingwire_tls_handshakes_total{result="success"} 2`,
	}
	text := scrape(t, s)
	lines := strings.Split(text, "\n")
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("no %s", line)
		}
	}
	for _, counter := range []string{"thingwire_received_bytes_total", "thingwire_sent_bytes_total", "thingwire_deliveries_total"} {
		if !strings.Contains(text, "\n"+counter+" ") || strings.Contains(text, "\n"+counter+" 0\n") {
			t.Errorf("%s counts nothing", counter)
		}
	}
	if strings.Contains(text, "lamp") || strings.Contains(text, "attic") {
		t.Error("metrics name a client or a topic")
	}
	if err := d.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	const end = `thingwire_disconnects_total{reason="client_initiated_disconnect"} 1`
	for !strings.Contains(scrape(t, s), end) { // the end comes at its own time; the test's timeout bounds this
		if t.Context().Err() != nil {
			t.Fatal("the disconnect is not counted")
		}
	}
	if !strings.Contains(scrape(t, s), "\nthingwire_connections 0\n") {
		t.Error("the connection is still counted")
	}
}

func scrape(t *testing.T, s *thingwiretest.Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr("metrics")+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// failing is a test that has failed, and keeps what is logged.
type failing struct {
	testing.TB
	log      bytes.Buffer
	cleanups []func()
}

func (f *failing) Failed() bool      { return true }
func (f *failing) Log(args ...any)   { fmt.Fprintln(&f.log, args...) }
func (f *failing) Output() io.Writer { return io.Discard }
func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

// When a test fails, its log says what the server had against its clients.
func TestFailedTestSaysWhy(t *testing.T) {
	f := &failing{TB: t}
	s := thingwiretest.Start(f)
	if _, err := connect(t, s, s.NewThing(t, "lamp", s.ThingScoped()), "door"); err == nil {
		t.Error("the lamp may connect as door")
	}
	for _, fn := range slices.Backward(f.cleanups) {
		fn()
	}
	if log := f.log.String(); !strings.Contains(log, "thingwire: Connect of door: ") || !strings.Contains(log, "iot:Connect") {
		t.Error(log)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		f := &failing{TB: b}
		b.StartTimer()
		thingwiretest.Start(f)
		b.StopTimer()
		for _, fn := range slices.Backward(f.cleanups) {
			fn()
		}
		b.StartTimer()
	}
}

func BenchmarkNewThing(b *testing.B) {
	s := thingwiretest.Start(b)
	document := s.ThingScoped()
	for i := 0; b.Loop(); i++ {
		s.NewThing(b, fmt.Sprint("thing-", i), document)
	}
}
