package iam

import (
	"errors"

	"github.com/thingwire/thingwire/internal/fault"
)

// NameError is the name that AWS gives to a refusal where its kind alone does not tell. It is the error below a
// fault.Error; doors find it with errors.AsType.
type NameError string

// Error is the name.
func (n NameError) Error() string { return string(n) }

// Label says that it is no more than a name.
func (NameError) Label() {}

// Query is the name in the Query protocol (sts, iam), which differs for the two that every service answers with.
func (n NameError) Query() string {
	if n == ErrUnrecognizedClient {
		return "InvalidClientTokenId"
	}
	if n == ErrExpiredToken {
		return "ExpiredToken"
	}
	return string(n)
}

// Why a key or a session is not known, as the rest-json services name it.
const (
	ErrUnrecognizedClient NameError = "UnrecognizedClientException"
	ErrExpiredToken       NameError = "ExpiredTokenException"
)

// The errors of the operations of IAM and STS.
const (
	ErrNoSuchEntity        NameError = "NoSuchEntity"
	ErrEntityAlreadyExists NameError = "EntityAlreadyExists"
	ErrDeleteConflict      NameError = "DeleteConflict"
	ErrLimitExceeded       NameError = "LimitExceeded"
	ErrMalformedPolicy     NameError = "MalformedPolicyDocument"
	ErrValidation          NameError = "ValidationError"
	ErrAccessDenied        NameError = "AccessDenied"
	ErrInvalidInput        NameError = "InvalidInput"
	ErrPackedPolicy        NameError = "PackedPolicyTooLarge"
)

func refuse(k fault.Kind, n NameError, format string, args ...any) *fault.Error {
	return fault.Wrap(k, n, format, args...)
}

// unknownKey is the answer to every key and token that opens nothing: AWS does not say which of both is wrong. The
// remedy, which does, is for the journal and for whoever runs the server.
func unknownKey(remedy string, args ...any) *fault.Error {
	return refuse(fault.Unauthenticated, ErrUnrecognizedClient, "The security token included in the request is invalid.").
		WithRemedy(remedy, args...)
}

func noUser(name string) *fault.Error {
	return refuse(fault.NotFound, ErrNoSuchEntity, "The user with name %s cannot be found.", fault.Plain(name))
}

func noRole(name string) *fault.Error {
	return refuse(fault.NotFound, ErrNoSuchEntity, "The role with name %s cannot be found.", fault.Plain(name))
}

func noKey(id string) *fault.Error {
	return refuse(fault.NotFound, ErrNoSuchEntity, "The Access Key with id %s cannot be found", fault.Plain(id))
}

func hasName(err error) bool {
	_, ok := errors.AsType[NameError](err)
	return ok
}
