package gateway

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
)

// TestCertificates: a certificate that is not registered and active, or whose time is not now, ends the connection
// behind TLS, without a packet, and the journal says why.
func TestCertificates(t *testing.T) {
	r := newRig(t, withTLS)
	now := time.Now()
	inactive, revoked := r.device(allowAll), r.device(allowAll)
	must(t, r.registry.UpdateCertificate(t.Context(), inactive.id, registry.Inactive))
	must(t, r.registry.UpdateCertificate(t.Context(), revoked.id, registry.Revoked))
	for _, tt := range []struct {
		name  string
		d     *device
		cause string
	}{
		{"unknown", selfSigned(t, now.Add(-time.Hour), now.Add(time.Hour)), "not registered"},
		{"inactive", inactive, "INACTIVE"},
		{"revoked", revoked, "REVOKED"},
		{"expired", r.deviceValid(allowAll, now.Add(-2*time.Hour), now.Add(-time.Hour)), "expired on"},
		{"not yet valid", r.deviceValid(allowAll, now.Add(time.Hour), now.Add(2*time.Hour)), "not valid before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _ := r.tlsConfig(tt.d)
			c, err := r.secure(MQTTS, cfg)
			must(t, err)
			if got := c.tryMQTT(); got != closed {
				t.Errorf("got %q", got)
			}
			entries := r.journal.Query(journal.Query{Unnamed: true})
			if len(entries) == 0 {
				t.Fatal("no entry in the journal")
			}
			if e := entries[len(entries)-1]; !strings.Contains(strings.ToLower(e.Cause), strings.ToLower(tt.cause)) || e.Reason == "" {
				t.Errorf("the journal says %q, %q", e.Reason, e.Cause)
			}
		})
	}
}

// TestDeactivatedWithinASecond: a certificate that is taken back ends its connections at once.
func TestDeactivatedWithinASecond(t *testing.T) {
	r := newRig(t, withTLS)
	d := r.device(allowAll)
	cfg, _ := r.tlsConfig(d)
	c, err := r.secure(MQTTS, cfg)
	must(t, err)
	c.listen()
	c.hello(5, hello{id: "c", clean: true})
	began := time.Now()
	must(t, r.registry.UpdateCertificate(t.Context(), d.id, registry.Inactive))
	c.want("DISCONNECT 87", "closed")
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestPerAddressCap: sockets of one address that were not let in yet are capped; loopback is not.
func TestPerAddressCap(t *testing.T) {
	w := waitingRoom{m: map[string]int{}}
	from := func(ip string) net.Conn { return addressed{ip: net.ParseIP(ip)} }
	for i := range 5 {
		if got := w.enter(from("192.0.2.1"), 3); got != (i < 3) {
			t.Errorf("socket %d: let in %v", i, got)
		}
		if !w.enter(from("127.0.0.1"), 3) || !w.enter(from("::1"), 3) {
			t.Error("loopback is capped")
		}
	}
	if !w.enter(from("192.0.2.2"), 3) {
		t.Error("another address is capped")
	}
	w.leave(from("192.0.2.1"))
	if !w.enter(from("192.0.2.1"), 3) {
		t.Error("a place that is free again is not given")
	}
	for range 3 {
		w.leave(from("192.0.2.1"))
	}
	w.leave(from("192.0.2.2"))
	if len(w.m) != 0 {
		t.Errorf("%d addresses are remembered", len(w.m))
	}
}

// addressed is a connection from an address.
type addressed struct {
	net.Conn
	ip net.IP
}

func (a addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: a.ip, Port: 1} }
