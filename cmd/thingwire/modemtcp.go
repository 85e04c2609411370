package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/modem"
)

// modemLines is how many TCP lines a modem has at once; others wait for one to end.
const modemLines = 16

// listenModem opens the port. Nobody who connects is asked who he is, so it is for this machine unless forced.
func listenModem(ctx context.Context, o *modemOptions) (net.Listener, error) {
	host, port, err := net.SplitHostPort(o.tcp)
	if err != nil {
		return nil, usage("--tcp is %q; use an address as in 127.0.0.1:7000", o.tcp)
	}
	if ip := net.ParseIP(host); !o.tcpAnywhere && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usage("--tcp %s can be reached from other machines, and whoever connects can send; use 127.0.0.1:%s, or force it with --tcp-anywhere",
			o.tcp, port)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.tcp)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the modem cannot listen on %s", o.tcp)
	}
	return l, nil
}

// serveTCP gives each connection a line of its own to the modem, until ctx ends.
func serveTCP(ctx context.Context, w *world, m *modem.Modem, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var lines sync.WaitGroup
	defer lines.Wait()
	free := make(chan struct{}, modemLines)
	for {
		free <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			_ = l.Close()
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		lines.Go(func() {
			defer func() { <-free }()
			if err := m.Serve(ctx, conn); err != nil && !hungUp(err) {
				w.printf("modem: the line from %s broke: %s\n", conn.RemoteAddr(), err)
			}
		})
	}
}

// hungUp is the end of a connection that its other side closed while it was answered.
func hungUp(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}
