package registry

import (
	"context"
	"crypto/x509"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxCAsPerSubject: AWS IoT Core quotas.
const maxCAsPerSubject = 10

const registrationCodeKey = "registration-code"

// CASpec is what a CA certificate is registered from.
type CASpec struct {
	PEM              string
	Verification     string // PEM; proves in DEFAULT mode that whoever registers has the CA's private key
	Mode             Mode   // DEFAULT when empty
	Active           bool
	AutoRegistration bool
	Tags             []Tag
}

// RegistrationCode gives the code that a verification certificate must carry as its common name: 64 hex digits, the same
// ones until DeleteRegistrationCode.
func (r *Registry) RegistrationCode(ctx context.Context) (string, error) {
	code, _, err := documents.Load[string](ctx, r.cfg.Store, metaBucket, registrationCodeKey)
	if err == nil {
		return *code, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return "", err
	}
	fresh := generationID()
	err = r.commit(documents.Put(metaBucket, registrationCodeKey, fresh, documents.Absent))
	if fault.Is(err, fault.Conflict) {
		return r.RegistrationCode(ctx) // somebody was faster
	}
	return fresh, err
}

// DeleteRegistrationCode forgets the code; the next one is another.
func (r *Registry) DeleteRegistrationCode(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.commit(documents.Remove(metaBucket, registrationCodeKey, store.Condition{}))
}

// RegisterCACertificate registers a CA certificate. The same one a second time is refused.
func (r *Registry) RegisterCACertificate(ctx context.Context, spec CASpec) (*CACertificate, error) {
	if spec.Mode == "" {
		spec.Mode = DefaultMode
	}
	if err := checkNewTags(spec.Tags); err != nil {
		return nil, err
	}
	cert, err := parseCertificate(spec.PEM)
	if err != nil {
		return nil, err
	}
	if err := r.checkCA(cert); err != nil {
		return nil, err
	}
	if err := r.checkOwnership(ctx, spec, cert); err != nil {
		return nil, err
	}
	return r.addCA(ctx, spec, cert)
}

// checkCA: AWS IoT developer guide, "Manage your CA certificates".
func (r *Registry) checkCA(cert *x509.Certificate) error {
	if !cert.BasicConstraintsValid || !cert.IsCA {
		return refuse(fault.Invalid, ErrCertificateValidation, "the certificate of %s is not that of a CA", fault.Quoted(cert.Subject.String())).
			WithRemedy("it needs basicConstraints with CA:TRUE; register a device's own certificate without its CA: aws iot register-certificate-without-ca")
	}
	if r.now().After(cert.NotAfter) {
		return refuse(fault.Invalid, ErrCertificateValidation, "the CA certificate of %s expired on %s", fault.Quoted(cert.Subject.String()),
			cert.NotAfter.UTC().Format("2006-01-02"))
	}
	return nil
}

// checkOwnership asks in DEFAULT mode for a certificate with the registration code, signed by the CA; SNI_ONLY has none.
func (r *Registry) checkOwnership(ctx context.Context, spec CASpec, ca *x509.Certificate) error {
	switch spec.Mode {
	case SNIOnly:
		if spec.Verification != "" {
			return fault.New(fault.Invalid, "certificateMode SNI_ONLY goes without a verificationCertificate").
				WithRemedy("leave it out, or use certificateMode DEFAULT")
		}
		return nil
	case DefaultMode:
	default:
		return fault.New(fault.Invalid, "%s is not a certificateMode", fault.Quoted(string(spec.Mode))).WithRemedy("use DEFAULT or SNI_ONLY")
	}
	if spec.Verification == "" {
		return fault.New(fault.Invalid, "the verificationCertificate is missing").
			WithRemedy("sign one with the CA whose common name is the code of `aws iot get-registration-code`, or use certificateMode SNI_ONLY")
	}
	proof, err := parseCertificate(spec.Verification)
	if err != nil {
		return err
	}
	if !signedBy(proof, ca) {
		return refuse(fault.Invalid, ErrCertificateValidation, "the verification certificate is not signed by the CA certificate")
	}
	code, err := r.RegistrationCode(ctx)
	if err != nil {
		return err
	}
	if proof.Subject.CommonName != code {
		return refuse(fault.Invalid, ErrRegistrationCode, "the common name of the verification certificate is %s, not the registration code",
			fault.Quoted(proof.Subject.CommonName)).WithRemedy("take the code from: aws iot get-registration-code")
	}
	return nil
}

func (r *Registry) addCA(ctx context.Context, spec CASpec, cert *x509.Certificate) (*CACertificate, error) {
	id, now := Fingerprint(cert.Raw), r.now()
	ca := &CACertificate{
		ID: id, PEM: string(certificatePEM(cert.Raw)), Status: Inactive, AutoRegistration: spec.AutoRegistration,
		Mode: spec.Mode, Subject: subjectKey(cert.RawSubject), Version: 1, GenerationID: uuid.NewString(),
		Created: now, Modified: now, NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
	}
	if spec.Active {
		ca.Status = Active
	}
	defer r.names.hold([]string{caLock(id), subjectLock(ca.Subject)}, nil)()
	same, _, err := r.keysOf(ctx, caSubjectsBucket, ca.Subject+"/", Page{})
	if err != nil {
		return nil, err
	}
	if len(same) >= maxCAsPerSubject {
		return nil, refuse(fault.Throttled, ErrLimitExceeded, "%d CA certificates with the subject %s are registered already",
			len(same), fault.Quoted(cert.Subject.String())).WithRemedy("delete one that is no longer used")
	}
	ops := append(putAge(caCertificatesKind, now, id),
		documents.Put(caCertificatesBucket, id, ca, documents.Absent), documents.Mark(caSubjectsBucket, ca.Subject+"/"+id))
	err = r.commit(append(ops, tagged("cacert/"+id, spec.Tags)...)...)
	if fault.Is(err, fault.Conflict) {
		return nil, taken(id, r.ARN("cacert/"+id), "CA certificate %s is registered already", id)
	}
	if err != nil {
		return nil, err
	}
	return ca, nil
}

// signedBy reports whether ca signed cert. Names are compared byte by byte, as every verifier does; dates and usages are
// not looked at.
func signedBy(cert, ca *x509.Certificate) bool {
	return string(cert.RawIssuer) == string(ca.RawSubject) &&
		ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}
