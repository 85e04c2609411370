package fault

import (
	"strconv"
	"strings"
)

// Shortened is foreign text that is not longer than a reader's patience: what a stranger sent must fill neither answers
// nor the log. It cuts after 200 bytes, between characters.
func Shortened(s string) string {
	const longest = 200
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// Quoted is foreign text as an error shows it: cut, and in quotes, with nothing in it that a terminal obeys.
func Quoted(s string) string { return strconv.Quote(Shortened(s)) }

// Plain is Quoted without the quotes where the text is harmless and not empty.
func Plain(s string) string {
	if q := Quoted(s); q != `"`+Shortened(s)+`"` || s == "" {
		return q
	}
	return Shortened(s)
}
