package awsapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// Failure is an error as rest-json services write it: a status, a name in a header, a message. There is never a numeric
// code in the body: the Go SDK cannot read such an error.
type Failure struct {
	Status int    `json:"-"`
	Name   string `json:"-"`

	Message string `json:"message"`
	TraceID string `json:"traceId,omitempty"` // data plane only: the request id once more

	ResourceID  string `json:"resourceId,omitempty"`  // ResourceAlreadyExistsException
	ResourceARN string `json:"resourceArn,omitempty"` // ResourceAlreadyExistsException
}

// Write answers with the failure.
func (f *Failure) Write(w http.ResponseWriter) {
	Begin(w)
	w.Header()["X-Amzn-Errortype"] = []string{f.Name}
	WriteBody(w, f.Status, f.Body())
}

// Body is the JSON text of the failure.
func (f *Failure) Body() []byte {
	body, err := json.Marshal(f)
	if err != nil {
		return []byte(`{"message":"the failure cannot be written"}`)
	}
	return body
}

// Status is an HTTP status and the name that goes with it.
type Status struct {
	Code int
	Name string
}

// Kinds says what a service calls each kind of error that has no name of its own.
type Kinds [fault.Unsupported + 1]Status

// ControlKinds are the names of the control plane (API reference, "HTTP codes, control plane").
var ControlKinds = Kinds{
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

// DataKinds are the names of the data plane (API reference, "Error codes of iot-data").
var DataKinds = Kinds{
	fault.Internal:        {http.StatusInternalServerError, "InternalFailureException"},
	fault.Invalid:         {http.StatusBadRequest, "InvalidRequestException"},
	fault.Unauthenticated: {http.StatusUnauthorized, "UnauthorizedException"},
	fault.Denied:          {http.StatusForbidden, "ForbiddenException"},
	fault.NotFound:        {http.StatusNotFound, "ResourceNotFoundException"},
	fault.Exists:          {http.StatusConflict, "ConflictException"},
	fault.Conflict:        {http.StatusConflict, "ConflictException"},
	fault.InUse:           {http.StatusConflict, "ConflictException"},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException"},
	fault.Throttled:       {http.StatusTooManyRequests, "ThrottlingException"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailableException"},
	fault.Unsupported:     {http.StatusNotImplemented, "NotImplementedException"},
}

// FailureOf translates an error by its kind. An error inside is not shown; the request id finds it in the log.
func (k *Kinds) FailureOf(err error, requestID string) *Failure {
	kind := fault.KindOf(err)
	f := &Failure{Status: k[kind].Code, Name: k[kind].Name}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || kind == fault.Internal {
		f.Message = "internal failure; the server's log has it under request " + requestID
		return f
	}
	f.Message = e.Error()
	return f
}

// SignatureName is the name that the control plane gives to a refused signature, empty for other errors.
func SignatureName(err error) (name string) {
	if r, ok := errors.AsType[sigv4.ReasonError](err); ok {
		return r.JSON()
	}
	if n, ok := errors.AsType[iam.NameError](err); ok {
		return string(n)
	}
	return ""
}
