package registry

import "github.com/thingwire/thingwire/internal/fault"

// notFound refuses a name that nothing has; list is the command that shows those there are.
func notFound(what, name, list string) error {
	return fault.New(fault.NotFound, "%s %s not found", what, name).WithRemedy("those there are: aws iot %s", list)
}

// otherVersion refuses a change of what somebody else has changed meanwhile.
func otherVersion(what, name string, version, expected int64) error {
	return refuse(fault.Conflict, ErrVersionConflict, "%s %s has version %d, not the expected %d", what, name, version, expected).
		WithRemedy("describe it again, and send the version that you see")
}
