package registry

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/netip"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// Identity is what an active certificate stands for. It is immutable and shared; a change makes a new one, so two calls
// of Identify that give the same pointer say that nothing changed between them.
type Identity struct {
	CertificateID  string // 64 lower-case hex digits, the SHA-256 of the DER
	CertificateARN string
	Certificate    *x509.Certificate
	Policies       *policy.Set // the policies attached to the certificate itself, default versions, compiled
	Things         []ThingRef  // the things it is attached to, by name

	madeFrom []document // the policies, things and groups whose change makes another identity
}

// ThingRef is a thing as its principal's identity sees it.
type ThingRef struct {
	Name       string
	Type       string
	Attributes map[string]string // not to be changed
	Exclusive  bool              // attached as EXCLUSIVE_THING

	policies *policy.Set // the certificate's and those of the thing's groups; nil when these have none
}

// Identify says whose certificate has the SHA-256 fingerprint fp. It is on the path of every TLS connection: an answer
// that is known costs no allocation. A certificate that is unknown or not active is refused as Unauthenticated, with
// the NameError of AWS's reason below.
//
// Who keeps the answer for a connection registers the connection first, so that OnChange finds it, and calls Identify
// then (or once more): nothing that changes in between is missed.
func (r *Registry) Identify(fp [32]byte) (*Identity, error) {
	const tries = 8 // a change in the middle is rare; a stream of them must not keep a device waiting
	for range tries {
		id, clock := r.cache.identity(&fp)
		if id != nil {
			return id, nil
		}
		id, err := r.makeIdentity(r.background, fp)
		if err != nil && r.cache.unchanged(clock) {
			return nil, err
		}
		if err == nil && r.cache.keep(fp, id, clock) {
			return id, nil
		}
	}
	return r.makeIdentity(r.background, fp)
}

// Thing is the thing that a connection with clientID is: the exclusively attached one whatever the client id, else the
// attached one whose name is the client id; nil if there is neither. Empty means that there is no client id (HTTPS).
func (id *Identity) Thing(clientID string) *ThingRef {
	for i := range id.Things {
		if t := &id.Things[i]; t.Exclusive || t.Name == clientID {
			return t
		}
	}
	return nil
}

// PoliciesFor gives the policies of a connection with clientID: those of the certificate, and those of the groups of the
// connection's thing and of all groups above them (AWS IoT developer guide, "Attaching a policy to a thing group").
func (id *Identity) PoliciesFor(clientID string) *policy.Set {
	if t := id.Thing(clientID); t != nil && t.policies != nil {
		return t.policies
	}
	return id.Policies
}

// Connection makes the policy variables of a connection of this identity. An empty clientID means that there is none.
func (id *Identity) Connection(clientID string, sourceIP netip.Addr, domain string) *policy.Connection {
	c := &policy.Connection{
		ClientID: clientID, HasClientID: clientID != "", SourceIP: sourceIP, DomainName: domain,
		CertificateID: id.CertificateID, Certificate: id.Certificate,
	}
	if t := id.Thing(clientID); t != nil {
		c.ThingName, c.ThingTypeName, c.ThingAttributes, c.ThingAttached = t.Name, t.Type, t.Attributes, true
	}
	return c
}

func (r *Registry) makeIdentity(ctx context.Context, fp fingerprint) (*Identity, error) {
	certID := hex.EncodeToString(fp[:])
	c, err := r.activeCertificate(ctx, certID)
	if err != nil {
		return nil, err
	}
	return r.identityOf(ctx, c)
}

// identityOf is the identity of a certificate, whatever its status.
func (r *Registry) identityOf(ctx context.Context, c *Certificate) (*Identity, error) {
	block, _ := pem.Decode([]byte(c.PEM))
	if block == nil {
		return nil, fault.New(fault.Internal, "certificate %s is kept without a readable PEM", c.ID)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "certificate %s cannot be read", c.ID)
	}
	id := &Identity{CertificateID: c.ID, CertificateARN: r.ARN("cert/" + c.ID), Certificate: cert}
	if id.Policies, err = r.policySet(ctx, id, c.Policies); err != nil {
		return nil, err
	}
	if err := r.addThings(ctx, id, c.Policies); err != nil {
		return nil, err
	}
	return id, nil
}

