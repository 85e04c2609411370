package policy

import (
	"encoding/base64"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// family is what the values of an operator are.
type family uint8

const (
	familyExact  family = iota // text
	familyFold                 // text, upper and lower case alike; Bool too
	familyLike                 // text with wildcards
	familyNumber               // decimal numbers
	familyDate                 // times
	familyBinary               // base64 in the policy, bytes in the request
	familyIP                   // addresses and prefixes
	familyARN                  // ARNs, segment by segment
	familyNull                 // is the key there?
)

// relation is how the value of the request stands to that of the policy; only numbers and dates know more than equal.
type relation uint8

const (
	relEqual relation = iota
	relLess
	relLessEqual
	relGreater
	relGreaterEqual
)

// holds reports whether a comparison that came out as c (-1, 0, 1) satisfies the relation.
func (rel relation) holds(c int) bool {
	switch rel {
	case relLess:
		return c < 0
	case relLessEqual:
		return c <= 0
	case relGreater:
		return c > 0
	case relGreaterEqual:
		return c >= 0
	case relEqual:
	}
	return c == 0
}

// operator is a condition operator without its prefix and suffix.
type operator struct {
	name   string
	family family
	rel    relation
	negate bool
	truth  bool // values are true and false
}

// operators is the whole list of "IAM JSON policy elements: Condition operators".
var operators = [...]operator{
	{name: "StringEquals", family: familyExact},
	{name: "StringNotEquals", family: familyExact, negate: true},
	{name: "StringEqualsIgnoreCase", family: familyFold},
	{name: "StringNotEqualsIgnoreCase", family: familyFold, negate: true},
	{name: "StringLike", family: familyLike},
	{name: "StringNotLike", family: familyLike, negate: true},
	{name: "NumericEquals", family: familyNumber},
	{name: "NumericNotEquals", family: familyNumber, negate: true},
	{name: "NumericLessThan", family: familyNumber, rel: relLess},
	{name: "NumericLessThanEquals", family: familyNumber, rel: relLessEqual},
	{name: "NumericGreaterThan", family: familyNumber, rel: relGreater},
	{name: "NumericGreaterThanEquals", family: familyNumber, rel: relGreaterEqual},
	{name: "DateEquals", family: familyDate},
	{name: "DateNotEquals", family: familyDate, negate: true},
	{name: "DateLessThan", family: familyDate, rel: relLess},
	{name: "DateLessThanEquals", family: familyDate, rel: relLessEqual},
	{name: "DateGreaterThan", family: familyDate, rel: relGreater},
	{name: "DateGreaterThanEquals", family: familyDate, rel: relGreaterEqual},
	{name: "Bool", family: familyFold, truth: true},
	{name: "BinaryEquals", family: familyBinary},
	{name: "IpAddress", family: familyIP},
	{name: "NotIpAddress", family: familyIP, negate: true},
	{name: "ArnEquals", family: familyARN},
	{name: "ArnLike", family: familyARN},
	{name: "ArnNotEquals", family: familyARN, negate: true},
	{name: "ArnNotLike", family: familyARN, negate: true},
	{name: "Null", family: familyNull, truth: true},
}

func findOperator(name string) (*operator, bool) {
	for i := range operators {
		if operators[i].name == name {
			return &operators[i], true
		}
	}
	return nil, false
}

func operatorNames() []string {
	names := make([]string, 0, len(operators))
	for i := range operators {
		names = append(names, operators[i].name)
	}
	return names
}

// operand is one value of a condition in the policy, in the form that its operator compares.
type operand struct {
	text   string // as written; of BinaryEquals, the bytes
	pat    pattern
	arn    arnPattern
	number *big.Rat
	date   time.Time
	prefix netip.Prefix
	truth  bool // of Null
}

var (
	errTruth  = errors.New("must be true or false")
	errNumber = errors.New("is not a decimal number")
	errDate   = errors.New("is neither a date such as 2030-01-31T12:00:00Z nor seconds since 1970")
	errIP     = errors.New("is neither an IP address nor a prefix such as 203.0.113.0/24")
	errBase64 = errors.New("is not base64")
	errARN    = errors.New("is not an ARN")
)

// operand reads a value of the policy. Variables stand in text and ARNs only ("Where you can use policy variables").
func (op *operator) operand(text string, variables bool) (operand, error) {
	o := operand{text: text}
	var err error
	switch op.family {
	case familyExact, familyFold, familyLike:
		o.pat, err = parsePattern(text, syntax{wildcards: op.family == familyLike, variables: variables})
		if err == nil && op.truth && len(o.pat.vars) == 0 && !isTruth(text) {
			err = errTruth
		}
	case familyNumber:
		var ok bool
		if o.number, ok = parseNumber(text); !ok {
			err = errNumber
		}
	case familyDate:
		var ok bool
		if o.date, ok = parseDate(text); !ok {
			err = errDate
		}
	case familyBinary:
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(text); err != nil {
			err = errBase64
		}
		o.text = string(raw)
	case familyIP:
		var ok bool
		if o.prefix, ok = parsePrefix(text); !ok {
			err = errIP
		}
	case familyARN:
		o.arn, err = parseARN(text, variables)
		if err == nil && o.arn.whole && !o.arn.tail.matchesAll() {
			err = errARN
		}
	case familyNull:
		o.truth = strings.EqualFold(text, "true")
		if !isTruth(text) {
			err = errTruth
		}
	}
	return o, err
}

func isTruth(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// parseNumber reads an integer or a decimal. Exponents are refused: a few characters of them are gigabytes of digits.
func parseNumber(s string) (*big.Rat, bool) {
	if s == "" || len(s) > 64 || strings.Trim(s, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// dateForms are the W3C profile of ISO 8601.
var dateForms = [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}

// parseDate reads a date or seconds since 1970. Four digits are a year.
func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	n, ok := parseNumber(s)
	if !ok || !n.IsInt() || !n.Num().IsInt64() {
		return time.Time{}, false
	}
	return time.Unix(n.Num().Int64(), 0), true
}

// parsePrefix reads an address or a prefix. An IPv4 address inside IPv6 is the IPv4 address.
func parsePrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, ok := parseAddr(s)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}
