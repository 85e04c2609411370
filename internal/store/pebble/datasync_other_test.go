//go:build !linux

package pebble

import "os"

func datasync(f *os.File) error { return f.Sync() }
