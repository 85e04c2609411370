package registry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Authority is the private CA of one data directory: a root that clients are given once and trust for decades, the
// certificates that the server shows, and the signature under device certificates.
//
// The root is RSA-2048, as Amazon Root CA 1 is: whoever can talk TLS to AWS IoT verifies its signature, under an RSA
// and under an ECDSA server certificate alike. Its files are
//
//	ca.key            the root's key and certificate, 0600: the truth
//	ca.pem            the root's certificate, 0644: for clients; written again when it is lost
//	server-rsa.pem    key and certificate of the server, 0600: made again when they are lost, due or of other names
//	server-ecdsa.pem
//
// One that NewAuthority made has no files.
type Authority struct {
	dir  string // empty if nothing is written
	now  func() time.Time
	root *x509.Certificate
	key  crypto.Signer

	renewing sync.Mutex    // held while certificates are made, so that one does it and the others go on with the old
	rsaKey   crypto.Signer // of an authority in memory, nil until a client needs one; under renewing
	serving  atomic.Pointer[serving]
}

// serving is what the server shows: one certificate per kind of key, for one list of names.
type serving struct {
	names   []string
	certs   []tls.Certificate
	renewAt time.Time
	err     error // why the last renewal failed
}

const (
	rootKeyFile  = "ca.key"
	rootCertFile = "ca.pem"
)

// serverKeys are the kinds of server certificate in the order of preference: ECDSA costs a twentieth of RSA's CPU.
var serverKeys = []struct {
	file string
	make func() (crypto.Signer, error)
}{
	{"server-ecdsa.pem", makeECDSA},
	{"server-rsa.pem", makeRSA},
}

func makeECDSA() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func makeRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// OpenAuthority opens the CA in dir, and makes it when it is not there. A nil now is time.Now. The directory must be
// there. Server certificates come with ServeNames.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	a := &Authority{dir: dir, now: now}
	if err := a.openRoot(); err != nil {
		return nil, err
	}
	return a, nil
}

// RootPEM is the root certificate, which clients must trust.
func (a *Authority) RootPEM() []byte { return certificatePEM(a.root.Raw) }

// SignDevice signs a device certificate for a public key: subject, validity and usages as AWS IoT gives them.
func (a *Authority) SignDevice(public crypto.PublicKey) (der []byte, err error) {
	t, err := deviceTemplate(a.now(), public)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificate(rand.Reader, t, a.root, public, a.key)
}

// ServeNames sets the names (host names and IP addresses) that the server certificates carry, and makes the certificates
// if those in the directory do not fit. It is called before the first listener opens, and again when names change.
func (a *Authority) ServeNames(names []string) error {
	names, err := cleanNames(names)
	if err != nil {
		return err
	}
	a.renewing.Lock()
	defer a.renewing.Unlock()
	s, err := a.makeServing(names)
	if err != nil {
		return err
	}
	a.serving.Store(s)
	return nil
}

// ServerCertificates are the certificates to show, ECDSA P-256 before RSA-2048; nil before ServeNames. When they are due
// it renews them, so it is called per handshake (GetCertificate does), not once.
func (a *Authority) ServerCertificates() []tls.Certificate {
	s := a.serving.Load()
	if s == nil {
		return nil
	}
	if a.now().After(s.renewAt) {
		s = a.renew(s)
	}
	return s.certs
}

// GetCertificate picks the certificate that suits the client: ECDSA where it is understood, else RSA. It fits
// tls.Config.GetCertificate.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certs := a.ServerCertificates()
	if cert := suiting(hello, certs); cert != nil {
		return cert, nil
	}
	if len(certs) == 0 {
		return nil, fault.New(fault.Unavailable, "the server has no certificate yet")
	}
	if a.dir == "" && len(certs) == 1 {
		var err error
		if certs, err = a.addRSA(); err != nil {
			return nil, err
		}
	}
	return &certs[len(certs)-1], nil // RSA; SupportsCertificate is conservative, and TLS tells the client what is wrong
}

func suiting(hello *tls.ClientHelloInfo, certs []tls.Certificate) *tls.Certificate {
	for i := range certs {
		if hello.SupportsCertificate(&certs[i]) == nil {
			return &certs[i]
		}
	}
	return nil
}

// RenewalError says why the last renewal of the server certificates failed, nil if it did not. The old ones are in use.
func (a *Authority) RenewalError() error {
	if s := a.serving.Load(); s != nil {
		return s.err
	}
	return nil
}

