package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/registry"
)

// vouched is the chain of a device whose certificate a CA signed, and the CA.
func vouched(t *testing.T) (device, ca *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	newCert := func(serial int64, isCA bool, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ours"}, BasicConstraintsValid: true, IsCA: isCA,
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		return cert
	}
	ca = newCert(1, true, nil)
	return newCert(2, false, ca), ca
}

// A device that brings a registered CA along is told of, at each attempt until it is activated, and never let in before.
func TestJustInTimeRegistration(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		device, ca := vouched(t)
		watcher := r.join(5, "watcher")
		watcher.sub(0, "$aws/events/certificates/registered/+")
		attempt := func() error {
			near, far := net.Pipe()
			defer func() { _ = near.Close() }()
			defer func() { _ = far.Close() }()
			return newConn(r.gateway, far, far).authenticate(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{device, ca}})
		}
		if err := attempt(); err == nil || !strings.Contains(err.Error(), "is not registered") {
			t.Fatalf("without a registered CA: %v", err)
		}
		registered, err := r.registry.RegisterCACertificate(t.Context(), registry.CASpec{
			PEM: toPEM(ca.Raw), Mode: registry.SNIOnly, Active: true, AutoRegistration: true,
		})
		must(t, err)
		id := registry.Fingerprint(device.Raw)
		for range 2 {
			if err := attempt(); err == nil || !strings.Contains(err.Error(), "is PENDING_ACTIVATION") {
				t.Fatalf("pending: %v", err)
			}
			if got := watcher.describe(watcher.next()); !strings.HasPrefix(got, "PUBLISH $aws/events/certificates/registered/"+registered.ID+" ") {
				t.Errorf("told %s", got)
			}
		}
		must(t, r.registry.UpdateCertificate(t.Context(), id, registry.Active))
		must(t, attempt())
		watcher.ping()
	})
}

// The policies of a thing's group count on a live connection, and their end is felt on it.
func TestGroupPolicyOnALiveConnection(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		d := r.device(document(statement("Allow", "Connect", "*"), statement("Allow", "Subscribe", "*"), statement("Allow", "Receive", "*")))
		_, err := r.registry.CreateThing(ctx, registry.ThingSpec{Name: "lamp"})
		must(t, err)
		_, err = r.registry.CreateThingGroup(ctx, registry.ThingGroupSpec{Name: "lamps"})
		must(t, err)
		_, err = r.registry.CreatePolicy(ctx, "publish", document(statement("Allow", "Publish", "topic/a")))
		must(t, err)
		must(t, r.registry.AttachThingPrincipal(ctx, "lamp", r.registry.ARN("cert/"+d.id), ""))
		must(t, r.registry.AttachPolicy(ctx, "publish", r.registry.ARN("thinggroup/lamps")))
		must(t, r.registry.AddThingToThingGroup(ctx, "lamps", "lamp"))

		lamp := r.joinAs(d, 5, "lamp")
		lamp.send(lamp.publish("a", "1", 1, 1))
		lamp.want("PUBACK 1")
		must(t, r.registry.RemoveThingFromThingGroup(ctx, "lamps", "lamp"))
		synctest.Wait()
		lamp.send(lamp.publish("a", "2", 1, 2))
		lamp.want("PUBACK 2 87")
		must(t, r.registry.AddThingToThingGroup(ctx, "lamps", "lamp"))
		synctest.Wait()
		lamp.send(lamp.publish("a", "3", 1, 3))
		lamp.want("PUBACK 3")
		must(t, r.registry.UpdateCertificate(ctx, d.id, registry.Inactive))
		lamp.want("DISCONNECT 87", "closed")
	})
}
