package delivery

import (
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestGuard(t *testing.T) {
	public, desk := Guard{}, Guard{Private: true}
	for _, c := range []struct {
		to           string
		public, desk string // why it is refused, empty if it is not
	}{
		{"93.184.216.34:443", "", ""},
		{"[2606:2800:220:1::1]:443", "", ""},
		{"127.0.0.1:80", loopback, ""},
		{"127.8.9.1:80", loopback, ""},
		{"[::1]:80", loopback, ""},
		{"10.1.2.3:80", private, ""},
		{"172.16.0.1:80", private, ""},
		{"172.31.255.255:80", private, ""},
		{"172.32.0.1:80", "", ""},
		{"192.168.1.1:80", private, ""},
		{"100.64.0.1:80", private, ""},
		{"[fd12:3456::1]:80", private, ""},
		{"0.0.0.0:80", unspecified, unspecified},
		{"0.1.2.3:80", unspecified, unspecified},
		{"[::]:80", unspecified, unspecified},
		{"169.254.1.1:80", linkLocal, linkLocal},
		{"[fe80::1]:80", linkLocal, linkLocal},
		{"[fe80::1%eth0]:80", linkLocal, linkLocal},
		{"169.254.169.254:80", "secrets", "secrets"},
		{"169.254.170.2:80", "secrets", "secrets"},
		{"100.100.100.200:80", "secrets", "secrets"},
		{"168.63.129.16:80", "secrets", "secrets"},
		{"[fd00:ec2::254]:80", "secrets", "secrets"},
		{"224.0.0.1:80", multicast, multicast},
		{"[ff02::1]:80", multicast, multicast},
		{"255.255.255.255:80", reserved, reserved},
		{"192.0.2.1:80", reserved, reserved},
		{"198.18.0.1:80", reserved, reserved},
		{"240.0.0.1:80", reserved, reserved},
		// The same addresses in the clothes of IPv6.
		{"[::ffff:127.0.0.1]:80", loopback, ""},
		{"[::ffff:169.254.169.254]:80", "secrets", "secrets"},
		{"[::ffff:0.0.0.0]:80", unspecified, unspecified},
		{"[::ffff:93.184.216.34]:80", "", ""},
		{"[64:ff9b::a9fe:a9fe]:80", "secrets", "secrets"},
		{"[64:ff9b::7f00:1]:80", loopback, ""},
		{"[64:ff9b::5db8:d822]:80", "", ""},
		{"[2002:a9fe:a9fe::1]:80", "secrets", "secrets"},
		{"[2002:c0a8:101::1]:80", private, ""},
		{"[::a9fe:a9fe]:80", "secrets", "secrets"},
		{"[64:ff9b:1:a9fe:a9:fe00::]:80", reserved, reserved},
		{"[2001:0:a9fe:a9fe::1]:80", reserved, reserved},
	} {
		for guard, want := range map[*Guard]string{&public: c.public, &desk: c.desk} {
			err := guard.Check(netip.MustParseAddrPort(c.to))
			if want == "" && err == nil {
				continue
			}
			if want == "" || err == nil || !strings.Contains(err.Error(), want) || !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "; use a receiver elsewhere, or let") {
				t.Errorf("%s, private %t: %v, want %q", c.to, guard.Private, err, want)
			}
		}
	}
}

func allow(t *testing.T, texts ...string) (all []Allowed) {
	t.Helper()
	for _, text := range texts {
		a, err := ParseAllowed(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func TestGuardWithExceptions(t *testing.T) {
	own := netip.MustParseAddrPort("127.0.0.1:9443")
	g := Guard{
		Own:   func(a netip.AddrPort) bool { return a == own },
		Allow: allow(t, "127.0.0.0/8", "169.254.0.0/16", "10.1.2.3", "[fd00::1]:80", "::ffff:192.168.7.7"),
	}
	for to, ok := range map[string]bool{
		"127.0.0.1:80": true, "127.0.0.1:9443": false, "[::ffff:127.0.0.1]:9443": false, "[::1]:80": false, "10.1.2.3:1": true, "10.1.2.4:1": false,
		"169.254.169.254:80": true, "[fd00::1]:80": true, "[fd00::1]:81": false, "192.168.7.7:1": true,
	} {
		if err := g.Check(netip.MustParseAddrPort(to)); (err == nil) != ok {
			t.Errorf("%s: %v", to, err)
		}
	}
	g.Allow = allow(t, "127.0.0.1:9443")
	if err := g.Check(own); err != nil {
		t.Errorf("a listener of our own that is allowed by its port: %v", err)
	}
}

func TestParseAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.0.0/16": "10.1.0.0/16", "10.1.2.3/16": "10.1.0.0/16", "10.1.2.3": "10.1.2.3", "10.1.2.3:80": "10.1.2.3:80", "fd00::/8": "fd00::/8",
		"[::1]:9443": "[::1]:9443", "::ffff:10.1.2.3": "10.1.2.3", "localhost": "", "10.1.2.3:0": "", "": "", "10.0.0.0/33": "", "example.com:80": "",
	} {
		a, err := ParseAllowed(text)
		if want == "" && fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil || a.String() != want {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}

func TestListening(t *testing.T) {
	own := Listening(func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("[::]:9443"), netip.MustParseAddrPort("127.0.0.1:8080")}
	})
	for to, want := range map[string]bool{
		"127.0.0.1:9443": true, "127.0.0.2:9443": true, "[::1]:9443": true, "93.184.216.34:9443": false, "127.0.0.1:8080": true, "127.0.0.2:8080": false,
		"127.0.0.1:80": false,
	} {
		if got := own(netip.MustParseAddrPort(to)); got != want {
			t.Errorf("%s: %t", to, got)
		}
	}
}

// The address is looked at when it is known, whatever the URL says and whichever handshake follows.
func TestGuardStandsInTheDialer(t *testing.T) {
	var called atomic.Int32
	server := receiver(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	own := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	port := portOf(server.URL)
	for _, c := range []struct {
		name  string
		guard Guard
		urls  []string
		info  string
	}{
		{"private", Guard{}, []string{server.URL, "http://localhost" + port, "https://localhost" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port, "http://0" + port}, "Address refused: "},
		{"our own", Guard{Private: true, Own: Listening(func() []netip.AddrPort { return []netip.AddrPort{own} })}, []string{server.URL, "http://localhost" + port, "https://localhost" + port}, "it is a listener of this server"},
	} {
		s := New(Config{Guard: c.guard})
		for _, url := range c.urls {
			for _, sni := range []bool{true, false} {
				r := get(url)
				r.SendSNI = sni
				if out := s.Deliver(t.Context(), r); out.OK || out.Status != 0 || !strings.Contains(out.Info, c.info) && !strings.HasPrefix(out.Info, "DNS") || out.Remedy == "" {
					t.Errorf("%s, %s: %+v", c.name, url, out)
				}
			}
		}
		s.Close()
	}
	if called.Load() != 0 {
		t.Error("a callback reached an address that it may not")
	}
}
