package topic

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestParseFilter(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ filter, share, pattern string }{
		{"a", "", "a"},
		{"/", "", "/"},
		{"+", "", "+"},
		{"#", "", "#"},
		{"a/+/b/#", "", "a/+/b/#"},
		{"+/+/+/+/+/+/+/#", "", "+/+/+/+/+/+/+/#"},
		{long, "", long},
		{"$aws/things/+/shadow/#", "", "$aws/things/+/shadow/#"},
		{"$share/g/a", "g", "a"},
		{"$share/g/#", "g", "#"},
		{"$share/g//", "g", "/"},
		{"$share/my group/1/2/3/4/5/6/7/8", "my group", "1/2/3/4/5/6/7/8"}, // the prefix's two slashes do not count
		{"$share/g/" + long, "g", long},
		{"$share/" + strings.Repeat("ä", 128) + "/a", strings.Repeat("ä", 128), "a"},
		{"$shared/g/a", "", "$shared/g/a"}, // valid, and nothing that may be subscribed to
		{"$SHARE/g/a", "", "$SHARE/g/a"},
	} {
		f, err := ParseFilter(c.filter, aws)
		wantRefusal(t, quote(c.filter), err, "")
		if want := (Filter{Full: c.filter, Share: c.share, Pattern: c.pattern}); f != want {
			t.Errorf("ParseFilter(%q) = %+v, want %+v", c.filter, f, want)
		}
		if f.Shared() != (c.share != "") || f.HasWildcard() != strings.ContainsAny(c.pattern, "+#") {
			t.Errorf("%+v: Shared %v, HasWildcard %v", f, f.Shared(), f.HasWildcard())
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for _, c := range []struct{ filter, refusal string }{
		{"", "at least one character"},
		{"a/#/b", "# must be the last level"},
		{"#/", "# must be the last level"},
		{"a#", `level "a#" the wildcard does not stand alone`},
		{"a/b+/c", `level "b+" the wildcard does not stand alone`},
		{"++", "stand alone"},
		{"a/##", "stand alone"},
		{"a\x00", "U+0000"},
		{"a\xff", "UTF-8"},
		{strings.Repeat("x", 257), "257 bytes, 256 are allowed"},
		{"1/2/3/4/5/6/7/8/#", "8 slashes, 7 are allowed"},
		{"$share/g", "$share/{group}/{filter}"},
		{"$share/g/", "$share/{group}/{filter}"},
		{"$share//a", "$share/{group}/{filter}"},
		{"$share/", "$share/{group}/{filter}"},
		{"$share/+/a", "wildcard in its group"},
		{"$share/g#/a", "wildcard in its group"},
		{"$share/" + strings.Repeat("g", 129) + "/a", "group of 129 characters"},
		{"$share/g/1/2/3/4/5/6/7/8/9", "8 slashes"},
		{"$share/g/a/#/b", "last level"},
	} {
		_, err := ParseFilter(c.filter, aws)
		wantRefusal(t, quote(c.filter), err, c.refusal)
	}
}

// FuzzParseFilter: what is accepted can be put together again, holds the rules, and is one line when refused.
func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{
		"", "a", "a/+/#", "#", "+", "a#", "$share/g/a/#", "$share/g", "$share//", "\x00", "\xff", "$aws/rules/r/#",
		strings.Repeat("a/", 8), "$share/" + strings.Repeat("g", 129) + "/a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFilter(s, aws)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || got != (Filter{}) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("%q: bad refusal %q with %+v", s, err, got)
			}
			return
		}
		again := got.Pattern
		if got.Shared() {
			again = "$share/" + got.Share + "/" + got.Pattern
		}
		if again != s || got.Full != s || got.Pattern == "" {
			t.Errorf("%q became %+v", s, got)
		}
		if i := strings.IndexByte(got.Pattern, '#'); i >= 0 && i != len(got.Pattern)-1 {
			t.Errorf("%q accepted", s)
		}
		name := strings.NewReplacer("+", "x", "#", "y/z").Replace(got.Pattern)
		reserved := startsReserved(name) && startsWild(got.Pattern)
		if !reserved && !Match(got.Pattern, name) {
			t.Errorf("%q does not match %q", got.Pattern, name)
		}
	})
}
