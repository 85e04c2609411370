package policy

import (
	"fmt"
	"testing"
)

// TestConditionOperators has every operator of "IAM JSON policy elements: Condition operators" with a value that fits, one
// that does not, and one that is of another kind. Negated operators are true where the plain ones are false.
func TestConditionOperators(t *testing.T) {
	for _, c := range []struct {
		operator, policy, fits, other string
		foreign                       string
	}{
		{"StringEquals", `"a*"`, "a*", "ab", "A*"},
		{"StringEqualsIgnoreCase", `"Straße"`, "STRAßE", "Strasse", ""},
		{"StringEqualsIgnoreCase", `"${test:Other, 'D'}-${$}"`, "d-$", "D", ""},
		{"StringLike", `"a*c?"`, "abbbcd", "abbb", ""},
		{"StringLike", `["x","y*"]`, "yes", "no", ""},
		{"NumericEquals", `"10"`, "10.0", "10.1", "ten"},
		{"NumericEquals", `"9007199254740993"`, "9007199254740993", "9007199254740992", ""},
		{"NumericLessThan", `"-1"`, "-1.5", "-1", "x"},
		{"NumericLessThanEquals", `5`, "5", "6", "x"},
		{"NumericGreaterThan", `5`, "6", "5", "x"},
		{"NumericGreaterThanEquals", `5`, "5", "4", "x"},
		{"DateEquals", `"2030-01-31T12:00:00Z"`, "2030-01-31T13:00:00+01:00", "2030-01-31T12:00:01Z", "x"},
		{"DateLessThan", `"2030-01-31"`, "2030-01-30", "2030-01-31", "x"},
		{"DateLessThanEquals", `"2030-01-31"`, "2030-01-31T00:00Z", "2030-01-31T00:01Z", "x"},
		{"DateGreaterThan", `"2030"`, "2030-02", "2029-12-31T23:59:59Z", "x"},
		{"DateGreaterThanEquals", `"1893456000"`, "2030-01-01", "1893455999", "x"},
		{"Bool", `"true"`, "TRUE", "false", "yes"},
		{"BinaryEquals", `"AAE="`, "\x00\x01", "AAE=", ""},
		{"IpAddress", `"203.0.113.7/24"`, "203.0.113.255", "203.0.114.0", "x"},
		{"IpAddress", `"203.0.113.7"`, "::ffff:203.0.113.7", "203.0.113.8", "x"},
		{"IpAddress", `"2001:db8::/32"`, "2001:db8::1", "2001:db9::1", "203.0.113.7"},
		{"ArnEquals", `"arn:aws:iot:*:1:topic/?/*"`, "arn:aws:iot:r:1:topic/a/b:c", "arn:aws:iot:r:1:topic/ab/c", "topic/a/b"},
		{"ArnLike", `"arn:aws:iot:r:1:*"`, "arn:aws:iot:r:1:x", "arn:aws:iot:q:1:x", ""},
	} {
		base, negated := c.operator, negations[c.operator]
		for value, want := range map[string]bool{c.fits: true, c.other: false, c.foreign: false} {
			if got := conditionHolds(t, base, c.policy, []string{value}); got != want {
				t.Errorf("%s %s, request %q: %v, want %v", base, c.policy, value, got, want)
			}
			if negated == "" {
				continue
			}
			if got := conditionHolds(t, negated, c.policy, []string{value}); got == want {
				t.Errorf("%s %s, request %q: %v, want %v", negated, c.policy, value, got, !want)
			}
		}
	}
}

var negations = map[string]string{
	"StringEquals":           "StringNotEquals",
	"StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
	"StringLike":             "StringNotLike",
	"NumericEquals":          "NumericNotEquals",
	"DateEquals":             "DateNotEquals",
	"IpAddress":              "NotIpAddress",
	"ArnEquals":              "ArnNotEquals",
	"ArnLike":                "ArnNotLike",
}

// TestConditionSets is about keys that are absent, empty, single and many, under each prefix and suffix.
func TestConditionSets(t *testing.T) {
	absent, empty := []string(nil), []string{}
	one, other, both := []string{"a"}, []string{"z"}, []string{"a", "z"}
	for _, c := range []struct {
		operator                              string
		absent, empty, one, other, both, null bool
	}{
		{operator: "StringEquals", one: true, both: true},
		{operator: "StringNotEquals", absent: true, empty: true, other: true},
		{operator: "StringEqualsIfExists", absent: true, one: true, both: true},
		{operator: "StringNotEqualsIfExists", absent: true, empty: true, other: true},
		{operator: "ForAllValues:StringEquals", absent: true, empty: true, one: true},
		{operator: "ForAllValues:StringNotEquals", absent: true, empty: true, other: true},
		{operator: "ForAllValues:StringEqualsIfExists", absent: true, empty: true, one: true},
		{operator: "ForAnyValue:StringEquals", one: true, both: true},
		{operator: "ForAnyValue:StringNotEquals", other: true, both: true},
		{operator: "ForAnyValue:StringEqualsIfExists", absent: true, one: true, both: true},
	} {
		for _, ask := range []struct {
			name   string
			values []string
			want   bool
		}{
			{"absent", absent, c.absent},
			{"empty", empty, c.empty},
			{"one", one, c.one},
			{"other", other, c.other},
			{"both", both, c.both},
		} {
			if got := conditionHolds(t, c.operator, `["a","b"]`, ask.values); got != ask.want {
				t.Errorf("%s, %s: %v, want %v", c.operator, ask.name, got, ask.want)
			}
		}
	}
}

func TestConditionNull(t *testing.T) {
	for _, c := range []struct {
		policy string
		values []string
		want   bool
	}{
		{`"true"`, nil, true},
		{`"true"`, []string{}, true},
		{`"true"`, []string{""}, false},
		{`true`, []string{"x"}, false},
		{`"false"`, nil, false},
		{`"FALSE"`, []string{"x"}, true},
		{`["true","false"]`, []string{"x"}, true},
		{`[]`, nil, false},
	} {
		if got := conditionHolds(t, "Null", c.policy, c.values); got != c.want {
			t.Errorf("Null %s, request %q: %v, want %v", c.policy, c.values, got, c.want)
		}
	}
}

// conditionHolds asks a policy with one condition; nil values mean that the key is absent.
func conditionHolds(t *testing.T, operator, value string, request []string) bool {
	t.Helper()
	s := setOf(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
		"Condition":{%q:{"test:Key":%s}}}}`, operator, value))
	r := &Request{Action: "iot:Publish", Resource: "*"}
	if request != nil {
		r.Keys = map[string][]string{"test:key": request}
	}
	return s.Decide(r).Allowed
}
