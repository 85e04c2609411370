package registry

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestAuthorityInMemory(t *testing.T) {
	now := time.Now()
	a, err := NewAuthority(func() time.Time { return now })
	must(t, err)
	if _, err := a.GetCertificate(&tls.ClientHelloInfo{}); err == nil {
		t.Error("a certificate before it has names")
	}
	must(t, a.ServeNames(defaultNames))
	certs := a.ServerCertificates()
	if len(certs) != 1 {
		t.Fatalf("%d certificates", len(certs))
	}
	if _, ok := certs[0].PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("%T", certs[0].PrivateKey)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.RootPEM()) {
		t.Fatal("the root is not PEM")
	}
	for _, name := range []string{"localhost", "127.0.0.1", "abc-ats.iot.us-east-1.amazonaws.localhost"} {
		if _, err := certs[0].Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, err := makeECDSA()
	must(t, err)
	der, err := a.SignDevice(key.Public())
	must(t, err)
	device, err := x509.ParseCertificate(der)
	must(t, err)
	if _, err := device.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}

	now = certs[0].Leaf.NotAfter.Add(-time.Hour)
	if renewed := a.ServerCertificates(); a.RenewalError() != nil || !renewed[0].Leaf.NotAfter.After(certs[0].Leaf.NotAfter) {
		t.Error("it was not renewed when it was due", a.RenewalError())
	}
}

// The RSA certificate that a client needed is renewed with the other one, under the same key.
func TestAuthorityInMemoryRenewsRSA(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a, err := NewAuthority(func() time.Time { return now })
	must(t, err)
	must(t, a.ServeNames(defaultNames))
	old := &tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS12}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		SignatureSchemes: []tls.SignatureScheme{tls.PSSWithSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256}, SupportedPoints: []uint8{0},
	}
	first, err := a.GetCertificate(old)
	must(t, err)
	now = first.Leaf.NotAfter.Add(-time.Hour)
	second, err := a.GetCertificate(old)
	must(t, err)
	if !second.Leaf.NotAfter.After(first.Leaf.NotAfter) || first.Leaf.PublicKeyAlgorithm != x509.RSA || second.PrivateKey != first.PrivateKey {
		t.Errorf("until %v, then until %v", first.Leaf.NotAfter, second.Leaf.NotAfter)
	}
}
