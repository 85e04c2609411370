package registry

import (
	"errors"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// NameError is the name that AWS gives to a refusal where its kind alone does not tell: an exception of the control plane
// ("CertificateStateException"), or the reason of a failed authentication ("DEVICE_CERTIFICATE_INACTIVE"). It is the
// error below a fault.Error; doors find it with errors.AsType.
type NameError string

// Error is the name.
func (n NameError) Error() string { return string(n) }

// Label says that it is no more than a name.
func (NameError) Label() {}

// The exceptions of the control plane that need a name of their own.
const (
	ErrMalformedPolicy       NameError = "MalformedPolicyException"
	ErrCertificateValidation NameError = "CertificateValidationException"
	ErrCertificateConflict   NameError = "CertificateConflictException"
	ErrRegistrationCode      NameError = "RegistrationCodeValidationException"
	ErrCertificateState      NameError = "CertificateStateException"
	ErrDeleteConflict        NameError = "DeleteConflictException"
	ErrVersionConflict       NameError = "VersionConflictException"
	ErrVersionsLimitExceeded NameError = "VersionsLimitExceededException"
	ErrLimitExceeded         NameError = "LimitExceededException"
	ErrNotConfigured         NameError = "NotConfiguredException"
)

// The reasons of a failed authentication by certificate, as AWS writes them into its logs.
const (
	ErrCertificateNotRegistered NameError = "DEVICE_CERTIFICATE_NOT_REGISTERED"
	ErrCertificateInactive      NameError = "DEVICE_CERTIFICATE_INACTIVE"
	ErrCertificateRevoked       NameError = "DEVICE_CERTIFICATE_REVOKED"
)

// TakenError is the error below a fault.Exists: what holds the name already. AWS puts both members into the answer.
type TakenError struct {
	ResourceID  string
	ResourceARN string
}

// Error names the resource.
func (t *TakenError) Error() string { return t.ResourceARN }

// Label says that it is no more than a name.
func (t *TakenError) Label() {}

func refuse(k fault.Kind, n NameError, format string, args ...any) *fault.Error {
	return fault.Wrap(k, n, format, args...)
}

func taken(id, arn, format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Exists, &TakenError{ResourceID: id, ResourceARN: arn}, format, args...)
}

func hasName(err error) bool {
	_, ok := errors.AsType[NameError](err)
	return ok
}

// oneOf are the names of AWS's that a refusal offers instead.
func oneOf[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}

// notFound refuses a name that nothing has; list is the command that shows those there are.
func notFound(what, name, list string) error {
	return fault.New(fault.NotFound, "%s %s not found", what, name).WithRemedy("those there are: aws iot %s", list)
}

// otherVersion refuses a change of what somebody else has changed meanwhile.
func otherVersion(what, name string, version, expected int64) error {
	return refuse(fault.Conflict, ErrVersionConflict, "%s %s has version %d, not the expected %d", what, name, version, expected).
		WithRemedy("describe it again, and send the version that you see")
}
