package registry

import (
	"errors"

	"github.com/thingwire/thingwire/internal/fault"
)

// Name is the name that AWS gives to a refusal where its kind alone does not tell: an exception of the control plane
// ("CertificateStateException"), or the reason of a failed authentication ("DEVICE_CERTIFICATE_INACTIVE"). It is the
// error below a fault.Error; doors find it with errors.AsType.
type Name string

// Error is the name.
func (n Name) Error() string { return string(n) }

// The exceptions of the control plane that need a name of their own.
const (
	MalformedPolicy       Name = "MalformedPolicyException"
	CertificateValidation Name = "CertificateValidationException"
	CertificateState      Name = "CertificateStateException"
	DeleteConflict        Name = "DeleteConflictException"
	VersionConflict       Name = "VersionConflictException"
	VersionsLimitExceeded Name = "VersionsLimitExceededException"
	LimitExceeded         Name = "LimitExceededException"
)

// The reasons of a failed authentication by certificate, as AWS writes them into its logs.
const (
	CertificateNotRegistered Name = "DEVICE_CERTIFICATE_NOT_REGISTERED"
	CertificateInactive      Name = "DEVICE_CERTIFICATE_INACTIVE"
	CertificateRevoked       Name = "DEVICE_CERTIFICATE_REVOKED"
)

// Taken is the error below a fault.Exists: what holds the name already. AWS puts both members into the answer.
type Taken struct {
	ResourceID  string
	ResourceARN string
}

// Error names the resource.
func (t *Taken) Error() string { return t.ResourceARN }

func refuse(k fault.Kind, n Name, format string, args ...any) *fault.Error {
	return fault.Wrap(k, n, format, args...)
}

func taken(id, arn, format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Exists, &Taken{ResourceID: id, ResourceARN: arn}, format, args...)
}

func hasName(err error) bool {
	_, ok := errors.AsType[Name](err)
	return ok
}
