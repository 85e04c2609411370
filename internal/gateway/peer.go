package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
)

// Peer is who stands at the other end of the connection of an HTTP request, as far as the socket tells.
type Peer struct {
	Listener Kind           // the listener it came in by, empty for requests that came another way
	Addr     netip.AddrPort // the client's address; not valid where the socket has none
	Domain   string         // the name that the client asked for by SNI

	raw   net.Conn            // the socket
	chain []*x509.Certificate // what the client showed, its own first; it has proved to have the key
}

// CertificateID is the SHA-256 fingerprint of the client's certificate in hexadecimal digits, known or not; empty where
// it showed none.
func (p *Peer) CertificateID() string {
	if len(p.chain) == 0 {
		return ""
	}
	sum := sha256.Sum256(p.chain[0].Raw)
	return hex.EncodeToString(sum[:])
}

// Locate says in a journal entry from where the peer came.
func (p *Peer) Locate(e *journal.Entry) {
	if p.Addr.IsValid() {
		e.SourceIP, e.SourcePort = p.Addr.Addr().String(), p.Addr.Port()
	}
}

type peerKey struct{}

// PeerOf is the peer of a request that the gateway has handed to its HTTP handler, by the request's context.
func PeerOf(ctx context.Context) Peer {
	if p, ok := ctx.Value(peerKey{}).(*Peer); ok {
		return *p
	}
	return Peer{}
}

// ListenerOf is the listener by which an HTTP request came in, empty for one that came another way. Handlers answer by
// it what they may answer there.
func ListenerOf(ctx context.Context) Kind { return PeerOf(ctx).Listener }

func newPeer(kind Kind, raw net.Conn, state *tls.ConnectionState) *Peer {
	p := &Peer{Listener: kind, Domain: state.ServerName, raw: raw, chain: state.PeerCertificates}
	if a, ok := raw.RemoteAddr().(*net.TCPAddr); ok {
		p.Addr = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return p
}

// Device says whose the client certificate of a request's connection is, at this moment: a connection that is kept alive
// is asked again at each request, so that a certificate that was taken back or has expired opens nothing more. It is nil
// without an error where the client showed none. A certificate that is unknown or not active is refused as
// fault.Unauthenticated, in the registry's words; one that a registered CA vouches for is registered just in time, as on
// an MQTT connection.
func (g *Gateway) Device(r *http.Request) (*registry.Identity, error) {
	p, ok := r.Context().Value(peerKey{}).(*Peer)
	if !ok || len(p.chain) == 0 {
		return nil, nil //nolint:nilnil // no certificate is no error: the request may be signed
	}
	id, _, err := g.identify(p.chain)
	return id, err
}

// identify says whose a certificate is by its fingerprint. The chain does not matter, the dates do.
func (g *Gateway) identify(chain []*x509.Certificate) (*registry.Identity, [sha256.Size]byte, error) {
	cert := chain[0]
	if err := checkDates(cert, time.Now()); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	fingerprint := sha256.Sum256(cert.Raw)
	id, err := g.registry.Identify(fingerprint)
	if err != nil {
		return nil, fingerprint, g.introduce(chain, fingerprint, err)
	}
	return id, fingerprint, nil
}

func checkDates(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) {
		return &reasoned{journal.ReasonCertificateTooEarly, fault.New(fault.Unauthenticated,
			"client certificate is not valid before %s", cert.NotBefore.UTC().Format(time.RFC3339)).
			WithRemedy("check the clocks of device and server")}
	}
	if now.After(cert.NotAfter) {
		return &reasoned{journal.ReasonCertificateExpired, fault.New(fault.Unauthenticated,
			"client certificate expired on %s", cert.NotAfter.UTC().Format(time.RFC3339)).
			WithRemedy("create a new one")}
	}
	return nil
}

// introduce registers a stranger's certificate just in time if a registered CA vouches for it, and tells of it. The
// stranger is refused either way; what it answers says why.
func (g *Gateway) introduce(chain []*x509.Certificate, fingerprint [sha256.Size]byte, refused error) error {
	if !fault.Is(refused, fault.Unauthenticated) {
		return refused // the store is at fault, not the certificate
	}
	introduced, err := g.registry.Introduce(context.Background(), chain)
	if err != nil {
		return err
	}
	if introduced == nil {
		return refused
	}
	g.broker.Announce(introduced.Topic, introduced.Payload)
	if _, err := g.registry.Identify(fingerprint); err != nil {
		return err
	}
	return refused // activated meanwhile: the next attempt is let in
}
