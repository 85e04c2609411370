package sigv4

import (
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
)

// ReasonError is why a signature is refused. It is the error below a fault.Error; doors find it with errors.AsType and
// answer with the name that their protocol has for it.
type ReasonError uint8

// The reasons.
const (
	ErrMissing       ReasonError = iota + 1 // the request is not signed
	ErrIncomplete                           // the signature cannot be read, or does not cover what it must
	ErrScope                                // signed for another service
	ErrExpired                              // signed too long ago
	ErrNotYetCurrent                        // signed in the future
	ErrDoesNotMatch                         // the signature is another one
)

// Error is the name in the Query protocol, which is the best known: "SignatureDoesNotMatch".
func (r ReasonError) Error() string { return r.Query() }

// Label says that it is no more than a name.
func (ReasonError) Label() {}

// JSON is the exception's name in the rest-json protocol: iot, iot-data, iot-jobs-data. The SDKs correct their clock
// after an InvalidSignatureException from the Date header of the answer.
func (r ReasonError) JSON() string {
	switch r {
	case ErrMissing:
		return "MissingAuthenticationTokenException"
	case ErrIncomplete:
		return "IncompleteSignatureException"
	case ErrScope, ErrExpired, ErrNotYetCurrent, ErrDoesNotMatch:
		return "InvalidSignatureException"
	}
	return "reason(" + strconv.Itoa(int(r)) + ")"
}

// Query is the error code in the Query protocol: sts, iam, cloudformation.
func (r ReasonError) Query() string {
	switch r {
	case ErrMissing:
		return "MissingAuthenticationToken"
	case ErrIncomplete:
		return "IncompleteSignature"
	case ErrScope, ErrExpired, ErrNotYetCurrent, ErrDoesNotMatch:
		return "SignatureDoesNotMatch"
	}
	return "reason(" + strconv.Itoa(int(r)) + ")"
}

func refuse(r ReasonError, format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Unauthenticated, r, format, args...)
}
