package fault_test

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestForeignTextIsHarmless(t *testing.T) {
	long := strings.Repeat("x", 199) + "ä" // which stands on both sides of the cut
	for _, c := range []struct{ text, shortened, quoted, plain string }{
		{"lamp", "lamp", `"lamp"`, "lamp"},
		{"", "", `""`, `""`},
		{"a b", "a b", `"a b"`, "a b"},
		{`a"b`, `a"b`, `"a\"b"`, `"a\"b"`},
		{"\x1b[2J", "\x1b[2J", `"\x1b[2J"`, `"\x1b[2J"`},
		{"\xff", "\xff", `"\xff"`, `"\xff"`},
		{long, long[:199] + "…", `"` + long[:199] + `…"`, long[:199] + "…"},
		{long[:199] + "y", long[:199] + "y", `"` + long[:199] + `y"`, long[:199] + "y"},
	} {
		if got := fault.Shortened(c.text); got != c.shortened {
			t.Errorf("%q shortened: %q", c.text, got)
		}
		if got := fault.Quoted(c.text); got != c.quoted {
			t.Errorf("%q quoted: %s", c.text, got)
		}
		if got := fault.Plain(c.text); got != c.plain {
			t.Errorf("%q plain: %s", c.text, got)
		}
	}
}
