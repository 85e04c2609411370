package registry

import (
	"context"
	"crypto/x509"

	"github.com/thingwire/thingwire/internal/fault"
)

// RegisterCertificate registers a device certificate that a registered CA signed. caPEM names the CA and may be empty
// where the issuer alone does. An empty status is INACTIVE.
func (r *Registry) RegisterCertificate(ctx context.Context, certPEM, caPEM string, status Status) (*Certificate, error) {
	if status == "" {
		status = Inactive
	}
	if err := checkNewStatus(status); err != nil {
		return nil, err
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	ca, err := r.issuerOf(ctx, cert, caPEM)
	if err != nil {
		return nil, err
	}
	issuer, err := ca.certificate()
	if err != nil {
		return nil, err
	}
	if !signedBy(cert, issuer) || Fingerprint(cert.Raw) == ca.ID {
		return nil, refuse(fault.Invalid, ErrCertificateValidation, "the certificate is not signed by CA certificate %s", ca.ID)
	}
	return r.addCertificate(cert, Certificate{Status: status, Mode: DefaultMode, CA: ca.ID})
}

// issuerOf finds the registered CA of a certificate: the one given, else the only one with the issuer's name.
func (r *Registry) issuerOf(ctx context.Context, cert *x509.Certificate, caPEM string) (*CACertificate, error) {
	if caPEM != "" {
		given, err := parseCertificate(caPEM)
		if err != nil {
			return nil, err
		}
		ca, _, err := r.loadCA(ctx, Fingerprint(given.Raw))
		if fault.Is(err, fault.NotFound) {
			return nil, notRegistered(given.Subject.String())
		}
		return ca, err
	}
	ids, _, err := r.keysOf(ctx, caSubjectsBucket, subjectKey(cert.RawIssuer)+"/", Page{})
	if err != nil {
		return nil, err
	}
	switch len(ids) {
	case 0:
		return nil, notRegistered(cert.Issuer.String())
	case 1:
		ca, _, err := r.loadCA(ctx, ids[0])
		return ca, err
	default:
		return nil, refuse(fault.Conflict, ErrCertificateConflict, "%d CA certificates have the subject %s", len(ids), fault.Quoted(cert.Issuer.String())).
			WithRemedy("say which one signed the certificate: give it as caCertificatePem")
	}
}

func notRegistered(subject string) error {
	return refuse(fault.Invalid, ErrCertificateValidation, "the CA %s is not registered", fault.Quoted(subject)).
		WithRemedy("register it first (aws iot register-ca-certificate), or register the certificate without its CA (aws iot register-certificate-without-ca)")
}
