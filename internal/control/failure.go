package control

import (
	"errors"
	"net/http"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// statusOf are the statuses of the names that the registry gives (AWS IoT API reference, "Common errors").
var statusOf = map[registry.NameError]int{
	registry.ErrMalformedPolicy:       http.StatusBadRequest,
	registry.ErrCertificateValidation: http.StatusBadRequest,
	registry.ErrCertificateConflict:   http.StatusConflict,
	registry.ErrRegistrationCode:      http.StatusBadRequest,
	registry.ErrCertificateState:      http.StatusNotAcceptable,
	registry.ErrDeleteConflict:        http.StatusConflict,
	registry.ErrVersionConflict:       http.StatusConflict,
	registry.ErrVersionsLimitExceeded: http.StatusConflict,
	registry.ErrLimitExceeded:         http.StatusGone,
	registry.ErrNotConfigured:         http.StatusNotFound,
}

// failureOf translates an error to what the control plane answers.
func failureOf(err error, requestID string) *awsapi.Failure {
	f := awsapi.ControlKinds.FailureOf(err, requestID)
	if name, ok := errors.AsType[registry.NameError](err); ok && statusOf[name] != 0 {
		f.Status, f.Name = statusOf[name], string(name)
	}
	if name := awsapi.SignatureName(err); name != "" {
		f.Name = name
		if errors.Is(err, sigv4.ErrIncomplete) {
			f.Status = http.StatusBadRequest
		}
	}
	if t, ok := errors.AsType[*registry.TakenError](err); ok {
		f.ResourceID, f.ResourceARN = t.ResourceID, t.ResourceARN
	}
	return f
}

// WriteFailure answers with an error in AWS's shape. It is for the handlers that are mounted.
func WriteFailure(w http.ResponseWriter, err error) {
	failureOf(err, awsapi.Begin(w)).Write(w)
}
