package thingwiretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/server"
)

// Thing is a thing with an active certificate and a policy: a device that can connect. Its files are gone when its test
// is over.
type Thing struct {
	Name           string
	CertificateID  string
	CertificateARN string

	CertFile string // certificate, PEM
	KeyFile  string // private key, PEM
	CAFile   string // the root certificate of the server, PEM

	server      *Server
	certificate tls.Certificate
	roots       *x509.CertPool
}

// NewThing makes a thing, a certificate and a policy from the text of a policy document, and attaches them to each
// other. It ends the test if one of them cannot be made.
func (s *Server) NewThing(t testing.TB, name, policyDocument string) *Thing {
	t.Helper()
	dir := t.TempDir()
	th := &Thing{
		Name: name, server: s,
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "private.key"), CAFile: filepath.Join(dir, "root-CA.pem"),
	}
	if err := th.provision(t, policyDocument); err != nil {
		t.Fatalf("thingwiretest: thing %s: %v", name, err)
	}
	return th
}

func (th *Thing) provision(t testing.TB, policyDocument string) error {
	r, ctx := th.server.server.Registry(), t.Context()
	if _, err := r.CreateThing(ctx, registry.ThingSpec{Name: th.Name}); err != nil {
		return err
	}
	policyName := server.PolicyNameOf(th.Name)
	if _, err := r.CreatePolicy(ctx, policyName, policyDocument); err != nil {
		return err
	}
	keyPEM, csr, err := newKey()
	if err != nil {
		return err
	}
	cert, err := r.CreateCertificateFromCSR(ctx, csr, true)
	if err != nil {
		return err
	}
	th.CertificateID, th.CertificateARN = cert.ID, r.ARN("cert/"+cert.ID)
	if err := r.AttachPolicy(ctx, policyName, th.CertificateARN); err != nil {
		return err
	}
	if err := r.AttachThingPrincipal(ctx, th.Name, th.CertificateARN, ""); err != nil {
		return err
	}
	return th.write([]byte(cert.PEM), keyPEM, th.server.RootPEM())
}

// newKey makes a private key and the request for its certificate, both PEM.
func newKey() (keyPEM []byte, csr string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, "", err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})), nil
}

func (th *Thing) write(cert, key, root []byte) (err error) {
	if th.certificate, err = tls.X509KeyPair(cert, key); err != nil {
		return err
	}
	th.roots = x509.NewCertPool()
	th.roots.AppendCertsFromPEM(root)
	for file, data := range map[string][]byte{th.CertFile: cert, th.KeyFile: key, th.CAFile: root} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TLSConfig is a new configuration for a client that connects to this server as this thing. Dial with it, or set
// ServerName to one of the names in the server's certificate.
func (th *Thing) TLSConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{th.certificate}, RootCAs: th.roots, MinVersion: tls.VersionTLS12}
}

// Deactivate makes the certificate inactive, as UpdateCertificate does: the thing is disconnected and cannot connect
// again until Activate.
func (th *Thing) Deactivate(t testing.TB) {
	t.Helper()
	th.setStatus(t, registry.Inactive)
}

// Activate makes the certificate active again.
func (th *Thing) Activate(t testing.TB) {
	t.Helper()
	th.setStatus(t, registry.Active)
}

func (th *Thing) setStatus(t testing.TB, status registry.Status) {
	t.Helper()
	if err := th.server.server.Registry().UpdateCertificate(t.Context(), th.CertificateID, status); err != nil {
		t.Fatalf("thingwiretest: thing %s: %v", th.Name, err)
	}
}
