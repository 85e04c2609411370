package control

import (
	"errors"
	"log/slog"
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

// Refuse answers with an error in AWS's shape and writes it to the log, where its request id finds it. It is for the
// handlers that are mounted, and for those beside the control plane that refuse as it does.
func Refuse(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	id := awsapi.Begin(w)
	f := failureOf(err, id)
	awsapi.LogRefusal(log, r, id, f.Name, "", err)
	f.Write(w)
}

// WriteFailure answers with an error in AWS's shape. Whoever calls it has written the error to the journal.
func WriteFailure(w http.ResponseWriter, err error) {
	failureOf(err, awsapi.Begin(w)).Write(w)
}
