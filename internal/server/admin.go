package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/thingwire/thingwire/internal/fault"
)

// socketPathMax is what sun_path holds on the systems we run on, less the final zero.
const socketPathMax = 103

// withSocketPath calls use with a path of the admin socket of dir that is short enough for the kernel. Where the real
// one is too long, Linux reaches it through an open directory.
func withSocketPath(dir string, use func(path string) error) error {
	path := filepath.Join(dir, adminSocket)
	if len(path) <= socketPathMax {
		return use(path)
	}
	if runtime.GOOS != "linux" {
		return fault.New(fault.Invalid, "the path of the admin socket is too long for this system: %s", path).
			WithRemedy("choose a shorter --data-dir")
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // it was only read
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), adminSocket))
}

// listenAdmin opens the admin socket, for its owner alone. The data directory is 0700 already, so nobody comes in
// between the two calls.
func listenAdmin(ctx context.Context, dir string) (net.Listener, error) {
	var l net.Listener
	err := withSocketPath(dir, func(path string) (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, "unix", path)
		if err != nil {
			return err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false) // the path may be one of an open directory; Close removes the real one
		return os.Chmod(path, 0o600)
	})
	if err != nil && l != nil {
		_ = l.Close() // the first error counts
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the admin socket cannot be opened")
	}
	return l, nil
}

func dialAdmin(dir string) (net.Conn, error) { return dialAdminContext(context.Background(), dir) }

func dialAdminContext(ctx context.Context, dir string) (net.Conn, error) {
	var conn net.Conn
	err := withSocketPath(dir, func(path string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}
