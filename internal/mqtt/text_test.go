package mqtt

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// texts are strings and whether they may be on the wire; the tests move each across the eight-byte steps.
var texts = []struct {
	s     string
	valid bool
}{
	{"", true},
	{"a", true},
	{"\x01\x1F\x7F", true},  // control characters SHOULD NOT, but may (1.5.4)
	{"\uFEFF", true},        // is kept [MQTT-1.5.4-3]
	{"\uFFFF", true},        // a non-character SHOULD NOT, but may
	{"öäü", true},           // two bytes each
	{"A\U0002A6D4", true},   // the example of 1.5.4
	{"\x00", false},         // U+0000
	{"\xC0\x80", false},     // an overlong U+0000
	{"\xED\xA0\x80", false}, // a surrogate
	{"\xED\xBF\xBF", false},
	{"\xF4\x90\x80\x80", false}, // beyond U+10FFFF
	{"\xE2\x82", false},         // ends too early
	{"\x80", false},
	{"\xFF", false},
}

func TestValidText(t *testing.T) {
	for _, c := range texts {
		for pad := range 20 {
			for _, s := range []string{
				strings.Repeat("x", pad) + c.s, c.s + strings.Repeat("x", pad), strings.Repeat("ö", pad) + c.s + "yyyyyyyyy",
			} {
				if got := validText([]byte(s)); got != c.valid {
					t.Errorf("validText(%q) = %v", s, got)
				}
			}
		}
	}
}

func TestHasWildcard(t *testing.T) {
	for b := range 256 {
		for at := range 20 {
			s := bytes.Repeat([]byte{'x'}, 20)
			s[at] = byte(b)
			if got, want := hasWildcard(s), b == '+' || b == '#'; got != want {
				t.Errorf("hasWildcard(%q) = %v", s, got)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, c := range texts {
		f.Add([]byte("padding" + c.s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := validText(b), utf8.Valid(b) && !bytes.Contains(b, []byte{0}); got != want {
			t.Errorf("validText(%q) = %v", b, got)
		}
		if got, want := hasWildcard(b), bytes.ContainsAny(b, "+#"); got != want {
			t.Errorf("hasWildcard(%q) = %v", b, got)
		}
		if s := wireReason(string(b)); !validText([]byte(s)) || validText(b) && s != string(b) {
			t.Errorf("wireReason(%q) = %q", b, s)
		}
	})
}

// What is too long for its two length bytes is cut at a character, and the packet stays whole.
func TestTextTooLong(t *testing.T) {
	reason := strings.Repeat("x", maxText-1) + "öö"
	b := AppendAck(nil, V5, &Ack{Type: PUBACK, PacketID: 1, Code: CodeUnspecifiedError, Reason: reason})
	var a Ack
	if err := DecodeAck(frameOf(t, b), V5, &a); err != nil {
		t.Fatal(err)
	}
	if a.Reason != strings.Repeat("x", maxText-1) {
		t.Errorf("the reason came back with %d bytes", len(a.Reason))
	}
	p := Publish{Topic: bytes.Repeat([]byte{'x'}, maxText+9), Payload: []byte("y")}
	b = AppendPublish(nil, V311, &p)
	if len(b) != PublishSize(V311, &p) || Need(b) != len(b) {
		t.Errorf("the packet has %d bytes, its size is %d, it says %d", len(b), PublishSize(V311, &p), Need(b))
	}
}

func pairs(u UserProperties) (all []string) {
	for k, v := range u.All() {
		all = append(all, string(k)+"="+string(v))
	}
	return all
}

func TestUserProperties(t *testing.T) {
	u := users("k", "v", "", "", "k", strings.Repeat("w", 300))
	want := []string{"k=v", "=", "k=" + strings.Repeat("w", 300)}
	if d := cmp.Diff(want, pairs(u)); d != "" {
		t.Error(d)
	}
	for n := range u {
		if got := pairs(u[:n]); len(got) > 2 || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut to %d bytes: %q", n, got)
		}
	}
	for range u.All() {
		break // ends the iteration in All too
	}
	if got := pairs(UserProperties{0x01, 0x00}); got != nil {
		t.Errorf("foreign bytes gave %q", got)
	}
}

// Pairs that other properties stand between are gathered, in order, and those alone are copied.
func TestUserPropertiesApart(t *testing.T) {
	for _, c := range []struct {
		wire   string
		want   UserProperties
		copied bool
	}{
		{"30 $t ( 26 $a $b 26 $c $d 01 01 )", users("a", "b", "c", "d"), false},
		{"30 $t ( 01 01 26 $a $b )", users("a", "b"), false},
		{"30 $t ( 26 $a $b 01 01 26 $c $d )", users("a", "b", "c", "d"), true},
		{"30 $t ( 26 $a $b 26 $c $d 01 01 26 $e $f 26 $g $h 03 $ 26 $a $z )", users(
			"a", "b", "c", "d", "e", "f", "g", "h", "a", "z"), true},
	} {
		b := wire(t, c.wire)
		before := string(b)
		var p Publish
		if err := DecodePublish(frameOf(t, b), V5, FromClient, &p); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, p.Props.User); d != "" {
			t.Error(d)
		}
		if !p.Props.Has.Has(PropUser) || string(b) != before {
			t.Errorf("%s: Has %v, frame % X", c.wire, p.Props.Has, b)
		}
		clear(b)
		if kept := string(p.Props.User) == string(c.want); kept != c.copied {
			t.Errorf("%s: copied = %v, want %v", c.wire, kept, c.copied)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{CodeNotAuthorized.String(), "not authorized"},
		{CodeSuccess.String(), "success"},
		{Code(0x03).String(), "code 0x03"},
		{Code(0xFF).String(), "code 0xFF"},
		{PUBLISH.String(), "PUBLISH"},
		{AUTH.String(), "AUTH"},
		{Type(0).String(), "packet"},
		{Type(77).String(), "type 77"},
		{(PropTopicAlias | PropUser).String(), "Topic Alias, User Property"},
		{PropertySet(0).String(), ""},
		{
			malformed(PUBLISH, "its topic name is empty").Error(),
			"mqtt: PUBLISH: malformed packet: its topic name is empty",
		},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestPropertySet(t *testing.T) {
	s := PropertySet(0).With(PropUser).With(PropReason | PropTopicAlias).Without(PropReason)
	if !s.Has(PropUser) || !s.Has(PropUser|PropTopicAlias) || s.Has(PropReason) || s.Has(PropUser|PropReason) {
		t.Errorf("the set is {%v}", s)
	}
	n := 0
	for id := range properties {
		if properties[id].kind != kindNone {
			n++
		}
	}
	if n != 27 {
		t.Errorf("%d properties, MQTT 5 has 27", n)
	}
}