func (r *Registry) activeCertificate(ctx context.Context, certID string) (*Certificate, error) {
	c, _, err := r.loadCertificate(ctx, certID)
	if fault.Is(err, fault.NotFound) {
		return nil, refuse(fault.Unauthenticated, ErrCertificateNotRegistered, "certificate %s is not registered", certID).
			WithRemedy("create one with `thingwire thing create`, or register it: aws iot register-certificate-without-ca")
	}
	if err != nil {
		return nil, err
	}
	if c.Status == Active {
		return c, nil
	}
	if c.Status == Revoked {
		return nil, refuse(fault.Unauthenticated, ErrCertificateRevoked, "certificate %s is %s", certID, c.Status).
			WithRemedy("it was revoked on purpose: create another with `thingwire thing create`")
	}
	return nil, refuse(fault.Unauthenticated, ErrCertificateInactive, "certificate %s is %s", certID, c.Status).
		WithRemedy("activate it: aws iot update-certificate --certificate-id %s --new-status ACTIVE", certID)
}

// policySet compiles policies for id. It fails when one cannot be had: without its Deny statements the others would
// allow too much.
func (r *Registry) policySet(ctx context.Context, id *Identity, names []string) (*policy.Set, error) {
	sources := make([]policy.Source, 0, len(names))
	var key strings.Builder
	for _, name := range names {
		id.madeFrom = append(id.madeFrom, document{policiesBucket, name})
		s, err := r.policySource(ctx, name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s.Source)
		key.WriteString(s.key)
	}
	return r.cache.set(key.String(), func() *policy.Set { return policy.Compile(sources...) }), nil
}

func (r *Registry) policySource(ctx context.Context, name string) (source, error) {
	s, clock, ok := r.cache.source(name)
	if ok {
		return s, nil
	}
	p, _, err := r.loadPolicy(ctx, name)
	if err != nil {
		return source{}, fault.Wrap(fault.Internal, err, "attached policy %s cannot be read", name)
	}
	v := p.DefaultVersion()
	if v == nil {
		return source{}, fault.New(fault.Internal, "policy %s has no default version", name)
	}
	doc, err := policy.Parse([]byte(v.Document), policy.IoT)
	if err != nil {
		return source{}, fault.Wrap(fault.Internal, err, "attached policy %s cannot be read", name)
	}
	s = source{
		Source: policy.Source{Name: name, Version: v.ID(), Document: doc},
		key:    name + "/" + v.ID() + "/" + p.GenerationID + " ",
	}
	r.cache.keepSource(name, s, clock)
	return s, nil
}

func (r *Registry) addThings(ctx context.Context, id *Identity, own []string) error {
	list, _, err := r.attachments(ctx, certThingsBucket, id.CertificateID+"/", Page{}, func(a *Attachment, thing string) bool {
		a.Thing = thing
		return true
	})
	if err != nil {
		return err
	}
	for _, a := range list {
		id.madeFrom = append(id.madeFrom, document{thingsBucket, a.Thing})
		t, _, err := r.loadThing(ctx, a.Thing)
		if fault.Is(err, fault.NotFound) {
			continue // detached and deleted while we read: the change is on its way
		}
		if err != nil {
			return err
		}
		ref := ThingRef{Name: t.Name, Type: t.Type, Attributes: t.Attributes, Exclusive: a.Type == Exclusive}
		if ref.policies, err = r.groupSet(ctx, id, t, own); err != nil {
			return err
		}
		id.Things = append(id.Things, ref)
	}
	return nil
}

// groupSet compiles a certificate's own policies together with those that a thing has from its groups; nil if it has none.
func (r *Registry) groupSet(ctx context.Context, id *Identity, t *Thing, own []string) (*policy.Set, error) {
	inherited, from, err := r.lineage(ctx, t.Groups)
	id.madeFrom = append(id.madeFrom, from...)
	if len(inherited) == 0 || err != nil {
		return nil, err
	}
	return r.policySet(ctx, id, ordered(own, inherited))
}
