package delivery

import (
	"net"
	"net/netip"
	"slices"
)

// Listening makes a Guard's Own of the addresses that a server listens on, asked for at each connection. A listener on
// all addresses is there at each address of this machine.
func Listening(listeners func() []netip.AddrPort) func(netip.AddrPort) bool {
	return func(to netip.AddrPort) bool {
		for _, l := range listeners() {
			if l.Port() != to.Port() {
				continue
			}
			a := l.Addr().Unmap()
			if a == to.Addr() || a.IsUnspecified() && ofThisMachine(to.Addr()) {
				return true
			}
		}
		return false
	}
}

// ofThisMachine reports whether an address leads here. Where the machine's addresses cannot be read, it does.
func ofThisMachine(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(all, func(own net.Addr) bool {
		p, err := netip.ParsePrefix(own.String())
		return err == nil && p.Addr().Unmap().WithZone("") == a
	})
}
