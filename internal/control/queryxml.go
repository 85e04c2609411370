package control

import (
	"bytes"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// queryCodeError is an error code of the Query protocol that no kind has alone (IAM API reference, "Common Errors").
type queryCodeError string

const (
	errInvalidAction  queryCodeError = "InvalidAction"
	errMissingAction  queryCodeError = "MissingAction"
	errMalformedInput queryCodeError = "MalformedInput"
	errMissingToken   queryCodeError = "MissingAuthenticationToken"
)

// Error is the code.
func (c queryCodeError) Error() string { return string(c) }

// Label says that it is no more than a name.
func (queryCodeError) Label() {}

// queryKinds are the codes of the Query protocol (API reference, "Common shape" and "IAM minimum").
var queryKinds = awsapi.Kinds{
	fault.Internal:        {Code: http.StatusInternalServerError, Name: "InternalFailure"},
	fault.Invalid:         {Code: http.StatusBadRequest, Name: "ValidationError"},
	fault.Unauthenticated: {Code: http.StatusForbidden, Name: "MissingAuthenticationToken"},
	fault.Denied:          {Code: http.StatusForbidden, Name: "AccessDenied"},
	fault.NotFound:        {Code: http.StatusNotFound, Name: "NoSuchEntity"},
	fault.Exists:          {Code: http.StatusConflict, Name: "EntityAlreadyExists"},
	fault.Conflict:        {Code: http.StatusConflict, Name: "ConcurrentModification"},
	fault.InUse:           {Code: http.StatusConflict, Name: "DeleteConflict"},
	fault.TooLarge:        {Code: http.StatusRequestEntityTooLarge, Name: "RequestEntityTooLarge"},
	fault.Throttled:       {Code: http.StatusBadRequest, Name: "Throttling"},
	fault.Unavailable:     {Code: http.StatusServiceUnavailable, Name: "ServiceUnavailable"},
	// AWS has no code for this; SDKs pass it on and do not retry a 501.
	fault.Unsupported: {Code: http.StatusNotImplemented, Name: "NotImplemented"},
}

// queryFailureOf translates an error to what the Query protocol answers.
func queryFailureOf(err error, requestID string) *awsapi.Failure {
	f := queryKinds.FailureOf(err, requestID)
	if f.Status >= http.StatusInternalServerError && f.Name == queryKinds[fault.Internal].Name {
		return f // a name below must not dress up what went wrong inside
	}
	if code, ok := errors.AsType[queryCodeError](err); ok {
		f.Name = string(code)
	}
	if name, ok := errors.AsType[iam.NameError](err); ok {
		f.Name = name.Query()
		if name == iam.ErrLimitExceeded {
			f.Status = http.StatusConflict
		}
	}
	if name, ok := errors.AsType[cloudformation.NameError](err); ok {
		f.Name, f.Status = string(name), http.StatusBadRequest
		if name == cloudformation.ErrChangeSetNotFound {
			f.Status = http.StatusNotFound
		}
	}
	if reason, ok := errors.AsType[sigv4.ReasonError](err); ok {
		f.Name = reason.Query()
		if reason == sigv4.ErrIncomplete {
			f.Status = http.StatusBadRequest
		}
	}
	return f
}

// faultNamespace is that of errors which belong to no service yet.
const faultNamespace = "http://webservices.amazon.com/AWSFault/2005-15-09"

// WriteQueryFailure answers with an error as the Query services (sts, iam, cloudformation) write it. It is for the front,
// which refuses signatures before anybody knows which operation was meant.
func WriteQueryFailure(w http.ResponseWriter, err error) { writeQueryFailure(w, faultNamespace, err) }

func writeQueryFailure(w http.ResponseWriter, namespace string, err error) {
	id := awsapi.Begin(w)
	f := queryFailureOf(err, id)
	kind := "Sender"
	if f.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	type body struct {
		Type, Code, Message string
	}
	writeXML(w, f.Status, struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Error     body
		RequestID string `xml:"RequestId"`
	}{Namespace: namespace, Error: body{kind, f.Name, f.Message}, RequestID: id})
}

// queryAnswer is <NAMEResponse xmlns="…"><NAMEResult>…</NAMEResult><ResponseMetadata>…</NAMEResponse>.
type queryAnswer struct {
	op        *queryOperation
	result    any
	requestID string
}

// MarshalXML writes it: the names of its elements are those of the operation.
func (a queryAnswer) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	start := xml.StartElement{
		Name: xml.Name{Local: a.op.name + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: a.op.service.namespace}},
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if a.result != nil {
		if err := e.EncodeElement(a.result, xml.StartElement{Name: xml.Name{Local: a.op.name + "Result"}}); err != nil {
			return err
		}
	}
	type metadata struct {
		RequestID string `xml:"RequestId"`
	}
	if err := e.EncodeElement(metadata{a.requestID}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

func writeQueryAnswer(w http.ResponseWriter, op *queryOperation, result any) {
	writeXML(w, http.StatusOK, queryAnswer{op, result, awsapi.Begin(w)})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	if err := xml.NewEncoder(&body).Encode(v); err != nil {
		panic("control: an answer that cannot be marshalled: " + err.Error()) // only strings, bools and times
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client went away
}

// xmlList is a list as the Query protocol writes it, which is there when it is empty.
type xmlList[T any] struct {
	Members []T `xml:"member"`
}
