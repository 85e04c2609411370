package registry

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestCreateKeysAndCertificate(t *testing.T) {
	r := openOn(t, newStore(t), testAuthority())
	k, err := r.CreateKeysAndCertificate(t.Context(), true)
	must(t, err)
	pair, err := tls.X509KeyPair([]byte(k.PEM), []byte(k.PrivateKeyPEM))
	must(t, err)
	sum := sha256.Sum256(pair.Certificate[0])
	if k.ID != hex.EncodeToString(sum[:]) {
		t.Errorf("id %s is not the SHA-256 of the DER", k.ID)
	}
	if !strings.HasPrefix(k.PrivateKeyPEM, "-----BEGIN RSA PRIVATE KEY-----") || !strings.HasPrefix(k.PublicKeyPEM, "-----BEGIN PUBLIC KEY-----") {
		t.Error("the keys are not in AWS's forms")
	}
	leaf := pair.Leaf
	if leaf.Subject.String() != "CN=AWS IoT Certificate" || !leaf.NotAfter.Equal(time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)) {
		t.Errorf("subject %s until %s", leaf.Subject, leaf.NotAfter)
	}
	if k.Status != Active || k.Mode != DefaultMode || k.Version != 1 {
		t.Errorf("kept as %+v", k.Certificate)
	}
	if _, err := identify(t, r, k.ID); err != nil {
		t.Error(err)
	}
	idle, err := r.CreateKeysAndCertificate(t.Context(), false)
	must(t, err)
	if idle.Status != Inactive {
		t.Errorf("status %s", idle.Status)
	}
}

func TestCreatingNeedsAnAuthority(t *testing.T) {
	_, err := newRegistry(t).CreateKeysAndCertificate(t.Context(), true)
	wantKind(t, err, fault.Unavailable, "")
}

