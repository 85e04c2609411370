package fault

import (
	"errors"
	"fmt"
)

// Kind is what went wrong, in words that every door can translate.
type Kind uint8

// The kinds. Internal is the zero value: an error that nobody classified.
const (
	Internal        Kind = iota
	Invalid              // the request breaks a rule: a name, a size, a syntax
	Unauthenticated      // nobody we know: no credentials, or wrong ones
	Denied               // known, but not allowed
	NotFound             // the thing that was named is not there
	Exists               // the name is taken by something different
	Conflict             // the revision or version that was expected is not the one there is
	InUse                // it cannot go while something else refers to it
	TooLarge             // over a size limit
	Throttled            // over a rate or a count; may work later
	Unavailable          // the server cannot do it now: store degraded, shutting down
	Unsupported          // Thingwire does not do this; see docs/compatibility.md
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "denied", "not found", "exists", "conflict", "in use", "too large",
	"throttled", "unavailable", "unsupported",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a refusal: its kind, the cause in words, and the remedy where one is known. Cause and Remedy are shown to
// users; they never carry secrets.
type Error struct {
	Kind   Kind
	Cause  string
	Remedy string // may be empty
	Err    error  // what lies below, may be nil
}

// New makes an error of a kind with a formatted cause.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Cause: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind around err.
func Wrap(k Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: k, Cause: fmt.Sprintf(format, args...), Err: err}
}

// WithRemedy returns e with the remedy set.
func (e *Error) WithRemedy(format string, args ...any) *Error {
	e.Remedy = fmt.Sprintf(format, args...)
	return e
}

// Label is an error that only names a refusal for the doors, in AWS's words: what it says stands in the cause already.
type Label interface {
	error
	Label()
}

// Error is one line: cause, what lies below, remedy.
func (e *Error) Error() string {
	s := e.Cause
	if _, named := e.Err.(Label); e.Err != nil && !named { //nolint:errorlint // what is deeper prints itself
		s += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap gives what lies below.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the outermost Error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
