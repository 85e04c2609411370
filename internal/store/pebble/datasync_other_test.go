//go:build !linux

package pebble

import (
	"os"
	"time"
)

func datasync(f *os.File) error { return f.Sync() }

// cpuTime is not known.
func cpuTime() time.Duration { return 0 }
