package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type dnPart struct {
	arc   int
	value string
}

func distinguishedName(parts ...dnPart) pkix.RDNSequence {
	var seq pkix.RDNSequence
	for _, p := range parts {
		at := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, p.arc}, Value: p.value}
		seq = append(seq, pkix.RelativeDistinguishedNameSET{at})
	}
	return seq
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// generalNamesOf is the DER of an alternative-name extension with one name of each kind.
func generalNamesOf(t *testing.T, dns string, ip [4]byte, uri, mail string, dir pkix.RDNSequence) []byte {
	t.Helper()
	name := func(tag int, b []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: b, IsCompound: tag == 4}
	}
	return mustMarshal(t, []asn1.RawValue{
		name(2, []byte(dns)), name(7, ip[:]), name(6, []byte(uri)), name(1, []byte(mail)), name(4, mustMarshal(t, dir)),
	})
}

// certificateOf makes a real certificate and reads it back, as the gateway gets it.
func certificateOf(t *testing.T, serial *big.Int, subject, issuer pkix.RDNSequence, extra ...pkix.Extension) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{RawSubject: mustMarshal(t, issuer)}
	template := &x509.Certificate{SerialNumber: serial, RawSubject: mustMarshal(t, subject), ExtraExtensions: extra}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// awsCertificate is the certificate of the page "Using X.509 certificate policy variables".
func awsCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	serial, _ := new(big.Int).SetString("921285cbb7a5e086", 16)
	subject := distinguishedName(
		dnPart{6, "US"}, dnPart{10, "IoT Devices"}, dnPart{11, "LightBulb"}, dnPart{8, "NY"},
		dnPart{3, "LightBulb Device Cert"}, dnPart{42, "Bulb"}, dnPart{43, "ZZ"}, dnPart{46, "Bulb001"},
		dnPart{4, "Multi Color"}, dnPart{12, "RGB"}, dnPart{65, "RGB Device"}, dnPart{44, "4"}, dnPart{5, "123"})
	issuer := distinguishedName(
		dnPart{6, "US"}, dnPart{10, "IoT Devices"}, dnPart{11, "SmartHome"}, dnPart{8, "WA"},
		dnPart{3, "IoT Devices Primary CA"}, dnPart{42, "Primary CA1"}, dnPart{43, "XY"}, dnPart{46, "Example corp"},
		dnPart{4, "SmartHome"}, dnPart{12, "CA1"}, dnPart{65, "Primary_CA"}, dnPart{44, "2"}, dnPart{5, "987"})
	return certificateOf(t, serial, subject, issuer,
		pkix.Extension{Id: oidSubjectAltName, Value: generalNamesOf(t, "example.com", [4]byte{1, 2, 3, 4},
			"ResourceIdentifier001", "device1@example.com", distinguishedName(
				dnPart{6, "US"}, dnPart{10, "IoT"}, dnPart{11, "SmartHome"}, dnPart{3, "LightBulbCert"}))},
		pkix.Extension{Id: oidIssuerAltName, Value: generalNamesOf(t, "issuer.com", [4]byte{5, 6, 7, 8},
			"PrimarySignerCA", "primary@issuer.com", distinguishedName(
				dnPart{6, "US"}, dnPart{10, "Issuer"}, dnPart{11, "IoT Devices"}, dnPart{3, "Primary Issuer CA"}))})
}

// TestUsingX509CertificatePolicyVariables has the tables of the AWS page of that name.
func TestUsingX509CertificatePolicyVariables(t *testing.T) {
	want := map[string]string{
		"Issuer.Country":                    "US",
		"Issuer.Organization":               "IoT Devices",
		"Issuer.OrganizationalUnit":         "SmartHome",
		"Issuer.State":                      "WA",
		"Issuer.CommonName":                 "IoT Devices Primary CA",
		"Issuer.GivenName":                  "Primary CA1",
		"Issuer.initials":                   "XY",
		"Issuer.DistinguishedNameQualifier": "Example corp",
		"Issuer.Surname":                    "SmartHome",
		"Issuer.Title":                      "CA1",
		"Issuer.Pseudonym":                  "Primary_CA",
		"Issuer.GenerationQualifier":        "2",
		"Issuer.SerialNumber":               "987",

		"Subject.Country":                    "US",
		"Subject.Organization":               "IoT Devices",
		"Subject.State":                      "NY",
		"Subject.CommonName":                 "LightBulb Device Cert",
		"Subject.GivenName":                  "Bulb",
		"Subject.initials":                   "ZZ",
		"Subject.DistinguishedNameQualifier": "Bulb001",
		"Subject.Surname":                    "Multi Color",
		"Subject.Title":                      "RGB",
		"Subject.Pseudonym":                  "RGB Device",
		"Subject.GenerationQualifier":        "4",
		"Subject.SerialNumber":               "123",

		"Issuer.AlternativeName.DNSName":                   "issuer.com",
		"Issuer.AlternativeName.IPAddress":                 "5.6.7.8",
		"Issuer.AlternativeName.UniformResourceIdentifier": "PrimarySignerCA",
		"Issuer.AlternativeName.RFC822Name":                "primary@issuer.com",
		"Issuer.AlternativeName.DirectoryName":             "cn=Primary Issuer CA,ou=IoT Devices,o=Issuer,c=US",

		"Subject.AlternativeName.DNSName":                   "example.com",
		"Subject.AlternativeName.IPAddress":                 "1.2.3.4",
		"Subject.AlternativeName.UniformResourceIdentifier": "ResourceIdentifier001",
		"Subject.AlternativeName.RFC822Name":                "device1@example.com",
		"Subject.AlternativeName.DirectoryName":             "cn=LightBulbCert,ou=SmartHome,o=IoT,c=US",

		"SerialNumber": "10525622389124227206",
	}
	c := &Connection{Certificate: awsCertificate(t)}
	for name, value := range want {
		got, ok := c.Value("iot:Certificate." + name)
		if !ok || got.Len() != 1 || got.At(0) != value {
			t.Errorf("iot:Certificate.%s = %v, %v; want %q", name, got, ok, value)
		}
	}
	keys, _ := c.Value("iot:Certificate.AvailableKeys")
	if keys.Len() != 37 || !slices.Contains(keys.many, "iot:Certificate.Subject.AlternativeName.DNSName") {
		t.Errorf("AvailableKeys = %d: %q", keys.Len(), keys.many)
	}
}

