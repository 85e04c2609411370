//go:build !linux

package main

import (
	"io"

	"github.com/thingwire/thingwire/internal/fault"
)

// pty is not there on this system.
type pty struct {
	io.ReadWriteCloser
	path string
}

func openPTY() (*pty, error) {
	return nil, fault.New(fault.Unsupported, "--pty needs Linux").WithRemedy("use --tcp")
}
