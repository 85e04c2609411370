package control

import (
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

func getRegistrationCode(c *call) (any, error) {
	code, err := c.registry().RegistrationCode(c.Context())
	if err != nil {
		return nil, err
	}
	return struct {
		RegistrationCode string `json:"registrationCode"`
	}{code}, nil
}

func deleteRegistrationCode(c *call) (any, error) {
	return nil, c.registry().DeleteRegistrationCode(c.Context())
}

// registrationConfig is the template of just-in-time provisioning.
type registrationConfig struct {
	TemplateBody string `json:"templateBody"`
	TemplateName string `json:"templateName"`
	RoleArn      string `json:"roleArn"`
}

func (r *registrationConfig) refuse() error {
	if r == nil || *r == (registrationConfig{}) {
		return nil
	}
	return fault.New(fault.Unsupported, "just-in-time provisioning (registrationConfig) is not implemented by Thingwire").
		WithRemedy("leave registrationConfig out and activate certificates on the event of just-in-time registration; see docs/compatibility.md")
}

func registerCACertificate(c *call) (any, error) {
	var in struct {
		CACertificate           string              `json:"caCertificate"`
		VerificationCertificate string              `json:"verificationCertificate"`
		RegistrationConfig      *registrationConfig `json:"registrationConfig"`
		Tags                    []registry.Tag      `json:"tags"`
		CertificateMode         registry.Mode       `json:"certificateMode"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := in.RegistrationConfig.refuse(); err != nil {
		return nil, err
	}
	active, err := c.boolean("setAsActive")
	if err != nil {
		return nil, err
	}
	auto, err := c.boolean("allowAutoRegistration")
	if err != nil {
		return nil, err
	}
	ca, err := c.registry().RegisterCACertificate(c.Context(), registry.CASpec{
		PEM: in.CACertificate, Verification: in.VerificationCertificate, Mode: in.CertificateMode, Active: active, AutoRegistration: auto,
		Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	return newCertificate{CertificateArn: c.arn("cacert", ca.ID), CertificateID: ca.ID}, nil
}

type caDescription struct {
	CertificateArn         string          `json:"certificateArn"`
	CertificateID          string          `json:"certificateId"`
	Status                 registry.Status `json:"status"`
	CertificatePem         string          `json:"certificatePem"`
	OwnedBy                string          `json:"ownedBy"`
	CreationDate           epoch           `json:"creationDate"`
	AutoRegistrationStatus string          `json:"autoRegistrationStatus"`
	LastModifiedDate       epoch           `json:"lastModifiedDate"`
	CustomerVersion        int             `json:"customerVersion"`
	GenerationID           string          `json:"generationId"`
	Validity               validity        `json:"validity"`
	CertificateMode        registry.Mode   `json:"certificateMode"`
}

func describeCACertificate(c *call) (any, error) {
	ca, err := c.registry().DescribeCACertificate(c.Context(), c.labels["caCertificateId"])
	if err != nil {
		return nil, err
	}
	auto := "DISABLE"
	if ca.AutoRegistration {
		auto = "ENABLE"
	}
	return struct {
		CertificateDescription caDescription `json:"certificateDescription"`
	}{caDescription{
		CertificateArn:         c.arn("cacert", ca.ID),
		CertificateID:          ca.ID,
		Status:                 ca.Status,
		CertificatePem:         ca.PEM,
		OwnedBy:                c.cfg.Account,
		CreationDate:           epoch(ca.Created),
		AutoRegistrationStatus: auto,
		LastModifiedDate:       epoch(ca.Modified),
		CustomerVersion:        ca.Version,
		GenerationID:           ca.GenerationID,
		Validity:               validity{epoch(ca.NotBefore), epoch(ca.NotAfter)},
		CertificateMode:        ca.Mode,
	}}, nil
}

// updateCACertificate takes its statuses from the query and the rest from the body.
func updateCACertificate(c *call) (any, error) {
	var in struct {
		RegistrationConfig     *registrationConfig `json:"registrationConfig"`
		RemoveAutoRegistration bool                `json:"removeAutoRegistration"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := in.RegistrationConfig.refuse(); err != nil {
		return nil, err
	}
	u := registry.CAUpdate{Status: registry.Status(c.query.Get("newStatus"))}
	switch auto := c.query.Get("newAutoRegistrationStatus"); auto {
	case "":
	case "ENABLE", "DISABLE":
		enable := auto == "ENABLE"
		u.AutoRegistration = &enable
	default:
		return nil, fault.New(fault.Invalid, "%q is not an auto registration status", auto).WithRemedy("use ENABLE or DISABLE")
	}
	if in.RemoveAutoRegistration {
		if u.AutoRegistration != nil && *u.AutoRegistration {
			return nil, fault.New(fault.Invalid, "newAutoRegistrationStatus=ENABLE and removeAutoRegistration cannot both be given")
		}
		u.AutoRegistration = new(bool)
	}
	return nil, c.registry().UpdateCACertificate(c.Context(), c.labels["caCertificateId"], u)
}

func deleteCACertificate(c *call) (any, error) {
	return nil, c.registry().DeleteCACertificate(c.Context(), c.labels["caCertificateId"])
}

type caSummary struct {
	CertificateArn string          `json:"certificateArn"`
	CertificateID  string          `json:"certificateId"`
	Status         registry.Status `json:"status"`
	CreationDate   epoch           `json:"creationDate"`
}

func listCACertificates(c *call) (any, error) {
	if c.query.Get("templateName") != "" {
		return nil, fault.New(fault.Unsupported, "provisioning templates are not implemented by Thingwire").
			WithRemedy("leave templateName out; see docs/compatibility.md")
	}
	return listByAge(c, "certificates", c.registry().ListCACertificates, func(ca *registry.CACertificate) caSummary {
		return caSummary{c.arn("cacert", ca.ID), ca.ID, ca.Status, epoch(ca.Created)}
	})
}
