package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// authorityDir holds the one CA that all tests sign with: keys take their time.
var authorityDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "registry-test-*")
	if err != nil {
		panic(err)
	}
	return dir
})

var testAuthority = sync.OnceValue(func() *Authority {
	a, err := OpenAuthority(authorityDir(), nil)
	if err != nil {
		panic(err)
	}
	return a
})

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(authorityDir())
		os.Exit(code)
	}))
}

const (
	allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`
	allowOne = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/one"}]}`
)

// newStore is a store in memory that ends with the test.
func newStore(t testing.TB) store.Store {
	t.Helper()
	s := mem.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openOn(t testing.TB, s store.Store, authority *Authority) *Registry {
	t.Helper()
	r, err := Open(t.Context(), Config{Store: s, Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func newRegistry(t testing.TB) *Registry { return openOn(t, newStore(t), nil) }

// selfSigned is a certificate of nobody's CA.
func selfSigned(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, key, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "device"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
}

func sign(t testing.TB, key *ecdsa.PrivateKey, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func toPEM(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// register registers a new active certificate and gives its id and ARN.
func register(t testing.TB, r *Registry) (id, arn string) {
	t.Helper()
	c, err := r.RegisterCertificateWithoutCA(t.Context(), toPEM(selfSigned(t)), Active)
	must(t, err)
	return c.ID, r.ARN("cert/" + c.ID)
}

func identify(t testing.TB, r *Registry, id string) (*Identity, error) {
	t.Helper()
	var fp [32]byte
	if _, err := hex.Decode(fp[:], []byte(id)); err != nil {
		t.Fatal(err)
	}
	return r.Identify(fp)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err is of kind k and, when name is not empty, has that name.
func wantKind(t testing.TB, err error, k fault.Kind, name NameError) {
	t.Helper()
	if !fault.Is(err, k) {
		t.Fatalf("error %v is of kind %v, want %v", err, fault.KindOf(err), k)
	}
	if got, _ := errors.AsType[NameError](err); got != name {
		t.Fatalf("error %v has the name %q, want %q", err, got, name)
	}
}

func TestOpenNeedsAStore(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Fatal("opened without a store")
	}
}

func TestOpenRefusesANewerFormat(t *testing.T) {
	s := newStore(t)
	must(t, documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: formatKey, Value: []byte("2")}))
	_, err := Open(t.Context(), Config{Store: s})
	wantKind(t, err, fault.Unsupported, "")
}

// What was acknowledged is there after a restart, and a second registry on the same store sees it at once.
func TestReopen(t *testing.T) {
	s := newStore(t)
	r, err := Open(t.Context(), Config{Store: s})
	must(t, err)
	id, arn := register(t, r)
	_, err = r.CreateThing(t.Context(), ThingSpec{Name: "lamp", Attributes: map[string]string{"floor": "2"}})
	must(t, err)
	_, err = r.CreatePolicy(t.Context(), "all", allowAll)
	must(t, err)
	must(t, r.AttachPolicy(t.Context(), "all", arn))
	must(t, r.AttachThingPrincipal(t.Context(), "lamp", arn, ""))
	r.Close()

	r = openOn(t, s, nil)
	got, err := identify(t, r, id)
	must(t, err)
	if len(got.Things) != 1 || got.Things[0].Attributes["floor"] != "2" || got.CertificateARN != arn {
		t.Fatalf("identity after a restart: %+v", got)
	}
}

func TestARN(t *testing.T) {
	for _, c := range []struct{ region, want string }{
		{"us-east-1", "arn:aws:iot:us-east-1:123456789012:thing/a"},
		{"cn-north-1", "arn:aws-cn:iot:cn-north-1:123456789012:thing/a"},
		{"us-gov-west-1", "arn:aws-us-gov:iot:us-gov-west-1:123456789012:thing/a"},
	} {
		r, err := Open(context.Background(), Config{Store: newStore(t), Account: "123456789012", Region: c.region})
		must(t, err)
		if got := r.ARN("thing/a"); got != c.want {
			t.Errorf("%s: %s, want %s", c.region, got, c.want)
		}
		r.Close()
	}
}
