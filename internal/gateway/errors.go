package gateway

import (
	"errors"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// operation is what a refusal answers; the same kind of fault has another reason code for each.
type operation uint8

const (
	opConnect operation = iota
	opPublish
	opSubscribe
	opUnsubscribe
)

// reasonCode translates a kind of error, once, to the reason codes that AWS IoT Core documents for the operation
// (message broker reference, "MQTT reason codes").
func reasonCode(err error, op operation) mqtt.Code {
	if e, ok := errors.AsType[*mqtt.Error](err); ok {
		return e.Code
	}
	switch fault.KindOf(err) {
	case fault.Denied, fault.Unauthenticated:
		return mqtt.CodeNotAuthorized
	case fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict, fault.InUse:
		if op == opSubscribe || op == opUnsubscribe {
			return mqtt.CodeTopicFilterInvalid
		}
		return mqtt.CodeTopicNameInvalid
	case fault.TooLarge:
		return mqtt.CodePacketTooLarge
	case fault.Throttled:
		return mqtt.CodeQuotaExceeded
	case fault.Unsupported:
		if op == opSubscribe {
			return mqtt.CodeSharedSubsNotSupported
		}
		return mqtt.CodeImplementationSpecificError
	case fault.Unavailable:
		if op == opConnect {
			return mqtt.CodeServerUnavailable
		}
		return mqtt.CodeUnspecifiedError
	case fault.Internal:
	}
	return mqtt.CodeUnspecifiedError
}

// closeCause is the end that a refusal or a broken rule brings to a connection.
func closeCause(err error, op operation) broker.Cause {
	if e, ok := errors.AsType[*mqtt.Error](err); ok {
		return brokenRule(e)
	}
	c := broker.Cause{Code: byte(reasonCode(err, op)), Text: err.Error(), Err: err}
	switch fault.KindOf(err) {
	case fault.Denied, fault.Unauthenticated:
		c.Reason = broker.AuthError
		if op == opConnect {
			c.Reason = broker.ForbiddenAccess
		}
	case fault.Throttled:
		c.Reason = broker.Throttled
	case fault.Unavailable:
		c.Reason = broker.ServerError
	case fault.Internal:
		c.Reason = broker.ServerError
	case fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict, fault.InUse, fault.TooLarge, fault.Unsupported:
		c.Reason = broker.ClientError
	}
	return c
}

// brokenRule is the end that a packet brings which breaks the standard.
func brokenRule(e *mqtt.Error) broker.Cause {
	kind := fault.Invalid
	if e.Code == mqtt.CodePacketTooLarge {
		kind = fault.TooLarge
	}
	return broker.Cause{
		Reason: broker.ClientError, Code: byte(e.Code), Text: e.Error(), Packet: e.Packet.String(),
		Err: fault.New(kind, "%s", e.Error()),
	}
}

func clientError(code mqtt.Code, text string) broker.Cause {
	return broker.Cause{Reason: broker.ClientError, Code: byte(code), Text: text}
}
