package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

type keyPair struct {
	PublicKey  string `json:"PublicKey"`
	PrivateKey string `json:"PrivateKey"`
}

type newCertificate struct {
	CertificateArn string   `json:"certificateArn"`
	CertificateID  string   `json:"certificateId"`
	CertificatePem string   `json:"certificatePem,omitempty"`
	KeyPair        *keyPair `json:"keyPair,omitempty"`
}

func createKeysAndCertificate(c *call) (any, error) {
	active, err := c.boolean("setAsActive")
	if err != nil {
		return nil, err
	}
	k, err := c.registry().CreateKeysAndCertificate(c.Context(), active)
	if err != nil {
		return nil, err
	}
	return newCertificate{c.arn("cert", k.ID), k.ID, k.PEM, &keyPair{k.PublicKeyPEM, k.PrivateKeyPEM}}, nil
}

func createCertificateFromCsr(c *call) (any, error) {
	var in struct {
		CertificateSigningRequest string `json:"certificateSigningRequest"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	active, err := c.boolean("setAsActive")
	if err != nil {
		return nil, err
	}
	cert, err := c.registry().CreateCertificateFromCSR(c.Context(), in.CertificateSigningRequest, active)
	if err != nil {
		return nil, err
	}
	return newCertificate{c.arn("cert", cert.ID), cert.ID, cert.PEM, nil}, nil
}

// registerCertificate takes the status from the body, or the query that AWS has deprecated.
func registerCertificate(c *call) (any, error) {
	var in struct {
		CertificatePem   string          `json:"certificatePem"`
		CACertificatePem string          `json:"caCertificatePem"`
		Status           registry.Status `json:"status"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	active, err := c.boolean("setAsActive")
	if err != nil {
		return nil, err
	}
	if in.Status == "" && active {
		in.Status = registry.Active
	}
	cert, err := c.registry().RegisterCertificate(c.Context(), in.CertificatePem, in.CACertificatePem, in.Status)
	if err != nil {
		return nil, err
	}
	return newCertificate{CertificateArn: c.arn("cert", cert.ID), CertificateID: cert.ID}, nil
}

func registerCertificateWithoutCA(c *call) (any, error) {
	var in struct {
		CertificatePem string          `json:"certificatePem"`
		Status         registry.Status `json:"status"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	cert, err := c.registry().RegisterCertificateWithoutCA(c.Context(), in.CertificatePem, in.Status)
	if err != nil {
		return nil, err
	}
	return newCertificate{CertificateArn: c.arn("cert", cert.ID), CertificateID: cert.ID}, nil
}

type validity struct {
	NotBefore epoch `json:"notBefore"`
	NotAfter  epoch `json:"notAfter"`
}

type certificateDescription struct {
	CertificateArn   string          `json:"certificateArn"`
	CertificateID    string          `json:"certificateId"`
	CACertificateID  string          `json:"caCertificateId,omitempty"`
	Status           registry.Status `json:"status"`
	CertificatePem   string          `json:"certificatePem"`
	OwnedBy          string          `json:"ownedBy"`
	CreationDate     epoch           `json:"creationDate"`
	LastModifiedDate epoch           `json:"lastModifiedDate"`
	CustomerVersion  int             `json:"customerVersion"`
	TransferData     struct{}        `json:"transferData"` // never transferred
	GenerationID     string          `json:"generationId"`
	Validity         validity        `json:"validity"`
	CertificateMode  registry.Mode   `json:"certificateMode"`
}

func describeCertificate(c *call) (any, error) {
	cert, err := c.registry().DescribeCertificate(c.Context(), c.labels["certificateId"])
	if err != nil {
		return nil, err
	}
	return struct {
		CertificateDescription certificateDescription `json:"certificateDescription"`
	}{certificateDescription{
		CertificateArn:   c.arn("cert", cert.ID),
		CertificateID:    cert.ID,
		CACertificateID:  cert.CA,
		Status:           cert.Status,
		CertificatePem:   cert.PEM,
		OwnedBy:          c.cfg.Account,
		CreationDate:     epoch(cert.Created),
		LastModifiedDate: epoch(cert.Modified),
		CustomerVersion:  cert.Version,
		GenerationID:     cert.GenerationID,
		Validity:         validity{epoch(cert.NotBefore), epoch(cert.NotAfter)},
		CertificateMode:  cert.Mode,
	}}, nil
}

func updateCertificate(c *call) (any, error) {
	status := registry.Status(c.query.Get("newStatus"))
	if status == "" {
		return nil, fault.New(fault.Invalid, "newStatus is missing").WithRemedy("use ACTIVE, INACTIVE or REVOKED")
	}
	return nil, c.registry().UpdateCertificate(c.Context(), c.labels["certificateId"], status)
}

func deleteCertificate(c *call) (any, error) {
	force, err := c.boolean("forceDelete")
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DeleteCertificate(c.Context(), c.labels["certificateId"], force)
}

type certificateSummary struct {
	CertificateArn  string          `json:"certificateArn"`
	CertificateID   string          `json:"certificateId"`
	Status          registry.Status `json:"status"`
	CertificateMode registry.Mode   `json:"certificateMode"`
	CreationDate    epoch           `json:"creationDate"`
}

func listCertificates(c *call) (any, error) {
	return listByAge(c, "certificates", c.registry().ListCertificates, c.certificateSummary)
}

func listCertificatesByCA(c *call) (any, error) {
	return listByAge(c, "certificates", func(ctx context.Context, ascending bool, p registry.Page) ([]registry.Certificate, string, error) {
		return c.registry().ListCertificatesByCA(ctx, c.labels["caCertificateId"], ascending, p)
	}, c.certificateSummary)
}

func (c *call) certificateSummary(cert *registry.Certificate) certificateSummary {
	return certificateSummary{c.arn("cert", cert.ID), cert.ID, cert.Status, cert.Mode, epoch(cert.Created)}
}

// listOutgoingCertificates: no certificate is ever on its way to another account, for there is one.
func listOutgoingCertificates(c *call) (any, error) {
	return listByAge(c, "outgoingCertificates", func(context.Context, bool, registry.Page) ([]string, string, error) {
		return nil, "", nil
	}, itself)
}