// renew makes new certificates unless somebody is at it. A failure keeps the old ones and is tried again in an hour.
func (a *Authority) renew(old *serving) *serving {
	if !a.renewing.TryLock() {
		return old
	}
	defer a.renewing.Unlock()
	if s := a.serving.Load(); s != old {
		return s
	}
	s, err := a.makeServing(old.names)
	if err != nil {
		s = &serving{names: old.names, certs: old.certs, renewAt: a.now().Add(time.Hour), err: err}
	}
	a.serving.Store(s)
	return s
}

func (a *Authority) makeServing(names []string) (*serving, error) {
	if a.dir == "" {
		return a.makeServingInMemory(names)
	}
	s := &serving{names: names}
	for _, k := range serverKeys {
		cert, err := a.serverCertificate(filepath.Join(a.dir, k.file), names, k.make)
		if err != nil {
			return nil, err
		}
		s.certs = append(s.certs, *cert)
		if due := renewalTime(cert.Leaf); s.renewAt.IsZero() || due.Before(s.renewAt) {
			s.renewAt = due
		}
	}
	return s, nil
}

// serverCertificate takes the certificate in file if it still fits, else makes one with a new key.
func (a *Authority) serverCertificate(file string, names []string, makeKey func() (crypto.Signer, error)) (*tls.Certificate, error) {
	key, leaf, err := readKeyAndCertificate(file)
	switch {
	case err == nil && a.fits(leaf, names):
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
	case fault.Is(err, fault.Denied):
		return nil, err // a loose mode: whoever read the key has it
	}
	cert, err := a.newServerCertificate(names, makeKey)
	if err != nil {
		return nil, err
	}
	if err := writeKeyAndCertificate(file, cert.PrivateKey.(crypto.Signer), cert.Leaf, replaceFile); err != nil {
		return nil, err
	}
	return cert, nil
}

func (a *Authority) newServerCertificate(names []string, makeKey func() (crypto.Signer, error)) (*tls.Certificate, error) {
	key, err := makeKey()
	if err != nil {
		return nil, err
	}
	t, err := serverTemplate(a.now(), names, key.Public())
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.root, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// fits reports whether a certificate was signed by this root for exactly these names and is not due.
func (a *Authority) fits(leaf *x509.Certificate, names []string) bool {
	now := a.now()
	return leaf.CheckSignatureFrom(a.root) == nil && slices.Equal(namesOf(leaf), names) &&
		now.After(leaf.NotBefore) && now.Before(renewalTime(leaf))
}

func (a *Authority) openRoot() error {
	keyFile, certFile := filepath.Join(a.dir, rootKeyFile), filepath.Join(a.dir, rootCertFile)
	key, root, err := readKeyAndCertificate(keyFile)
	if fault.Is(err, fault.NotFound) {
		if key, root, err = a.makeRoot(keyFile, certFile); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	a.key, a.root = key, root
	if old, err := os.ReadFile(certFile); err == nil && slices.Equal(old, a.RootPEM()) {
		return nil
	}
	return writeFile(certFile, a.RootPEM(), 0o644, replaceFile)
}

// makeRoot starts a CA. A directory with the certificate of an older one is refused: its clients would trust nobody.
func (a *Authority) makeRoot(keyFile, certFile string) (crypto.Signer, *x509.Certificate, error) {
	if _, err := os.Lstat(certFile); err == nil {
		key, root, err := readKeyAndCertificate(keyFile)
		if !fault.Is(err, fault.NotFound) {
			return key, root, err // another process was faster
		}
		return nil, nil, fault.New(fault.Invalid, "%s is there but its key %s is not", certFile, keyFile).
			WithRemedy("restore the key, or move %s away to start a new CA, whose root every device must be given", rootCertFile)
	}
	key, root, err := newRoot(makeRSA)
	if err != nil {
		return nil, nil, err
	}
	err = writeKeyAndCertificate(keyFile, key, root, keepFile)
	if fault.Is(err, fault.Exists) {
		return readKeyAndCertificate(keyFile) // another process was faster
	}
	return key, root, err
}

func newRoot(makeKey func() (crypto.Signer, error)) (crypto.Signer, *x509.Certificate, error) {
	key, err := makeKey()
	if err != nil {
		return nil, nil, err
	}
	t, err := rootTemplate(key.Public())
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	root, err := x509.ParseCertificate(der)
	return key, root, err
}

// privateKeyPEM is PKCS #8, which every tool of today reads.
func privateKeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
