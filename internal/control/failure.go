package control

import (
	"errors"
	"net/http"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// failure is an error as AWS's control plane writes it: a status, a name in a header, and a message. There is never a
// numeric code in the body: the Go SDK cannot read such an error.
type failure struct {
	status int
	name   string

	Message     string `json:"message"`
	ResourceID  string `json:"resourceId,omitempty"`  // ResourceAlreadyExistsException
	ResourceARN string `json:"resourceArn,omitempty"` // ResourceAlreadyExistsException
}

// byKind is what a refusal is called when it has no name of its own.
var byKind = [...]struct {
	status int
	name   string
}{
	fault.Internal:        {http.StatusInternalServerError, "InternalFailureException"},
	fault.Invalid:         {http.StatusBadRequest, "InvalidRequestException"},
	fault.Unauthenticated: {http.StatusForbidden, "MissingAuthenticationTokenException"},
	fault.Denied:          {http.StatusForbidden, "AccessDeniedException"},
	fault.NotFound:        {http.StatusNotFound, "ResourceNotFoundException"},
	fault.Exists:          {http.StatusConflict, "ResourceAlreadyExistsException"},
	fault.Conflict:        {http.StatusConflict, "ConflictingResourceUpdateException"},
	fault.InUse:           {http.StatusConflict, "DeleteConflictException"},
	fault.TooLarge:        {http.StatusBadRequest, "InvalidRequestException"},
	fault.Throttled:       {http.StatusBadRequest, "ThrottlingException"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailableException"},
	// AWS has no exception for this; SDKs pass the name on and do not retry a 501.
	fault.Unsupported: {http.StatusNotImplemented, "NotImplementedException"},
}

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
}

// failureOf translates err. An error inside is not shown; the request id finds it in the log.
func failureOf(err error, requestID string) failure {
	kind := fault.KindOf(err)
	f := failure{status: byKind[kind].status, name: byKind[kind].name}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || kind == fault.Internal {
		f.Message = "internal failure; the server's log has it under request " + requestID
		return f
	}
	f.Message = message(e)
	if name, ok := errors.AsType[registry.NameError](err); ok && statusOf[name] != 0 {
		f.status, f.name = statusOf[name], string(name)
	}
	if t, ok := errors.AsType[*registry.TakenError](err); ok {
		f.ResourceID, f.ResourceARN = t.ResourceID, t.ResourceARN
	}
	return f
}

// message is the error's own line without the names below it, which travel elsewhere.
func message(e *fault.Error) string {
	shown := *e
	switch shown.Err.(type) { //nolint:errorlint // only what lies directly below would be printed
	case registry.NameError, *registry.TakenError:
		shown.Err = nil
	}
	return shown.Error()
}
