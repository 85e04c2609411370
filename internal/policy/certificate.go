package policy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
)

// maxCertificateItems is how many values of one attribute AWS IoT looks at; the others are ignored ("X.509 Certificate
// policy variable limitations", array fields).
const maxCertificateItems = 5

// attribute is one attribute of a distinguished name that policies can ask for.
type attribute struct {
	name string // as AWS spells it
	arc  int    // the last arc of its object identifier 2.5.4.arc
}

// attributes is the list of "X.509 Certificate AWS IoT Core policy variables"; GivenName is in its examples.
var attributes = [...]attribute{
	{"DistinguishedNameQualifier", 46},
	{"Country", 6},
	{"Organization", 10},
	{"OrganizationalUnit", 11},
	{"State", 8},
	{"CommonName", 3},
	{"SerialNumber", 5},
	{"Title", 12},
	{"Surname", 4},
	{"GivenName", 42},
	{"Initials", 43},
	{"Pseudonym", 65},
	{"GenerationQualifier", 44},
}

// certificateValue is what the variable iot:Certificate.<name> holds; name is folded.
func certificateValue(cert *x509.Certificate, name string) (Value, bool) {
	switch name {
	case "serialnumber":
		// A decimal number ("Certificate SerialNumber format").
		if cert.SerialNumber == nil {
			return Value{}, false
		}
		return One(cert.SerialNumber.String()), true
	case "availablekeys":
		return Many(availableKeys(cert)), true
	}
	side, field, _ := strings.Cut(name, ".")
	dn, extension := &cert.Subject, oidSubjectAltName
	switch side {
	case "issuer":
		dn, extension = &cert.Issuer, oidIssuerAltName
	case "subject":
	default:
		return Value{}, false
	}
	if kind, ok := strings.CutPrefix(field, "alternativename."); ok {
		kind, index := cutIndex(kind)
		return index.of(alternativeNames(cert, extension, kind))
	}
	field, index := cutIndex(field)
	return index.ofName(dn, field)
}

// itemIndex is which values of an attribute are meant: the n-th, counted from zero, or all.
type itemIndex struct {
	n   int
	all bool
}

// cutIndex takes .1 or .list off a name; without either the first value is meant.
func cutIndex(name string) (string, itemIndex) {
	base, suffix, ok := strings.Cut(name, ".")
	if !ok {
		return name, itemIndex{}
	}
	if suffix == "list" {
		return base, itemIndex{all: true}
	}
	n, err := strconv.Atoi(suffix)
	if err != nil || n < 0 || n >= maxCertificateItems {
		return "", itemIndex{}
	}
	return base, itemIndex{n: n}
}

// of picks from values.
func (x itemIndex) of(values []string) (Value, bool) {
	values = values[:min(len(values), maxCertificateItems)]
	if x.all {
		return Many(values), len(values) > 0
	}
	if x.n >= len(values) {
		return Value{}, false
	}
	return One(values[x.n]), true
}

// ofName picks from a distinguished name. A single value is found without making a list of all.
func (x itemIndex) ofName(dn *pkix.Name, field string) (Value, bool) {
	i := slices.IndexFunc(attributes[:], func(at attribute) bool { return strings.EqualFold(at.name, field) })
	if i < 0 {
		return Value{}, false
	}
	var list []string
	seen := 0
	for i2 := range dn.Names {
		s, ok := dn.Names[i2].Value.(string)
		if !ok || !attributes[i].is(dn.Names[i2].Type) {
			continue
		}
		if x.all {
			list = append(list, s)
		} else if seen == x.n {
			return One(s), true
		}
		if seen++; seen == maxCertificateItems {
			break
		}
	}
	return Many(list), len(list) > 0
}

func (at attribute) is(oid asn1.ObjectIdentifier) bool {
	return len(oid) == 4 && oid[0] == 2 && oid[1] == 5 && oid[2] == 4 && oid[3] == at.arc
}

// availableKeys are the names of all certificate variables that have values.
func availableKeys(cert *x509.Certificate) []string {
	var keys []string
	add := func(name string) {
		if _, ok := certificateValue(cert, Fold(name)); ok {
			keys = append(keys, "iot:Certificate."+name)
		}
	}
	for _, side := range []string{"Subject.", "Issuer."} {
		for _, at := range attributes {
			add(side + at.name)
		}
		for _, kind := range generalNameKinds {
			add(side + "AlternativeName." + kind.name)
		}
	}
	add("SerialNumber")
	return keys
}