// TestCertPolicyVariablesLists is about attributes with many values: .N counts from zero, .List is all of them, and five
// are looked at.
func TestCertPolicyVariablesLists(t *testing.T) {
	subject := distinguishedName(
		dnPart{3, "one"}, dnPart{10, "Example Corp"}, dnPart{3, "two"}, dnPart{3, "three"}, dnPart{3, "four"},
		dnPart{3, "five"}, dnPart{3, "six"})
	c := &Connection{Certificate: certificateOf(t, big.NewInt(7), subject, subject)}
	for name, want := range map[string][]string{
		"iot:Certificate.Subject.CommonName":        {"one"},
		"iot:Certificate.Subject.CommonName.0":      {"one"},
		"iot:Certificate.Subject.CommonName.1":      {"two"},
		"iot:Certificate.Subject.CommonName.4":      {"five"},
		"iot:Certificate.Subject.CommonName.5":      nil,
		"iot:Certificate.Subject.CommonName.-1":     nil,
		"iot:Certificate.Subject.CommonName.x":      nil,
		"iot:Certificate.Subject.CommonName.List":   {"one", "two", "three", "four", "five"},
		"iot:Certificate.Subject.Organization.List": {"Example Corp"},
		"iot:Certificate.Subject.Country":           nil,
		"iot:Certificate.Subject.Country.List":      nil,
		"iot:Certificate.Subject.Nonsense":          nil,
		"iot:Certificate.Subject":                   nil,
		"iot:Certificate.Owner.CommonName":          nil,
		"iot:Certificate.Subject.AlternativeName":   nil,

		"iot:Certificate.Subject.AlternativeName.DNSName":      nil,
		"iot:Certificate.Subject.AlternativeName.DNSName.List": nil,
		"iot:Certificate.Subject.AlternativeName.X400Address":  nil,
	} {
		v, ok := c.Value(name)
		var got []string
		if ok {
			for i := range v.Len() {
				got = append(got, v.At(i))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDirectoryNameEscapes(t *testing.T) {
	der := mustMarshal(t, distinguishedName(dnPart{6, "US"}, dnPart{10, `A,B "C" \D+E=F<G>H;I`}))
	got, ok := directoryName(der)
	if want := `o=A\,B \"C\" \\D\+E\=F\<G\>H\;I,c=US`; !ok || got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCertificateValueGuards: what looks like a wildcard, or is too long, is not put into a policy.
func TestCertificateValueGuards(t *testing.T) {
	for value, allowed := range map[string]bool{
		"plain":                   true,
		"*":                       false,
		"a+b":                     false,
		"a#":                      false,
		"a?":                      false,
		"a$b":                     false,
		strings.Repeat("x", 1024): true,
		strings.Repeat("x", 1025): false,
	} {
		subject := distinguishedName(dnPart{3, value})
		c := &Connection{Certificate: certificateOf(t, big.NewInt(1), subject, subject)}
		s := setOf(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish",
			"Resource":"arn:aws:iot:us-east-1:123456789012:topic/${iot:Certificate.Subject.CommonName}"}]}`)
		r := &Request{Action: "iot:Publish", Resource: dialogueARN + "topic/" + value, Vars: c}
		if got := s.Decide(r).Allowed; got != allowed {
			t.Errorf("common name %.20q: allowed = %v, want %v", value, got, allowed)
		}
	}
}

// FuzzGeneralNames: a certificate comes from anybody, and so do its extensions.
func FuzzGeneralNames(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x82, 0x01, 'a'})
	f.Add([]byte{0x30, 0x06, 0x87, 0x04, 1, 2, 3, 4})
	f.Add([]byte{0x30, 0x0f, 0xa4, 0x0d, 0x30, 0x0b, 0x31, 0x09, 0x30, 0x07, 0x06, 0x03, 0x55, 0x04, 0x03, 0x13, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, kind := range generalNameKinds {
			if n := len(generalNames(der, kind.tag)); n > maxCertificateItems {
				t.Fatalf("%d names of kind %s", n, kind.name)
			}
		}
	})
}
