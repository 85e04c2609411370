package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// rig is a gateway with all that it stands on, on a store in memory.
type rig struct {
	t         testing.TB
	store     *mem.Store
	identity  *mem.Store // the registry's, the same unless a test sets another
	broker    *broker.Broker
	registry  *registry.Registry
	authority *registry.Authority
	gateway   *Gateway
	journal   *journal.Journal
	keys      *iam.Directory // nil without withKeys
	guard     *awsapi.Guard
	closeKeys func()
	book      *logBook
	listeners map[Kind]string
}

type rigOption func(*rig, *broker.Limits)

func newRig(t testing.TB, opts ...rigOption) *rig {
	t.Helper()
	r := &rig{t: t, store: mem.New(), book: &logBook{}}
	limits := broker.OpenLimits()
	for _, o := range opts {
		o(r, &limits)
	}
	if r.identity == nil {
		r.identity = r.store
	}
	log := slog.New(r.book)
	var err error
	r.broker, err = broker.Open(t.Context(), broker.Config{
		Store: r.store, Limits: limits, Log: log, Account: "000000000000", Region: "us-east-1",
	})
	must(t, err)
	r.registry, err = registry.Open(t.Context(), registry.Config{Store: r.identity, Authority: r.authority})
	must(t, err)
	r.journal, err = journal.Open(journal.Options{})
	must(t, err)
	r.gateway = New(Config{
		Broker: r.broker, Registry: r.registry, Authority: r.authority, Log: log, Journal: r.journal,
		Guard: r.guard,
	})
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	r.store.Release()
	r.shutdown()
	if r.closeKeys != nil {
		r.closeKeys()
	}
	r.broker.Close()
	r.registry.Close()
	must(r.t, r.journal.Close())
	must(r.t, r.store.Close())
	if r.identity != r.store {
		must(r.t, r.identity.Close())
	}
}

func (r *rig) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.gateway.Shutdown(ctx); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
}

// bubble runs a test on a rig in a bubble of time: hours pass in milliseconds, and synctest.Wait says when all that
// can happen has happened.
func bubble(t *testing.T, fn func(t *testing.T, r *rig), opts ...rigOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newRig(t, opts...)) })
}

// serve makes the gateway serve the far end of a connection, as listen.go does for sockets.
func (r *rig) serve(nc net.Conn, fp *[32]byte) {
	r.t.Helper()
	c := newConn(r.gateway, nc, nc)
	if fp != nil {
		c.fingerprint = *fp
		id, err := r.registry.Identify(*fp)
		must(r.t, err)
		c.identity = id
	}
	if !r.gateway.serveConn(c, nil) {
		r.t.Fatal("the gateway is closing")
	}
}

// dial is a client of the anonymous principal, who may do everything.
func (r *rig) dial() *client { return r.dialAs(nil) }

// dialAs is a client with a certificate.
func (r *rig) dialAs(d *device) *client {
	c := r.dialDeaf(d)
	c.listen()
	return c
}

// dialDeaf is a client that does not read before listen is called.
func (r *rig) dialDeaf(d *device) *client {
	r.t.Helper()
	near, far := net.Pipe()
	var fp *[32]byte
	if d != nil {
		fp = &d.fingerprint
	}
	r.serve(far, fp)
	return newClient(r.t, near)
}

// join is a connected client.
func (r *rig) join(v byte, id string) *client {
	r.t.Helper()
	c := r.dial()
	c.hello(v, hello{id: id, clean: true})
	return c
}

// joinAs is a connected client with a certificate.
func (r *rig) joinAs(d *device, v byte, id string) *client {
	r.t.Helper()
	c := r.dialAs(d)
	c.hello(v, hello{id: id, clean: true})
	return c
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.NewTimer(d).C }

// device is a registered certificate with one policy.
type device struct {
	fingerprint [32]byte
	id          string
	policy      string
	certificate tls.Certificate
}

// statement is one statement of a policy document about resources of the test account.
func statement(effect, action string, resources ...string) string {
	for i := range resources {
		resources[i] = `"arn:aws:iot:us-east-1:000000000000:` + resources[i] + `"`
	}
	return `{"Effect":"` + effect + `","Action":"iot:` + action + `","Resource":[` + strings.Join(resources, ",") + `]}`
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

var allowAll = document(statement("Allow", "*", "*"))

// device registers a new certificate with a policy.
func (r *rig) device(policy string) *device {
	r.t.Helper()
	now := time.Now()
	return r.deviceValid(policy, now.Add(-time.Hour), now.Add(time.Hour))
}

func (r *rig) deviceValid(policy string, from, to time.Time) *device {
	r.t.Helper()
	d := selfSigned(r.t, from, to)
	ctx := r.t.Context()
	cert, err := r.registry.RegisterCertificateWithoutCA(ctx, toPEM(d.certificate.Certificate[0]), registry.Active)
	must(r.t, err)
	d.id, d.policy = cert.ID, "policy-of-"+cert.ID[:8]
	_, err = r.registry.CreatePolicy(ctx, d.policy, policy)
	must(r.t, err)
	must(r.t, r.registry.AttachPolicy(ctx, d.policy, r.registry.ARN("cert/"+d.id)))
	return d
}

// change replaces the device's policy.
func (r *rig) change(d *device, policy string) {
	r.t.Helper()
	_, err := r.registry.CreatePolicyVersion(r.t.Context(), d.policy, policy, true)
	must(r.t, err)
}

// selfSigned is a certificate that nobody has registered.
func selfSigned(t testing.TB, from, to time.Time) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "device"}, NotBefore: from, NotAfter: to,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return &device{fingerprint: sha256.Sum256(der), certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

func toPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logBook keeps what the gateway writes to its log, one line each: message and attributes.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

// find gives the lines that contain all of the words.
func (b *logBook) find(words ...string) (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, l := range b.lines {
		for _, w := range words {
			if !strings.Contains(l, w) {
				continue next
			}
		}
		found = append(found, l)
	}
	return found
}

// wantCause expects that the journal knows why the client's connection ended: exactly one entry says so.
func (r *rig) wantCause(clientID, reason string) {
	r.t.Helper()
	synctest.Wait()
	var got []string
	for _, e := range r.journal.Query(journal.Query{ClientID: clientID}) {
		if e.DisconnectReason == "" {
			continue
		}
		got = append(got, e.DisconnectReason)
		if e.Cause == "" {
			r.t.Errorf("%s: %s without a cause in words", e.EventType, e.DisconnectReason)
		}
	}
	if len(got) != 1 || got[0] != reason {
		r.t.Errorf("the journal has %q for %s, want %s once", got, clientID, reason)
	}
}
