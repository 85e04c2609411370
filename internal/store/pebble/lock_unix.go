//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package pebble

import (
	"io"
	"os"
	"syscall"
)

// lockHolder asks the system which process holds the lock on a file, 0 if it does not say. This process must not hold
// it: closing the file would release it.
func lockHolder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // only read
	spec := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &spec); err != nil || spec.Type == syscall.F_UNLCK {
		return 0
	}
	return int(spec.Pid)
}
