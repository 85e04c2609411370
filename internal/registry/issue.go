package registry

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

const (
	deviceKeyBits  = 2048
	maxPEM         = 65536
	maxCSR         = 4096
	shortestRSAKey = 2048
	longestRSAKey  = 8192 // crypto/tls refuses to verify longer ones
)

// KeysAndCertificate is a new certificate with the keys made for it. The private key is nowhere else.
type KeysAndCertificate struct {
	Certificate
	PublicKeyPEM  string // "PUBLIC KEY", SPKI
	PrivateKeyPEM string // "RSA PRIVATE KEY", PKCS #1
}

// CreateKeysAndCertificate makes an RSA-2048 key pair and a certificate signed by the authority.
func (r *Registry) CreateKeysAndCertificate(ctx context.Context, active bool) (*KeysAndCertificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := r.keys.take()
	if err != nil {
		return nil, err
	}
	c, err := r.issue(key.Public(), active)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return &KeysAndCertificate{
		Certificate:   *c,
		PublicKeyPEM:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		PrivateKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}, nil
}

// CreateCertificateFromCSR signs a certificate for the key of a certificate signing request in PEM. Only the key is
// taken from it. The same request twice gives two certificates.
func (r *Registry) CreateCertificateFromCSR(ctx context.Context, csrPEM string, active bool) (*Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := parseCSR(csrPEM)
	if err != nil {
		return nil, err
	}
	return r.issue(key, active)
}

// RegisterCertificateWithoutCA registers a certificate of anybody's making. An empty status is INACTIVE.
func (r *Registry) RegisterCertificateWithoutCA(ctx context.Context, certPEM string, status Status) (*Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
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
	return r.addCertificate(cert, Certificate{Status: status, Mode: SNIOnly})
}

func (r *Registry) issue(public crypto.PublicKey, active bool) (*Certificate, error) {
	if r.cfg.Authority == nil {
		return nil, fault.New(fault.Unavailable, "this server has no certificate authority to sign with")
	}
	der, err := r.cfg.Authority.SignDevice(public)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	status := Inactive
	if active {
		status = Active
	}
	return r.addCertificate(cert, Certificate{Status: status, Mode: DefaultMode})
}

// parseCSR gives the public key of a request whose signature proves that its sender has the private one.
func parseCSR(text string) (crypto.PublicKey, error) {
	if len(text) > maxCSR {
		return nil, fault.New(fault.Invalid, "the certificate signing request has %d characters, at most %d are allowed", len(text), maxCSR)
	}
	der, err := onlyBlock(text, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the certificate signing request cannot be read")
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the certificate signing request cannot be read")
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the signature of the certificate signing request is wrong")
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the key of the certificate signing request is refused")
	}
	return csr.PublicKey, nil
}

func parseCertificate(text string) (*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, refuse(fault.Invalid, ErrCertificateValidation, "the certificate has %d characters, at most %d are allowed", len(text), maxPEM)
	}
	der, err := onlyBlock(text, "CERTIFICATE")
	if err != nil {
		return nil, refuse(fault.Invalid, ErrCertificateValidation, "the certificate cannot be read: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(fault.Invalid, ErrCertificateValidation, "the certificate cannot be read: %v", err)
	}
	return cert, checkCertificate(cert)
}

// checkCertificate refuses what AWS does not register.
func checkCertificate(cert *x509.Certificate) error {
	if err := checkSignatureAlgorithm(cert.SignatureAlgorithm); err != nil {
		return err
	}
	if err := checkKey(cert.PublicKey); err != nil {
		return refuse(fault.Invalid, ErrCertificateValidation, "the key of the certificate is refused: %v", err)
	}
	return nil
}

// onlyBlock is the DER of the one PEM block in text; what openssl writes around it is skipped, a second block refused.
func onlyBlock(text string, types ...string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, fault.New(fault.Invalid, "it is not PEM").WithRemedy("it begins with -----BEGIN %s-----", types[0])
	}
	found := false
	for _, t := range types {
		found = found || block.Type == t
	}
	if !found {
		return nil, fault.New(fault.Invalid, "it is a PEM %s, not a %s", fault.Quoted(block.Type), types[0])
	}
	if strings.Contains(string(rest), "-----BEGIN") {
		return nil, fault.New(fault.Invalid, "it is more than one PEM block").WithRemedy("give the certificate alone, without its chain")
	}
	return block.Bytes, nil
}

// checkSignatureAlgorithm: AWS IoT developer guide, "X.509 client certificates", algorithms for registered certificates.
// DSA is missing because no TLS library of today, this server's included, authenticates with it.
func checkSignatureAlgorithm(a x509.SignatureAlgorithm) error {
	switch a { //nolint:exhaustive // a list of what is allowed
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return nil
	default:
		return refuse(fault.Invalid, ErrCertificateValidation, "the certificate is signed with %s", a).
			WithRemedy("use SHA-256, SHA-384 or SHA-512 with RSA or ECDSA")
	}
}

func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < shortestRSAKey || bits > longestRSAKey {
			return fault.New(fault.Invalid, "an RSA key of %d bits; %d to %d are allowed", bits, shortestRSAKey, longestRSAKey)
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
		return fault.New(fault.Invalid, "an ECDSA key on %s; P-256, P-384 and P-521 are allowed", k.Params().Name)
	default:
		return fault.New(fault.Invalid, "a key of type %T; RSA and ECDSA are allowed", key)
	}
}
