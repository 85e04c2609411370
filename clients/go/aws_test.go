package foreign

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/smithy-go"
)

const everythingAllowed = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// httpsClient trusts the server.
func httpsClient(t *testing.T) *http.Client {
	t.Helper()
	trusted, err := theServer.trusted()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: trusted, MaxIdleConnsPerHost: 10}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: wait}
}

// newIoT is a client of the control plane. It tries once, so that a test sees the first answer.
func newIoT(t *testing.T) *iot.Client {
	t.Helper()
	keys, err := theServer.keys()
	if err != nil {
		t.Fatal(err)
	}
	return iot.New(iot.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("https://" + theServer.api), Credentials: keys, RetryMaxAttempts: 1,
		HTTPClient: httpsClient(t),
	})
}

// must takes what a call gives, without its error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError expects the SDK's own type of an error, with a message and a request id.
func wantError[E interface {
	error
	ErrorMessage() string
}](t *testing.T, err error,
) E {
	t.Helper()
	got, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v, want a %T", err, got)
	}
	if got.ErrorMessage() == "" {
		t.Errorf("%v has no message", err)
	}
	if id, ok := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err); !ok || len(id.ServiceRequestID()) != 36 {
		t.Errorf("%v has no request id", err)
	}
	return got
}

// wantCode expects an error for which the SDK has no type.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got, ok := errors.AsType[smithy.APIError](err); !ok || got.ErrorCode() != code {
		t.Errorf("got %v, want the code %s", err, code)
	}
}

// statusOf is the HTTP status of an error.
func statusOf(err error) (int, bool) {
	e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	if !ok {
		return 0, false
	}
	return e.HTTPStatusCode(), true
}

// stranger has a key that nobody knows.
func stranger(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// signingRequest is what a device that keeps its key to itself sends.
func signingRequest(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "lamp"}}
	return pemOf("CERTIFICATE REQUEST", must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, template, key)))
}

// deviceOf is a device with a certificate that the service made of its own key.
func deviceOf(t *testing.T, name, certificate string, key *ecdsa.PrivateKey) *thing {
	t.Helper()
	der := must[[]byte](t)(x509.MarshalECPrivateKey(key))
	pair := must[tls.Certificate](t)(tls.X509KeyPair([]byte(certificate), []byte(pemOf("EC PRIVATE KEY", der))))
	trusted := must[*tls.Config](t)(theServer.trusted())
	trusted.Certificates = []tls.Certificate{pair}
	return &thing{name, trusted}
}

// authority is a factory's own CA.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := certificateTemplate(t, name)
	template.IsCA, template.BasicConstraintsValid = true, true
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key))
	a.cert, a.pem = must[*x509.Certificate](t)(x509.ParseCertificate(der)), pemOf("CERTIFICATE", der)
	return a
}

// issue signs a device's certificate.
func (a *authority) issue(t *testing.T, name string) string {
	t.Helper()
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, certificateTemplate(t, name), a.cert, newKey(t).Public(), a.key))
	return pemOf("CERTIFICATE", der)
}

func selfSigned(t *testing.T) string {
	t.Helper()
	key, template := newKey(t), certificateTemplate(t, "self-made")
	return pemOf("CERTIFICATE", must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))
}

func certificateTemplate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	serial := must[*big.Int](t)(rand.Int(rand.Reader, big.NewInt(1<<62)))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}
