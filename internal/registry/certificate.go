package registry

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Status is the state of a certificate. Only an active one connects.
type Status string

// The states. The pending ones are set by the service alone (transfer, just-in-time registration).
const (
	Active            Status = "ACTIVE"
	Inactive          Status = "INACTIVE"
	Revoked           Status = "REVOKED"
	PendingTransfer   Status = "PENDING_TRANSFER"
	PendingActivation Status = "PENDING_ACTIVATION"
	RegisterInactive  Status = "REGISTER_INACTIVE" // deprecated by AWS
)

// Mode says how a certificate came in: signed here or by a registered CA, or registered without its CA.
type Mode string

// The modes, as AWS names them.
const (
	DefaultMode Mode = "DEFAULT"
	SNIOnly     Mode = "SNI_ONLY"
)

const certificatesKind = "certificates"

// Certificate is one registered device certificate.
type Certificate struct {
	ID           string    `json:"id"` // lower-case hex SHA-256 of the DER
	PEM          string    `json:"pem"`
	Status       Status    `json:"status"`
	Mode         Mode      `json:"mode"`
	Version      int       `json:"version"` // AWS's customerVersion: 1, and one more with each change of status
	GenerationID string    `json:"generationId"`
	CA           string    `json:"ca,omitempty"` // id of the registered CA certificate that it came in under
	Created      time.Time `json:"created"`
	Modified     time.Time `json:"modified"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`

	Policies  []string `json:"policies,omitempty"`  // attached, in the order of their names
	Things    int      `json:"things,omitempty"`    // how many things it is attached to
	Exclusive string   `json:"exclusive,omitempty"` // the one thing it is attached to exclusively
}

// DescribeCertificate gives a certificate.
func (r *Registry) DescribeCertificate(ctx context.Context, id string) (*Certificate, error) {
	c, _, err := r.loadCertificate(ctx, id)
	return c, err
}

// ListCertificates gives certificates in the order of their creation, newest first unless ascending.
func (r *Registry) ListCertificates(ctx context.Context, ascending bool, p Page) (certs []Certificate, next string, err error) {
	return r.certificatesByAge(ctx, certificatesKind, ascending, p)
}

