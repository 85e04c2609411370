package delivery

import (
	"context"
	"net/netip"
	"slices"
	"syscall"

	"github.com/thingwire/thingwire/internal/fault"
)

// Guard decides which addresses callbacks may reach. It looks at addresses as they are connected to, after names are
// resolved: a name that leads elsewhere the second time gains nothing. The zero Guard lets callbacks reach public
// addresses only.
type Guard struct {
	// Private lets callbacks reach this machine and private networks (10.0.0.0/8, 192.168.0.0/16, fc00::/7 …).
	Private bool
	// Own reports whether an address is one of this server's listeners; may be nil.
	Own func(netip.AddrPort) bool
	// Allow are exceptions to all rules.
	Allow []Allowed
}

// Allowed is an exception of a Guard: a network, or one address with a port. Only the latter opens a listener of this
// server.
type Allowed struct {
	Network netip.Prefix
	Port    uint16 // 0 is any, but for our own listeners
}

// ParseAllowed reads an exception: 192.0.2.0/24, 192.0.2.1, 127.0.0.1:9443, fd00::/8 or [::1]:9443.
func ParseAllowed(text string) (Allowed, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return Allowed{Network: p.Masked()}, nil
	}
	if a, err := netip.ParseAddrPort(text); err == nil && a.Port() != 0 {
		return Allowed{Network: single(a.Addr()), Port: a.Port()}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return Allowed{Network: single(a)}, nil
	}
	return Allowed{}, fault.New(fault.Invalid, "%q is neither a network nor an address", text).
		WithRemedy("write a network such as 10.1.0.0/16, an address, or an address and a port such as 127.0.0.1:9443; no names")
}

func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

// String is the exception as ParseAllowed reads it.
func (a Allowed) String() string {
	switch {
	case a.Port != 0:
		return netip.AddrPortFrom(a.Network.Addr(), a.Port).String()
	case a.Network.IsSingleIP():
		return a.Network.Addr().String()
	}
	return a.Network.String()
}

// control is the net.Dialer's ControlContext.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Wrap(fault.Denied, err, "Address refused: %q is no address", address)
	}
	return g.Check(a)
}

// Check refuses an address that callbacks may not reach, with a fault.Denied that says why and how to open it.
func (g *Guard) Check(to netip.AddrPort) error {
	a := to.Addr().Unmap().WithZone("")
	to = netip.AddrPortFrom(a, to.Port())
	if slices.ContainsFunc(g.Allow, func(e Allowed) bool { return e.Port == to.Port() && e.Network.Contains(a) }) {
		return nil
	}
	if g.Own != nil && g.Own(to) {
		return refused(to, "it is a listener of this server", to.String())
	}
	if slices.ContainsFunc(g.Allow, func(e Allowed) bool { return e.Port == 0 && e.Network.Contains(a) }) {
		return nil
	}
	why, private := special(a)
	if why == "" || private && g.Private {
		return nil
	}
	return refused(to, why, a.String())
}

func refused(to netip.AddrPort, why, exception string) error {
	return fault.New(fault.Denied, "Address refused: %s: %s", to, why).
		WithRemedy("use a receiver elsewhere, or let the server's operator allow %s for callbacks", exception)
}

// metadata are addresses where clouds tell machines their secrets; not all of them are link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Azure, Google and others
	netip.MustParseAddr("169.254.170.2"),   // AWS ECS
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure's host
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// row is a network that is not the Internet's, and why callbacks do not go there (IANA special-purpose registries).
type row struct {
	network netip.Prefix
	why     string
	private bool
}

func rowOf(network, why string, mayBePrivate bool) row {
	return row{netip.MustParsePrefix(network), why, mayBePrivate}
}

const (
	unspecified = "it stands for any address of this machine"
	loopback    = "it is this machine"
	private     = "it is in a private network"
	linkLocal   = "it is link-local"
	multicast   = "it is no single host"
	reserved    = "it is reserved"
)

// networks are looked through in this order.
var networks = []row{
	rowOf("0.0.0.0/8", unspecified, false),
	rowOf("::/128", unspecified, false),
	rowOf("127.0.0.0/8", loopback, true),
	rowOf("::1/128", loopback, true),
	rowOf("10.0.0.0/8", private, true),
	rowOf("172.16.0.0/12", private, true),
	rowOf("192.168.0.0/16", private, true),
	rowOf("100.64.0.0/10", private, true),
	rowOf("fc00::/7", private, true),
	rowOf("fec0::/10", private, true),
	rowOf("169.254.0.0/16", linkLocal, false),
	rowOf("fe80::/10", linkLocal, false),
	rowOf("224.0.0.0/4", multicast, false),
	rowOf("ff00::/8", multicast, false),
	rowOf("192.0.0.0/24", reserved, false),
	rowOf("192.0.2.0/24", reserved, false),
	rowOf("198.18.0.0/15", reserved, false),
	rowOf("198.51.100.0/24", reserved, false),
	rowOf("203.0.113.0/24", reserved, false),
	rowOf("240.0.0.0/4", reserved, false),
	rowOf("100::/64", reserved, false),
	rowOf("64:ff9b:1::/48", reserved, false),
	rowOf("2001::/32", reserved, false),
	rowOf("2001:db8::/32", reserved, false),
}

// special says why an address is not the Internet's, empty if it is. mayBePrivate: this machine or a private network.
func special(a netip.Addr) (why string, mayBePrivate bool) {
	if slices.Contains(metadata, a) {
		return "clouds tell secrets there", false
	}
	for _, r := range networks {
		if r.network.Contains(a) {
			return r.why, r.private
		}
	}
	if v4, ok := embedded(a); ok {
		return special(v4)
	}
	return "", false
}

// The networks of IPv6 that lead to an address of IPv4, and where it stands in them.
var translated = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291 section 2.5.5.1
}

func embedded(a netip.Addr) (netip.Addr, bool) {
	for _, t := range translated {
		if t.network.Contains(a) {
			b := a.As16()
			return netip.AddrFrom4([4]byte(b[t.at : t.at+4])), true
		}
	}
	return netip.Addr{}, false
}
