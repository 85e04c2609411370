package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b/c", true},
		{"**", "a", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "é", true},
		{"?", "ab", false},
		{"a*", "a", true},
		{"a*", "a/b", true},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*b", "ab", true},
		{"a*b", "a", false},
		{"ab*ba", "aba", false},
		{"ab*ba", "abba", true},
		{"a*b*c", "axbxc", true},
		{"a*b*c", "acb", false},
		{"*?", "", false},
		{"*?", "x", true},
		{"?*?", "x", false},
		{"?*?", "xy", true},
		{"*ab?d*", "xxabababcdyy", true},
		{"*ab?d*", "xxababyy", false},
		{"a*aab", "aaaab", true},
		{"topic/*/x", "topic/a/b/x", true},
		{"topic/*/x", "topic/x", false},
	} {
		p, err := parsePattern(c.pattern, syntax{wildcards: true})
		if err != nil {
			t.Fatalf("%q: %v", c.pattern, err)
		}
		if got := p.match(c.text, nil); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.text, got, c.want)
		}
	}
}

// TestPatternBlowUp would not end within the life of the sun with a matcher that backtracks over every asterisk.
func TestPatternBlowUp(t *testing.T) {
	p, err := parsePattern(strings.Repeat("a*", 500)+"b", syntax{wildcards: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.match(strings.Repeat("a", 20000), nil) {
		t.Error("matches without a b")
	}
}

// naiveMatch is the definition of * and ?, slow and obvious.
func naiveMatch(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return naiveMatch(p[1:], s) || len(s) > 0 && naiveMatch(p, s[1:])
	case len(s) == 0:
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && naiveMatch(p[1:], s[1:])
}

// FuzzMatch compares the matcher with the naive one, with the value of a variable in the middle. A value is literal: for
// the naive matcher its characters are moved where no wildcard is.
func FuzzMatch(f *testing.F) {
	f.Add("a*b", "*", "?c", "aab*bc")
	f.Add("*ab", "ab", "?d*", "xxabababcdyy")
	f.Add("", "", "", "")
	f.Add("?*é", "é", "*", "éééé")
	f.Fuzz(func(t *testing.T, before, value, after, text string) {
		for _, s := range []string{before, value, after, text} {
			if !utf8.ValidString(s) || len(s) > 12 || strings.ContainsAny(s, "\x00\x01$") {
				return
			}
		}
		if strings.Count(before+after, "*") > 4 {
			return
		}
		p, err := parsePattern(before+"${v}"+after, syntax{wildcards: true, variables: true})
		if err != nil {
			t.Fatal(err)
		}
		literal := strings.NewReplacer("*", "\x00", "?", "\x01")
		for _, s := range []string{text, before + value + after, value} {
			// The text keeps its own * and ?, so both sides of the comparison are tried: as characters of the value and as
			// characters of the text they must be equal, which the replacement on both keeps true.
			want := naiveMatch([]rune(before+literal.Replace(value)+after), []rune(literal.Replace(s)))
			if got := p.match(s, []string{value}); got != want {
				t.Fatalf("%q + %q + %q matches %q: %v, want %v", before, value, after, s, got, want)
			}
		}
	})
}

func TestParseARN(t *testing.T) {
	for _, c := range []struct {
		pattern, arn string
		want         bool
	}{
		{"*", "anything", true},
		{"*", "*", true},
		{"arn:aws:iot:r:a:topic/x", "arn:aws:iot:r:a:topic/x", true},
		{"arn:aws:iot:r:a:topic/x", "*", false},
		{"arn:aws:iot:*:*:topic/x", "arn:aws:iot:r:a:topic/x", true},
		{"arn:aws:iot:*:topic/x", "arn:aws:iot:r:a:topic/x", true},
		{"arn:aws:iot:?:a:topic/x", "arn:aws:iot:r:a:topic/x", true},
		{"arn:aws:iot:?:a:topic/x", "arn:aws:iot:rr:a:topic/x", false},
		{"arn:aws:iot:r:*:topic/x", "arn:aws:iot:r:a:topic/y:topic/x", false},
		{"arn:aws:iot:r:a:*", "arn:aws:iot:r:a:b:c", true},
		{"arn:aws:iot:r:a", "arn:aws:iot:r:a", true},
		{"arn:*", "arn:aws:iot:r:a:b", true},
		{"arn:aws:iot:r:*:x", "arn:aws:iot:r", false},
	} {
		p, err := parseARN(c.pattern, true)
		if err != nil {
			t.Fatalf("%q: %v", c.pattern, err)
		}
		if got := p.fits(c.arn); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.arn, got, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	for name, want := range map[string]string{
		"iot:ClientId": "iot:clientid",
		"aws:x":        "aws:x",
		"IOT:Connection.Thing.Attributes[envType]": "iot:connection.thing.attributes[envType]",
		"": "",
	} {
		if got := Fold(name); got != want {
			t.Errorf("Fold(%q) = %q, want %q", name, got, want)
		}
	}
}