func (r *Registry) certificatesByAge(ctx context.Context, kind string, ascending bool, p Page) (certs []Certificate, next string, err error) {
	ids, next, err := r.byAge(ctx, kind, ascending, p)
	if err != nil {
		return nil, "", err
	}
	for _, id := range ids {
		c, _, err := r.loadCertificate(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		certs = append(certs, *c)
	}
	return certs, next, nil
}

// UpdateCertificate sets the status: ACTIVE, INACTIVE or REVOKED. Leaving ACTIVE ends what is connected with it.
func (r *Registry) UpdateCertificate(ctx context.Context, id string, status Status) error {
	if err := checkNewStatus(status); err != nil {
		return err
	}
	return r.changeCertificate(ctx, id, nil, func(c *Certificate) ([]store.DocOp, error) {
		if c.Status == PendingTransfer {
			return nil, refuse(fault.Conflict, ErrCertificateState, "certificate %s is being transferred", c.ID)
		}
		if c.Status == status {
			return nil, nil
		}
		c.Status, c.Modified = status, r.now()
		c.Version++
		return []store.DocOp{}, nil
	})
}

// DeleteCertificate deletes a certificate that is not active and not attached to a thing; attached policies prevent it
// too, unless force detaches them.
func (r *Registry) DeleteCertificate(ctx context.Context, id string, force bool) error {
	id = strings.ToLower(id)
	defer r.names.hold([]string{certificateLock(id)}, nil)()
	return r.retry(func() error {
		c, rev, err := r.loadCertificate(ctx, id)
		if err != nil {
			return err
		}
		if err := c.checkDelete(force); err != nil {
			return err
		}
		ops := append([]store.DocOp{documents.Remove(certificatesBucket, id, documents.AtRev(rev))}, removeAge(certificatesKind, c.Created, id)...)
		if c.CA != "" {
			ops = append(ops, removeAge(issuedKind(c.CA), c.Created, id)...)
		}
		for _, p := range c.Policies {
			ops = append(ops, documents.Remove(policyTargetsBucket, targetKey(p, certificateTarget(id)), store.Condition{}))
		}
		return r.commit(ops...)
	})
}

func (c *Certificate) checkDelete(force bool) error {
	if c.Status != Inactive && c.Status != Revoked {
		return refuse(fault.Conflict, ErrCertificateState, "certificate %s is %s and cannot be deleted", c.ID, c.Status).
			WithRemedy("set it INACTIVE first: aws iot update-certificate --certificate-id %s --new-status INACTIVE", c.ID)
	}
	if c.Things > 0 {
		return refuse(fault.InUse, ErrDeleteConflict, "certificate %s is attached to %d thing(s)", c.ID, c.Things).
			WithRemedy("detach them first: aws iot list-principal-things, detach-thing-principal")
	}
	if len(c.Policies) > 0 && !force {
		return refuse(fault.InUse, ErrDeleteConflict, "certificate %s has attached policies: %s", c.ID, strings.Join(c.Policies, ", ")).
			WithRemedy("detach them first, or force the deletion")
	}
	return nil
}

// changeCertificate rewrites a certificate's document under its revision. change edits c and gives the other writes of
// the same commit; nil (not empty) means that there is nothing to do. The names in relied stay while it runs.
func (r *Registry) changeCertificate(ctx context.Context, id string, relied []string, change func(c *Certificate) ([]store.DocOp, error)) error {
	id = strings.ToLower(id)
	defer r.names.hold([]string{certificateLock(id)}, relied)()
	return r.retry(func() error {
		c, rev, err := r.loadCertificate(ctx, id)
		if err != nil {
			return err
		}
		ops, err := change(c)
		if ops == nil || err != nil {
			return err
		}
		return r.commit(append(ops, documents.Put(certificatesBucket, id, c, documents.AtRev(rev)))...)
	})
}

func (r *Registry) loadCertificate(ctx context.Context, id string) (*Certificate, uint64, error) {
	if err := certificateID.check(id); err != nil {
		return nil, 0, err
	}
	c, rev, err := documents.Load[Certificate](ctx, r.cfg.Store, certificatesBucket, strings.ToLower(id))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("certificate", id, "list-certificates")
	}
	return c, rev, err
}

// addCertificate keeps a new certificate with the status, mode and CA of as. The same one a second time is refused,
// whoever was first.
func (r *Registry) addCertificate(cert *x509.Certificate, as Certificate) (*Certificate, error) {
	id := Fingerprint(cert.Raw)
	now := r.now()
	c := &Certificate{
		ID: id, PEM: string(certificatePEM(cert.Raw)), Status: as.Status, Mode: as.Mode, CA: as.CA, Version: 1,
		GenerationID: uuid.NewString(), Created: now, Modified: now,
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
	}
	ops := append(putAge(certificatesKind, now, id), documents.Put(certificatesBucket, id, c, documents.Absent))
	if c.CA != "" {
		ops = append(ops, putAge(issuedKind(c.CA), now, id)...)
	}
	defer r.names.hold([]string{certificateLock(id)}, nil)()
	err := r.commit(ops...)
	if fault.Is(err, fault.Conflict) {
		return nil, taken(id, r.ARN("cert/"+id), "certificate %s is registered already", id)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// checkNewStatus refuses what a caller cannot set (AWS IoT API reference, UpdateCertificate).
func checkNewStatus(s Status) error {
	switch s {
	case Active, Inactive, Revoked:
		return nil
	case PendingTransfer, PendingActivation:
		return fault.New(fault.Invalid, "status %s is set by the service alone", s).WithRemedy("use %s, %s or %s", Active, Inactive, Revoked)
	case RegisterInactive:
		return fault.New(fault.Invalid, "status %s is deprecated and not supported", s).WithRemedy("use INACTIVE")
	default:
		return fault.New(fault.Invalid, "%s is not a status of a certificate", fault.Quoted(string(s))).
			WithRemedy("use ACTIVE, INACTIVE or REVOKED")
	}
}

// Fingerprint is the id of a certificate: the lower-case hex SHA-256 of its DER.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
