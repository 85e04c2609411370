package cloudformation

import (
	"github.com/thingwire/thingwire/internal/fault"
)

// NameError is the code that CloudFormation gives to a refusal. It is the error below a fault.Error; doors find it with
// errors.AsType.
type NameError string

// Error is the code.
func (n NameError) Error() string { return string(n) }

// Label says that it is no more than a name.
func (NameError) Label() {}

// The codes (CloudFormation API reference, "Errors" of each action).
const (
	ErrValidation               NameError = "ValidationError"
	ErrAlreadyExists            NameError = "AlreadyExistsException"
	ErrInsufficientCapabilities NameError = "InsufficientCapabilitiesException"
	ErrChangeSetNotFound        NameError = "ChangeSetNotFound"
	ErrInvalidChangeSetStatus   NameError = "InvalidChangeSetStatus"
	ErrLimitExceeded            NameError = "LimitExceededException"
)

func refuse(k fault.Kind, n NameError, format string, args ...any) *fault.Error {
	return fault.Wrap(k, n, format, args...)
}

// invalid refuses what breaks a rule.
func invalid(format string, args ...any) *fault.Error {
	return refuse(fault.Invalid, ErrValidation, format, args...)
}

// malformed refuses a template.
func malformed(format string, args ...any) *fault.Error {
	return invalid("Template format error: "+format, args...)
}

// absent refuses what AWS has and Thingwire does not.
func absent(format string, args ...any) *fault.Error {
	return fault.New(fault.Unsupported, format+" is not implemented by Thingwire", args...).WithRemedy("see docs/compatibility.md")
}
