package topic

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

// aws is what AWS allows: 256 bytes, 7 slashes.
var aws = Limits{Bytes: 256, Slashes: 7}

// wantRefusal checks an error: none if words is empty, else a fault.Invalid that says words.
func wantRefusal(t *testing.T, what string, err error, words string) {
	t.Helper()
	switch {
	case words == "" && err != nil:
		t.Errorf("%s: refused: %v", what, err)
	case words != "" && err == nil:
		t.Errorf("%s: accepted, want a refusal with %q", what, words)
	case words != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), words)):
		t.Errorf("%s: refused with %q (%v), want %q", what, err, fault.KindOf(err), words)
	}
}

func TestCheckName(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ name, refusal string }{
		{"a", ""},
		{"/", ""},
		{"a//b", ""},
		{"a b/ä/\u2028", ""},
		{long, ""},
		{"1/2/3/4/5/6/7/8", ""},
		{"///////", ""},
		{"$aws/things/T/shadow/update", ""}, // whether it may be published to is for Classify

		{"", "at least one character"},
		{"a/+/b", "wildcard +"},
		{"a/b#", "wildcard #"},
		{"a\x00b", "U+0000"},
		{"a\xffb", "UTF-8"},
		{"a\xed\xa0\x80b", "UTF-8"}, // a surrogate
		{long + "x", "257 bytes, 256 are allowed"},
		{"1/2/3/4/5/6/7/8/", "8 slashes, 7 are allowed"},

		// The prefix of Basic Ingest does not count: message-broker 3.1.
		{"$aws/rules/r/" + long, ""},
		{"$aws/rules/r/" + long + "x", "257 bytes"},
		{"$aws/rules/r/1/2/3/4/5/6/7/8", ""},
		{"$aws/rules/r/1/2/3/4/5/6/7/8/9", "8 slashes"},
		{"$aws/rules/r", ""},
		{"$aws/rules/" + strings.Repeat("r", 129) + "/a", "129 bytes, 128 are allowed"},
		{"$aws/rules//1/2/3/4/5/6", "8 slashes"},
		{"$AWS/rules/r/1/2/3/4/5/6", "8 slashes"},
		// That of shared subscriptions counts: nobody publishes to $share.
		{"$share/g/1/2/3/4/5/6/7", "8 slashes"},
	} {
		wantRefusal(t, quote(c.name), CheckName(c.name, aws), c.refusal)
	}
}

func TestZeroLimitsAreNone(t *testing.T) {
	name := strings.Repeat("abc/", 1000)
	wantRefusal(t, "name", CheckName(name, Limits{}), "")
	_, err := ParseFilter(name, Limits{})
	wantRefusal(t, "filter", err, "")
}

func TestCheckNameDoesNotAllocate(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		if CheckName("building/3/floor/2/room/17/temperature", aws) != nil {
			t.Error("refused")
		}
	})
	if got != 0 {
		t.Errorf("CheckName allocates %v times", got)
	}
}

func TestBasicIngest(t *testing.T) {
	for _, c := range []struct {
		name, rule, rest string
		ok               bool
	}{
		{"$aws/rules/r", "r", "", true},
		{"$aws/rules/r/", "r", "", true},
		{"$aws/rules/r/a", "r", "a", true},
		{"$aws/rules/r/a/b/", "r", "a/b/", true},
		{"$aws/rules/r//a", "r", "/a", true},
		{"$aws/rules/", "", "", false},
		{"$aws/rules//a", "", "", false},
		{"$aws/rules", "", "", false},
		{"$aws/Rules/r/a", "", "", false},
		{"a/$aws/rules/r/a", "", "", false},
	} {
		rule, rest, ok := BasicIngest(c.name)
		if rule != c.rule || rest != c.rest || ok != c.ok {
			t.Errorf("BasicIngest(%q) = %q, %q, %v", c.name, rule, rest, ok)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"", "a", "a/b", "+", "$aws/rules/r/x", "\x00", "\xff", strings.Repeat("/", 8)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := CheckName(name, aws)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("%q: bad refusal %q", name, err)
			}
			return
		}
		if !Match(name, name) {
			t.Errorf("%q does not match itself", name)
		}
		if _, err := ParseFilter(name, aws); err != nil && !strings.HasPrefix(name, sharePrefix) {
			t.Errorf("%q is a name but no filter: %v", name, err)
		}
	})
}
