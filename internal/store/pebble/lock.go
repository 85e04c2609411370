package pebble

import (
	"io"

	"github.com/thingwire/thingwire/internal/fault"
)

// Lock takes the lock of a directory that has a store, so that nobody opens the store until it is given back. Options.Locked
// opens it nevertheless.
func Lock(dir string) (io.Closer, error) {
	return lockDir(Options{Dir: dir, ReadOnly: true}.complete())
}

// check refuses options that do not fit together.
func (o *Options) check() error {
	if o.Locked && !o.ReadOnly {
		return fault.New(fault.Invalid, "a store whose lock somebody else has can only be read")
	}
	return nil
}
