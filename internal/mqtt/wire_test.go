package mqtt

import (
	"encoding/hex"
	"strings"
	"testing"
)

// wire reads the notation of the tables: the first byte of a packet, then its body; the Remaining Length is filled in.
// In the body
//
//	0F 04     are bytes,
//	$abc      is a text field with its two length bytes ($ alone: an empty one),
//	'abc      is text as it is,
//	( … )     is a property section with its length.
func wire(t testing.TB, s string) []byte {
	t.Helper()
	head, body, _ := strings.Cut(s, " ")
	b, rest := section(t, strings.Fields(body))
	if len(rest) != 0 {
		t.Fatalf("unbalanced ) in %q", s)
	}
	return append(appendVarint(raw(t, head), len(b)), b...)
}

// raw is bytes in hexadecimal, with spaces.
func raw(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func section(t testing.TB, words []string) (b []byte, rest []string) {
	t.Helper()
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		switch {
		case w == ")":
			return b, words
		case w == "(":
			var inner []byte
			inner, words = section(t, words)
			b = append(appendVarint(b, len(inner)), inner...)
		case w[0] == '$':
			b = appendText(b, w[1:])
		case w[0] == '\'':
			b = append(b, w[1:]...)
		default:
			b = append(b, raw(t, w)...)
		}
	}
	return b, nil
}

// frameOf cuts the one packet that b is.
func frameOf(t testing.TB, b []byte) Frame {
	t.Helper()
	f, n, err := Next(b, 0)
	if err != nil || n != len(b) {
		t.Fatalf("Next(% X) = %d, %v, want the whole packet", b, n, err)
	}
	return f
}
