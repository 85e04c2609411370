package journal

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
)

// Because takes what a refusal says: its cause and remedy, and the reason that belongs to its kind unless the entry has
// one.
func (e *Entry) Because(err error) {
	if err == nil {
		return
	}
	e.Status = Failure
	e.Cause = err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		e.Remedy = f.Remedy
		e.Cause = strings.TrimSuffix(e.Cause, "; "+f.Remedy)
		if name := awsName(f.Err); name != "" {
			e.Cause = strings.TrimSuffix(e.Cause, ": "+name)
			e.Reason = first(e.Reason, name)
		}
	}
	e.Reason = first(e.Reason, reasonOf(fault.KindOf(err)))
}

// awsName is the text of an error that is a name of AWS, like DEVICE_CERTIFICATE_INACTIVE.
func awsName(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return ""
	}
	return s
}

func reasonOf(k fault.Kind) string {
	switch k {
	case fault.Denied:
		return ReasonAuthorization
	case fault.Unauthenticated:
		return ReasonNotAuthenticated
	case fault.TooLarge:
		return ReasonPayloadLimit
	case fault.Throttled:
		return ReasonThrottled
	case fault.Unsupported:
		return ReasonUnsupported
	case fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict, fault.InUse:
		return ReasonInvalid
	case fault.Internal, fault.Unavailable:
	}
	return ReasonServerError
}

// fill completes an entry with what follows from the rest.
func (e *Entry) fill(account string) {
	e.Timestamp = e.Timestamp.rounded()
	if e.TraceID == "" {
		e.TraceID = uuid.NewString()
	}
	e.AccountID = first(e.AccountID, account)
	if e.EventType != OwnEvent {
		e.Protocol = first(e.Protocol, "MQTT")
	}
	end, known := ends[e.DisconnectReason]
	if known {
		e.Reason, e.Details = first(e.Reason, end.reason), first(e.Details, end.details)
	}
	if e.DisconnectReason == "CLIENT_ERROR" && e.ReasonCode == codePacketTooLarge {
		e.Reason = first(e.Reason, ReasonPayloadLimit)
	}
	e.Details = first(e.Details, details[e.Reason])
	e.Status = first(e.Status, e.outcome())
	if e.Status == Failure {
		e.Reason = first(e.Reason, e.DisconnectReason)
		e.Details = first(e.Details, e.Cause)
		e.Remedy = first(e.Remedy, Remedy(e))
		e.LogLevel = first(e.LogLevel, LevelError)
	}
	e.LogLevel = first(e.LogLevel, LevelInfo)
	if e.Count == 1 {
		e.Count = 0
	}
}

// outcome is the status of an entry that says none: the end that a client wanted is a success.
func (e *Entry) outcome() string {
	if e.Reason == "" && (e.DisconnectReason == "" || e.DisconnectReason == "CLIENT_INITIATED_DISCONNECT") {
		return Success
	}
	return Failure
}

// first is the first of two that says something.
func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
