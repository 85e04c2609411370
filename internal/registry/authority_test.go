package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

var defaultNames = []string{"localhost", "127.0.0.1", "::1", "Host_1", "abc-ats.iot.us-east-1.amazonaws.localhost"}

func newAuthority(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, now)
	must(t, err)
	must(t, a.ServeNames(defaultNames))
	return a
}

func TestAuthorityFiles(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, nil)
	modes := map[string]os.FileMode{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		modes[e.Name()] = info.Mode()
	}
	if diff := cmp.Diff(map[string]os.FileMode{
		"ca.key": 0o600, "ca.pem": 0o644, "server-rsa.pem": 0o600, "server-ecdsa.pem": 0o600,
	}, modes); diff != "" {
		t.Error(diff)
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	must(t, err)
	if string(root) != string(a.RootPEM()) {
		t.Error("ca.pem is not the root")
	}

	must(t, os.Remove(filepath.Join(dir, "ca.pem")))
	again := newAuthority(t, dir, nil)
	if string(again.RootPEM()) != string(root) {
		t.Error("a second start makes another root")
	}
	if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err != nil {
		t.Error("ca.pem was not written again")
	}
	if !sameCertificates(a, again) {
		t.Error("a second start makes other server certificates")
	}
}

func sameCertificates(a, b *Authority) bool {
	for i, c := range a.ServerCertificates() {
		if !c.Leaf.Equal(b.ServerCertificates()[i].Leaf) {
			return false
		}
	}
	return true
}

func TestAuthorityRefusesLooseModes(t *testing.T) {
	for _, file := range []string{"ca.key", "server-rsa.pem"} {
		dir := t.TempDir()
		newAuthority(t, dir, nil)
		path := filepath.Join(dir, file)
		must(t, os.Chmod(path, 0o640))
		a, err := OpenAuthority(dir, nil)
		if err == nil {
			err = a.ServeNames(defaultNames)
		}
		wantKind(t, err, fault.Denied, "")
		if !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("no remedy in %q", err)
		}
	}
}

func TestAuthorityRefusesALostKey(t *testing.T) {
	dir := t.TempDir()
	newAuthority(t, dir, nil)
	must(t, os.Remove(filepath.Join(dir, "ca.key")))
	_, err := OpenAuthority(dir, nil)
	wantKind(t, err, fault.Invalid, "")
}

func TestAuthorityRefusesABrokenKey(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(authorityDirWithRoot(t), "ca.key"))
	must(t, err)
	other, err := os.ReadFile(filepath.Join(func() string { d := t.TempDir(); newAuthority(t, d, nil); return d }(), "server-rsa.pem"))
	must(t, err)
	mixed := string(other[:strings.Index(string(other), "-----BEGIN CERT")]) + string(whole[strings.Index(string(whole), "-----BEGIN CERT"):])
	for name, data := range map[string]string{"empty": "", "cut": string(whole[:len(whole)/2]), "text": "hello", "mixed": mixed} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "ca.key"), []byte(data), 0o600))
		if _, err := OpenAuthority(dir, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func authorityDirWithRoot(t *testing.T) string {
	t.Helper()
	testAuthority()
	return authorityDir()
}

// Two processes that start at once end with one root.
func TestAuthorityConcurrentFirstStart(t *testing.T) {
	dir := t.TempDir()
	roots := make([]string, 2)
	var wg sync.WaitGroup
	for i := range roots {
		wg.Go(func() {
			a, err := OpenAuthority(dir, nil)
			if err != nil {
				t.Error(err)
				return
			}
			roots[i] = string(a.RootPEM())
		})
	}
	wg.Wait()
	if roots[0] != roots[1] {
		t.Error("two roots")
	}
}

func TestServerCertificates(t *testing.T) {
	a := newAuthority(t, t.TempDir(), nil)
	certs := a.ServerCertificates()
	if len(certs) != 2 {
		t.Fatalf("%d certificates", len(certs))
	}
	if _, ok := certs[0].PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("first is %T", certs[0].PrivateKey)
	}
	if key, ok := certs[1].PrivateKey.(*rsa.PrivateKey); !ok || key.N.BitLen() != 2048 {
		t.Errorf("second is %T", certs[1].PrivateKey)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.RootPEM())
	for _, c := range certs {
		for _, name := range []string{"localhost", "127.0.0.1", "::1", "host_1", "abc-ats.iot.us-east-1.amazonaws.localhost"} {
			if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := c.Leaf.VerifyHostname("example.com"); err == nil {
			t.Error("passes for example.com")
		}
		if days := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore).Hours() / 24; days > 825 {
			t.Errorf("valid for %v days", days)
		}
		if string(c.Leaf.AuthorityKeyId) != string(a.root.SubjectKeyId) || len(c.Leaf.SubjectKeyId) == 0 {
			t.Error("the key ids do not chain")
		}
		if c.Leaf.IsCA || c.Leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			t.Errorf("usages %b", c.Leaf.KeyUsage)
		}
	}
	if years := time.Until(a.root.NotAfter).Hours() / 24 / 365; years < 10 {
		t.Errorf("the root lives %v years", years)
	}
}

// No device certificate passes for a server, no server certificate for a CA.
func TestDeviceCertificateIsNoServer(t *testing.T) {
	a := testAuthority()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := a.SignDevice(key.Public())
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("it may be a server")
	}
}

