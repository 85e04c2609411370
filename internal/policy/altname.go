package policy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"slices"
	"strings"
)

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuerAltName  = asn1.ObjectIdentifier{2, 5, 29, 18}
)

// generalNameKind is a kind of alternative name and its tag in GeneralName (RFC 5280, 4.2.1.6).
type generalNameKind struct {
	name string
	tag  int
}

var generalNameKinds = [...]generalNameKind{
	{"RFC822Name", 1},
	{"DNSName", 2},
	{"DirectoryName", 4},
	{"UniformResourceIdentifier", 6},
	{"IPAddress", 7},
}

// alternativeNames are the names of one kind (folded) in the subject's or issuer's extension. crypto/x509 reads neither
// the issuer's nor directory names, so both extensions are read here.
func alternativeNames(cert *x509.Certificate, extension asn1.ObjectIdentifier, kind string) []string {
	i := slices.IndexFunc(generalNameKinds[:], func(k generalNameKind) bool { return strings.EqualFold(k.name, kind) })
	if i < 0 {
		return nil
	}
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(extension) {
			return generalNames(ext.Value, generalNameKinds[i].tag)
		}
	}
	return nil
}

// generalNames reads the names with one tag from the DER of a GeneralNames. What cannot be read ends the list: a
// certificate that is damaged here gives no permissions.
func generalNames(der []byte, tag int) []string {
	var seq asn1.RawValue
	if _, err := asn1.Unmarshal(der, &seq); err != nil || seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return nil
	}
	var names []string
	for rest := seq.Bytes; len(rest) > 0 && len(names) < maxCertificateItems; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return names
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != tag {
			continue
		}
		if s, ok := generalName(name); ok {
			names = append(names, s)
		}
	}
	return names
}

func generalName(name asn1.RawValue) (string, bool) {
	switch name.Tag {
	case 4:
		return directoryName(name.Bytes)
	case 7:
		addr, ok := netip.AddrFromSlice(name.Bytes)
		return addr.String(), ok
	}
	return string(name.Bytes), len(name.Bytes) > 0
}

// dnKeys are the short names of attributes 2.5.4.N in a directory name.
var dnKeys = map[int]string{
	3: "cn", 4: "sn", 5: "serialNumber", 6: "c", 7: "l", 8: "st", 9: "street", 10: "o", 11: "ou", 12: "title",
	42: "givenName", 43: "initials", 44: "generationQualifier", 46: "dnQualifier", 65: "pseudonym",
}

// directoryName writes a name the way AWS IoT does, last part first: cn=LightBulbCert,ou=SmartHome,o=IoT,c=US ("Using
// X.509 certificate policy variables"), with a backslash before special characters ("Special Characters" there).
func directoryName(der []byte) (string, bool) {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "", false
	}
	var b strings.Builder
	for _, rdn := range slices.Backward(rdns) {
		for _, at := range rdn {
			s, ok := at.Value.(string)
			if !ok {
				return "", false
			}
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(dnKey(at.Type))
			b.WriteByte('=')
			writeEscaped(&b, s)
		}
	}
	return b.String(), b.Len() > 0
}

func dnKey(oid asn1.ObjectIdentifier) string {
	if len(oid) == 4 && oid[0] == 2 && oid[1] == 5 && oid[2] == 4 && dnKeys[oid[3]] != "" {
		return dnKeys[oid[3]]
	}
	return oid.String()
}

func writeEscaped(b *strings.Builder, s string) {
	for _, c := range s {
		if strings.ContainsRune(`,"\+=<>;`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
}
