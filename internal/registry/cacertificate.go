package registry

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

const caCertificatesKind = "ca-certificates"

// CACertificate is one registered certificate authority of somebody else: it may introduce device certificates.
type CACertificate struct {
	ID               string    `json:"id"` // lower-case hex SHA-256 of the DER
	PEM              string    `json:"pem"`
	Status           Status    `json:"status"` // ACTIVE or INACTIVE
	AutoRegistration bool      `json:"autoRegistration,omitempty"`
	Mode             Mode      `json:"mode"`
	Subject          string    `json:"subject"` // SHA-256 of the subject's DER, by which issued certificates find it
	Version          int       `json:"version"` // 1, and one more with each change
	GenerationID     string    `json:"generationId"`
	Created          time.Time `json:"created"`
	Modified         time.Time `json:"modified"`
	NotBefore        time.Time `json:"notBefore"`
	NotAfter         time.Time `json:"notAfter"`
}

// CAUpdate changes a CA certificate.
type CAUpdate struct {
	Status           Status // ACTIVE or INACTIVE; empty leaves it alone
	AutoRegistration *bool  // nil leaves it alone
}

// DescribeCACertificate gives a CA certificate.
func (r *Registry) DescribeCACertificate(ctx context.Context, id string) (*CACertificate, error) {
	ca, _, err := r.loadCA(ctx, id)
	return ca, err
}

// ListCACertificates gives CA certificates in the order of their registration, newest first unless ascending.
func (r *Registry) ListCACertificates(ctx context.Context, ascending bool, p Page) (cas []CACertificate, next string, err error) {
	ids, next, err := r.byAge(ctx, caCertificatesKind, ascending, p)
	if err != nil {
		return nil, "", err
	}
	for _, id := range ids {
		ca, _, err := r.loadCA(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		cas = append(cas, *ca)
	}
	return cas, next, nil
}

// ListCertificatesByCA gives the device certificates that were registered under a CA certificate, also when that one
// itself is gone, in the order of their registration.
func (r *Registry) ListCertificatesByCA(ctx context.Context, id string, ascending bool, p Page) (certs []Certificate, next string, err error) {
	if err := certificateID.check(id); err != nil {
		return nil, "", err
	}
	return r.certificatesByAge(ctx, issuedKind(strings.ToLower(id)), ascending, p)
}

// UpdateCACertificate changes what a CA certificate may do. An inactive one introduces no further certificates; those
// that it introduced go on working (AWS IoT developer guide, "Deactivate a CA certificate").
func (r *Registry) UpdateCACertificate(ctx context.Context, id string, u CAUpdate) error {
	if err := checkCAStatus(u.Status); err != nil {
		return err
	}
	id = strings.ToLower(id)
	defer r.names.hold([]string{caLock(id)}, nil)()
	return r.retry(func() error {
		ca, rev, err := r.loadCA(ctx, id)
		if err != nil || !u.apply(ca) {
			return err
		}
		ca.Version++
		ca.Modified = r.now()
		return r.commit(documents.Put(caCertificatesBucket, id, ca, documents.AtRev(rev)))
	})
}

// apply reports whether anything changed.
func (u CAUpdate) apply(ca *CACertificate) bool {
	status, auto := ca.Status, ca.AutoRegistration
	if u.Status != "" {
		ca.Status = u.Status
	}
	if u.AutoRegistration != nil {
		ca.AutoRegistration = *u.AutoRegistration
	}
	return status != ca.Status || auto != ca.AutoRegistration
}

func checkCAStatus(s Status) error {
	if s == "" || s == Active || s == Inactive {
		return nil
	}
	return fault.New(fault.Invalid, "%s is not a status of a CA certificate", fault.Quoted(string(s))).WithRemedy("use ACTIVE or INACTIVE")
}

// DeleteCACertificate deletes an inactive CA certificate. The certificates that it introduced stay.
func (r *Registry) DeleteCACertificate(ctx context.Context, id string) error {
	id = strings.ToLower(id)
	defer r.names.hold([]string{caLock(id)}, nil)()
	return r.retry(func() error {
		ca, rev, err := r.loadCA(ctx, id)
		if err != nil {
			return err
		}
		if ca.Status == Active {
			return refuse(fault.Conflict, ErrCertificateState, "CA certificate %s is ACTIVE and cannot be deleted", id).
				WithRemedy("set it INACTIVE first: aws iot update-ca-certificate --certificate-id %s --new-status INACTIVE", id)
		}
		return r.commit(append(removeAge(caCertificatesKind, ca.Created, id),
			documents.Remove(caCertificatesBucket, id, documents.AtRev(rev)),
			documents.Remove(caSubjectsBucket, ca.Subject+"/"+id, store.Condition{}), untagged("cacert/"+id))...)
	})
}

func (r *Registry) loadCA(ctx context.Context, id string) (*CACertificate, uint64, error) {
	if err := certificateID.check(id); err != nil {
		return nil, 0, err
	}
	ca, rev, err := documents.Load[CACertificate](ctx, r.cfg.Store, caCertificatesBucket, strings.ToLower(id))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("CA certificate", id, "list-ca-certificates")
	}
	return ca, rev, err
}

// certificate is the CA's certificate itself.
func (ca *CACertificate) certificate() (*x509.Certificate, error) {
	der, err := onlyBlock(ca.PEM, "CERTIFICATE")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "CA certificate %s is kept without a readable PEM", ca.ID)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "CA certificate %s cannot be read", ca.ID)
	}
	return cert, nil
}

// issuedKind is the kind under which the certificates of a CA are ordered by their age.
func issuedKind(caID string) string { return "issued/" + caID }

// subjectKey is the SHA-256 of a name: of a CA's subject, or of the issuer of what it signed.
func subjectKey(rawName []byte) string {
	sum := sha256.Sum256(rawName)
	return hex.EncodeToString(sum[:])
}
