package registry

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Server certificates live 397 days, what the strictest clients accept, and are renewed when a third is left.
const (
	serverLifetime = 397 * 24 * time.Hour
	serverBackdate = 24 * time.Hour // for devices whose clock is behind
	deviceBackdate = 2 * time.Minute
)

// endOfDays is where AWS lets device certificates end, the last second that X.509's short form of time can say. The root
// ends with them.
var endOfDays = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)

// rootTemplate begins long ago: a device without a clock of its own starts years behind.
func rootTemplate(public crypto.PublicKey) (*x509.Certificate, error) {
	id, err := keyID(public)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		// The name holds the key: two roots in one trust store are told apart.
		Subject:               pkix.Name{Organization: []string{"Thingwire"}, CommonName: "Thingwire Root CA " + hex.EncodeToString(id[:4])},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              endOfDays,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		SubjectKeyId:          id,
	}, nil
}

func serverTemplate(now time.Time, names []string, public crypto.PublicKey) (*x509.Certificate, error) {
	id, err := keyID(public)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Thingwire"}, CommonName: "Thingwire server"},
		NotBefore:             now.Add(-serverBackdate),
		NotAfter:              now.Add(serverLifetime - serverBackdate),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          id,
	}
	if _, ok := public.(*rsa.PublicKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment // the RSA key exchange of old TLS 1.2 clients
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return t, nil
}

// deviceTemplate is for clients only: this root signs servers too, and no device may pass for one.
func deviceTemplate(now time.Time, public crypto.PublicKey) (*x509.Certificate, error) {
	id, err := keyID(public)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: "AWS IoT Certificate"},
		NotBefore:             now.Add(-deviceBackdate),
		NotAfter:              endOfDays,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          id,
	}, nil
}

func renewalTime(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// keyID is RFC 7093 section 2, method 1, over the whole SubjectPublicKeyInfo (method 4).
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "a public key that cannot be written")
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$`)

// cleanNames brings names into the one order and spelling by which certificates are compared. A wildcard may stand for
// the first label.
func cleanNames(names []string) ([]string, error) {
	clean := make([]string, 0, len(names))
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil && ip.Zone() == "" {
			clean = append(clean, ip.Unmap().String())
			continue
		}
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if len(n) > 253 || !hostName.MatchString(strings.TrimPrefix(n, "*.")) {
			return nil, fault.New(fault.Invalid, "%s is neither a host name nor an IP address", fault.Quoted(n)).
				WithRemedy("names outside ASCII are written in punycode")
		}
		clean = append(clean, n)
	}
	if len(clean) == 0 {
		return nil, fault.New(fault.Invalid, "a server certificate needs a name")
	}
	slices.Sort(clean)
	return slices.Compact(clean), nil
}

// namesOf is what cleanNames gave for a certificate.
func namesOf(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return names
}