func TestServeNames(t *testing.T) {
	a := newAuthority(t, t.TempDir(), nil)
	before := a.ServerCertificates()
	must(t, a.ServeNames(append([]string{"localhost."}, defaultNames...))) // the same, told otherwise
	if !before[0].Leaf.Equal(a.ServerCertificates()[0].Leaf) {
		t.Error("made again for the same names")
	}
	must(t, a.ServeNames([]string{"iot.example", "*.iot.example", "192.0.2.7"}))
	if diff := cmp.Diff([]string{"*.iot.example", "192.0.2.7", "iot.example"}, namesOf(a.ServerCertificates()[0].Leaf)); diff != "" {
		t.Error(diff)
	}
	for _, names := range [][]string{nil, {""}, {"a b"}, {"-a"}, {"a..b"}, {"ä.de"}, {"a.*.b"}, {"host:443"}, {strings.Repeat("a.", 150)}} {
		wantKind(t, a.ServeNames(names), fault.Invalid, "")
	}
}

func TestServerCertificatesAreRenewed(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	a := newAuthority(t, dir, func() time.Time { return clock })
	first := a.ServerCertificates()[0].Leaf
	clock = clock.Add(200 * 24 * time.Hour)
	if !a.ServerCertificates()[0].Leaf.Equal(first) {
		t.Error("renewed after 200 days")
	}
	clock = clock.Add(100 * 24 * time.Hour)
	for range 2 {
		for _, c := range a.ServerCertificates() {
			if c.Leaf.Equal(first) || c.Leaf.NotAfter.Sub(clock) < 390*24*time.Hour {
				t.Errorf("not renewed: until %s", c.Leaf.NotAfter)
			}
		}
	}
	b := newAuthority(t, dir, func() time.Time { return clock })
	if !sameCertificates(a, b) {
		t.Error("the renewed certificates are not on disk")
	}
}

// A renewal that fails leaves what works in place, says so, and is tried again later.
func TestRenewalFailure(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o700))
	a := newAuthority(t, dir, func() time.Time { return clock })
	first := a.ServerCertificates()[0].Leaf
	must(t, os.Rename(dir, dir+".away"))
	clock = clock.Add(300 * 24 * time.Hour)
	if !a.ServerCertificates()[0].Leaf.Equal(first) || a.RenewalError() == nil {
		t.Errorf("renewal error %v", a.RenewalError())
	}
	must(t, os.Rename(dir+".away", dir))
	if a.ServerCertificates(); a.RenewalError() == nil {
		t.Error("tried again at once")
	}
	clock = clock.Add(2 * time.Hour)
	if a.ServerCertificates()[0].Leaf.Equal(first) || a.RenewalError() != nil {
		t.Errorf("not renewed after an hour: %v", a.RenewalError())
	}
}

// serveTLS answers handshakes on loopback until the test ends.
func serveTLS(t *testing.T, a *Authority) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: a.GetCertificate, MinVersion: tls.VersionTLS12})
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

// Clients of each kind get the certificate that suits them.
func TestGetCertificate(t *testing.T) {
	a := newAuthority(t, t.TempDir(), nil)
	addr := serveTLS(t, a)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.RootPEM())
	for name, c := range map[string]struct {
		suites []uint16
		max    uint16
		want   x509.PublicKeyAlgorithm
	}{
		"modern":    {nil, 0, x509.ECDSA},
		"1.2":       {nil, tls.VersionTLS12, x509.ECDSA},
		"RSA only":  {[]uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, tls.VersionTLS12, x509.RSA},
		"ECDSA GCM": {[]uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, tls.VersionTLS12, x509.ECDSA},
	} {
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, CipherSuites: c.suites, MaxVersion: c.max}}).DialContext(t.Context(), "tcp", addr)
		must(t, err)
		if got := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].PublicKeyAlgorithm; got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		must(t, conn.Close())
	}
	if _, err := (&Authority{}).GetCertificate(&tls.ClientHelloInfo{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("without certificates: %v", err)
	}
}

// run runs a foreign program if this machine has it.
func run(t *testing.T, stdin, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) {
		t.Logf("no %s on this machine", program)
		return
	}
	must(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// What openssl, Python and Node think of chain, names and handshake.
func TestForeignClientsAcceptTheServer(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, nil)
	addr := serveTLS(t, a)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	ca := filepath.Join(dir, "ca.pem")
	for _, file := range []string{"server-rsa.pem", "server-ecdsa.pem"} {
		run(t, "", "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", ca, filepath.Join(dir, file))
		run(t, "", "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "::1", "-CAfile", ca, filepath.Join(dir, file))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := a.SignDevice(key.Public())
	must(t, err)
	device := filepath.Join(dir, "device.pem")
	must(t, os.WriteFile(device, certificatePEM(der), 0o600))
	run(t, "", "openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca, device)

	for _, sigalgs := range []string{"RSA-PSS+SHA256", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"} {
		run(t, "", "openssl", "s_client", "-connect", addr, "-servername", "localhost", "-CAfile", ca,
			"-verify_return_error", "-verify_hostname", "localhost", "-sigalgs", sigalgs)
	}
	run(t, `
import socket, ssl, sys
for host in ("localhost", "127.0.0.1"):
    ctx = ssl.create_default_context(cafile=sys.argv[1])
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        ctx.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as s, ctx.wrap_socket(s, server_hostname=host) as t:
        t.version()
`, "python3", "-", ca, port)
	run(t, `
const tls = require("tls"), fs = require("fs");
const s = tls.connect({host: "127.0.0.1", servername: "localhost", port: +process.argv[3], ca: fs.readFileSync(process.argv[2])},
  () => { if (!s.authorized) process.exit(1); s.destroy(); });
s.on("error", e => { console.error(e); process.exit(1); });
`, "node", "-", ca, port)
}