func csr(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestCreateCertificateFromCSR(t *testing.T) {
	r := openOn(t, newStore(t), testAuthority())
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	request := csr(t, p256)
	a, err := r.CreateCertificateFromCSR(t.Context(), request, true)
	must(t, err)
	b, err := r.CreateCertificateFromCSR(t.Context(), request, false)
	must(t, err)
	if a.ID == b.ID {
		t.Error("the same request twice gives one certificate, AWS gives two")
	}
	block, _ := pem.Decode([]byte(a.PEM))
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if !p256.PublicKey.Equal(cert.PublicKey) {
		t.Error("signed for another key")
	}

	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	broken := []byte(request)
	broken[len(broken)/2] ^= 1
	for name, request := range map[string]string{
		"empty": "", "no PEM": "hello", "P-224": csr(t, p224), "Ed25519": csr(t, ed), "RSA-1024": csr(t, short),
		"a certificate": a.PEM, "broken": string(broken), "two": request + request, "long": strings.Repeat(" ", 5000) + request,
	} {
		_, err := r.CreateCertificateFromCSR(t.Context(), request, true)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegisterCertificateWithoutCA(t *testing.T) {
	r := newRegistry(t)
	cert := selfSigned(t)
	c, err := r.RegisterCertificateWithoutCA(t.Context(), "text before\n"+toPEM(cert), "")
	must(t, err)
	if c.Status != Inactive || c.Mode != SNIOnly || c.ID != Fingerprint(cert.Raw) || c.PEM != toPEM(cert) {
		t.Errorf("registered as %+v", c)
	}
	_, err = r.RegisterCertificateWithoutCA(t.Context(), toPEM(cert), Active)
	wantKind(t, err, fault.Exists, "")
	if there, _ := errors.AsType[*TakenError](err); there == nil || there.ResourceARN != r.ARN("cert/"+c.ID) {
		t.Errorf("taken by %+v", there)
	}
	for _, s := range []Status{PendingActivation, PendingTransfer, RegisterInactive, "active"} {
		_, err = r.RegisterCertificateWithoutCA(t.Context(), toPEM(selfSigned(t)), s)
		wantKind(t, err, fault.Invalid, "")
	}

	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	weak := sign(t, p224, &x509.Certificate{SerialNumber: cert.SerialNumber})
	for name, text := range map[string]string{
		"empty": "", "no PEM": "hello", "two": toPEM(cert) + toPEM(selfSigned(t)), "P-224": toPEM(weak),
		"not a certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"a key":             "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"long":              toPEM(cert) + strings.Repeat("\n", maxPEM),
	} {
		_, err := r.RegisterCertificateWithoutCA(t.Context(), text, Active)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantKind(t, err, fault.Invalid, ErrCertificateValidation)
	}
}

func TestSignatureAlgorithms(t *testing.T) {
	for a, ok := range map[x509.SignatureAlgorithm]bool{
		x509.SHA256WithRSA: true, x509.SHA512WithRSAPSS: true, x509.ECDSAWithSHA384: true,
		x509.SHA1WithRSA: false, x509.ECDSAWithSHA1: false, x509.MD5WithRSA: false, x509.PureEd25519: false,
		x509.DSAWithSHA256: false, x509.UnknownSignatureAlgorithm: false,
	} {
		if err := checkSignatureAlgorithm(a); ok != (err == nil) {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestConcurrentRegistrationsHaveOneWinner(t *testing.T) {
	s := newStore(t)
	nodes := []*Registry{openOn(t, s, nil), openOn(t, s, nil)}
	text := toPEM(selfSigned(t))
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := nodes[i%2].RegisterCertificateWithoutCA(t.Context(), text, Active)
			if err == nil {
				won.Add(1)
			} else if !fault.Is(err, fault.Exists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d winners", won.Load())
	}
	list, _, err := nodes[0].ListCertificates(t.Context(), true, Page{})
	must(t, err)
	if len(list) != 1 {
		t.Errorf("%d in the list", len(list))
	}
}

func TestUpdateCertificate(t *testing.T) {
	r := newRegistry(t)
	id, _ := register(t, r)
	for _, s := range []Status{Inactive, Active, Revoked, Active, Active} {
		must(t, r.UpdateCertificate(t.Context(), id, s))
		c, err := r.DescribeCertificate(t.Context(), strings.ToUpper(id))
		must(t, err)
		if c.Status != s {
			t.Errorf("status %s, want %s", c.Status, s)
		}
	}
	c, err := r.DescribeCertificate(t.Context(), id)
	must(t, err)
	if c.Version != 5 {
		t.Errorf("customerVersion %d after four changes", c.Version)
	}
	for _, s := range []Status{PendingActivation, PendingTransfer, RegisterInactive, "", "OFF"} {
		wantKind(t, r.UpdateCertificate(t.Context(), id, s), fault.Invalid, "")
	}
	wantKind(t, r.UpdateCertificate(t.Context(), strings.Repeat("0", 64), Active), fault.NotFound, "")
	wantKind(t, r.UpdateCertificate(t.Context(), "abc", Active), fault.Invalid, "")
}

func TestDeleteCertificate(t *testing.T) {
	r := newRegistry(t)
	id, arn := register(t, r)
	_, err := r.CreatePolicy(t.Context(), "all", allowAll)
	must(t, err)
	_, err = r.CreateThing(t.Context(), ThingSpec{Name: "lamp"})
	must(t, err)
	must(t, r.AttachPolicy(t.Context(), "all", arn))
	must(t, r.AttachThingPrincipal(t.Context(), "lamp", arn, ""))

	wantKind(t, r.DeleteCertificate(t.Context(), id, true), fault.Conflict, ErrCertificateState)
	must(t, r.UpdateCertificate(t.Context(), id, Inactive))
	wantKind(t, r.DeleteCertificate(t.Context(), id, true), fault.InUse, ErrDeleteConflict)
	must(t, r.DetachThingPrincipal(t.Context(), "lamp", arn))
	wantKind(t, r.DeleteCertificate(t.Context(), id, false), fault.InUse, ErrDeleteConflict)
	must(t, r.DeleteCertificate(t.Context(), id, true))
	wantKind(t, r.DeleteCertificate(t.Context(), id, true), fault.NotFound, "")

	targets, _, err := r.ListTargetsForPolicy(t.Context(), "all", Page{})
	must(t, err)
	if len(targets) != 0 {
		t.Errorf("the policy is still attached to %v", targets)
	}
	must(t, r.DeletePolicy(t.Context(), "all"))
	list, _, err := r.ListCertificates(t.Context(), false, Page{})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("still listed: %v", list)
	}
}

func TestListCertificatesByAge(t *testing.T) {
	s := newStore(t)
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := Open(t.Context(), Config{Store: s, Now: func() time.Time { return clock }})
	must(t, err)
	defer r.Close()
	var ids []string
	for range 7 {
		clock = clock.Add(time.Second)
		id, _ := register(t, r)
		ids = append(ids, id)
	}
	for _, ascending := range []bool{true, false} {
		var got []string
		page := Page{Limit: 3}
		for {
			list, next, err := r.ListCertificates(t.Context(), ascending, page)
			must(t, err)
			for _, c := range list {
				got = append(got, c.ID)
			}
			if page.After = next; next == "" {
				break
			}
		}
		for i := range ids {
			want := ids[i]
			if !ascending {
				want = ids[len(ids)-1-i]
			}
			if got[i] != want {
				t.Fatalf("ascending %v: number %d is %s, want %s", ascending, i, got[i], want)
			}
		}
	}
}

// FuzzRegisterCertificate: whatever the bytes, a certificate that is registered can be identified, all else is refused
// as the caller's mistake.
func FuzzRegisterCertificate(f *testing.F) {
	cert := toPEM(selfSigned(f))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cert, csr(f, key))
	f.Add("", "")
	f.Add(cert+cert, "-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----\n")
	f.Fuzz(func(t *testing.T, certText, csrText string) {
		r := openOn(t, newStore(t), testAuthority())
		c, err := r.RegisterCertificateWithoutCA(t.Context(), certText, Active)
		if err == nil {
			_, err = identify(t, r, c.ID)
			must(t, err)
		} else {
			wantKind(t, err, fault.Invalid, ErrCertificateValidation)
		}
		if _, err := r.CreateCertificateFromCSR(t.Context(), csrText, true); err != nil {
			wantKind(t, err, fault.Invalid, "")
		}
	})
}
