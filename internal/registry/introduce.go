package registry

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
)

// Introduction is a certificate that waits for its activation, and the event that tells of it (AWS IoT developer guide,
// "Just-in-time registration").
type Introduction struct {
	CertificateID   string
	CACertificateID string
	Topic           string
	Payload         []byte
}

// registeredEvent is the payload of the event. AWS writes one time as a number and the other as a string.
type registeredEvent struct {
	CertificateID   string `json:"certificateId"`
	CACertificateID string `json:"caCertificateId"`
	Timestamp       int64  `json:"timestamp"` // milliseconds since 1970
	Status          Status `json:"certificateStatus"`
	AccountID       string `json:"awsAccountId"`
	Registered      string `json:"certificateRegistrationTimestamp"`
}

// longestChain bounds the lookups that a stranger's handshake costs.
const longestChain = 10

// Introduce looks at the chain of a client that Identify refused, the device's certificate first. Signed by an active CA
// certificate with automatic registration that is in the chain too, the certificate is kept as PENDING_ACTIVATION, and
// the answer is the event to publish: at the first attempt, and at each later one while it is pending. A chain that
// introduces nothing gives nil. An error says why one that names a registered CA does not. Whatever the answer, the
// connection ends: a pending certificate does not connect.
//
// That the client has the certificate's key is for the TLS handshake to prove.
func (r *Registry) Introduce(ctx context.Context, chain []*x509.Certificate) (introduced *Introduction, err error) {
	if len(chain) == 0 {
		return nil, nil //nolint:nilnil // nothing is introduced, and nothing is wrong
	}
	known, _, err := r.loadCertificate(ctx, Fingerprint(chain[0].Raw))
	if err == nil {
		return r.introduction(known)
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	ca, err := r.introducer(ctx, chain)
	if ca == nil || err != nil {
		return nil, err
	}
	if err := checkCertificate(chain[0]); err != nil {
		return nil, err
	}
	c, err := r.addCertificate(chain[0], Certificate{Status: PendingActivation, Mode: DefaultMode, CA: ca.ID})
	if fault.Is(err, fault.Exists) {
		if c, _, err = r.loadCertificate(ctx, Fingerprint(chain[0].Raw)); err == nil {
			return r.introduction(c) // the same device on another connection was faster
		}
	}
	if err != nil {
		return nil, err
	}
	return r.introduction(c)
}

// introducer finds the registered CA in the chain that signed the device's certificate and may introduce it.
func (r *Registry) introducer(ctx context.Context, chain []*x509.Certificate) (*CACertificate, error) {
	for _, cert := range chain[1:min(len(chain), longestChain)] {
		ca, _, err := r.loadCA(ctx, Fingerprint(cert.Raw))
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if signedBy(chain[0], cert) {
			return ca, r.mayIntroduce(ca)
		}
	}
	return nil, nil //nolint:nilnil // nobody we know
}

func (r *Registry) mayIntroduce(ca *CACertificate) error {
	now := r.now()
	switch {
	case ca.Status != Active:
		return fault.New(fault.Unauthenticated, "CA certificate %s is %s and registers no certificates", ca.ID, ca.Status).
			WithRemedy("activate it: aws iot update-ca-certificate --certificate-id %s --new-status ACTIVE", ca.ID)
	case !ca.AutoRegistration:
		return fault.New(fault.Unauthenticated, "CA certificate %s does not register certificates automatically", ca.ID).
			WithRemedy("allow it: aws iot update-ca-certificate --certificate-id %s --new-auto-registration-status ENABLE", ca.ID)
	case now.Before(ca.NotBefore) || now.After(ca.NotAfter):
		return fault.New(fault.Unauthenticated, "CA certificate %s is valid from %s to %s", ca.ID,
			ca.NotBefore.Format("2006-01-02"), ca.NotAfter.Format("2006-01-02"))
	}
	return nil
}

// introduction is the event about a pending certificate, nil about any other.
func (r *Registry) introduction(c *Certificate) (*Introduction, error) {
	if c.Status != PendingActivation || c.CA == "" {
		return nil, nil //nolint:nilnil // known, and not waiting
	}
	payload, err := json.Marshal(registeredEvent{
		CertificateID: c.ID, CACertificateID: c.CA, Timestamp: r.now().UnixMilli(), Status: c.Status,
		AccountID: r.cfg.Account, Registered: strconv.FormatInt(c.Created.UnixMilli(), 10),
	})
	if err != nil {
		return nil, err
	}
	return &Introduction{
		CertificateID: c.ID, CACertificateID: c.CA,
		Topic: "$aws/events/certificates/registered/" + c.CA, Payload: payload,
	}, nil
}
