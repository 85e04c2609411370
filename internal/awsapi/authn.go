package awsapi

import (
	"errors"
	"net/http"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// Signed reports whether a request carries a signature, in its header or in its query, be it good or bad.
func Signed(r *http.Request) bool { return sigv4.Signed(r) }

// LogReason is the name that AWS IoT's logs have for a refused signature (developer guide, "Connection.AuthNError"),
// empty for other errors.
func LogReason(err error) string {
	switch {
	case errors.Is(err, sigv4.ErrMissing):
		return "NOT_AUTHENTICATED"
	case errors.Is(err, sigv4.ErrExpired), errors.Is(err, sigv4.ErrNotYetCurrent), errors.Is(err, iam.ErrExpiredToken):
		return "SECURITY_TOKEN_EXPIRED"
	case errors.Is(err, sigv4.ErrDoesNotMatch), errors.Is(err, sigv4.ErrScope):
		return "SECURITY_TOKEN_SIGNATURE_MISMATCH"
	case errors.Is(err, sigv4.ErrIncomplete), errors.Is(err, iam.ErrUnrecognizedClient):
		return "SECURITY_TOKEN_INVALID"
	}
	return ""
}

// ClaimedKey is the access key id that a request says it is signed with, empty where it cannot be read. It proves nothing.
func ClaimedKey(r *http.Request) string {
	s, err := sigv4.Parse(r)
	if err != nil {
		return ""
	}
	return s.AccessKeyID
}
