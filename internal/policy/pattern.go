package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards and variables, split once so that matching never has to look at its syntax again: the
// segments stand between the asterisks. A match is linear in the text for each segment and never backtracks over an
// earlier segment, because the leftmost fit of a segment is also the one that leaves most room for the next.
type pattern struct {
	segments []segment
	vars     []variable
}

// segment is what stands between two asterisks: atoms that must follow each other directly.
type segment []atom

type atomKind uint8

const (
	atomText atomKind = iota // the text itself
	atomAny                  // exactly one character
	atomVar                  // the value of vars[n], as literal text
)

type atom struct {
	kind atomKind
	text string
	n    int
}

// variable is one ${name} or ${name, 'default'}.
type variable struct {
	name       string // folded
	text       string // as written, with ${ and }
	def        string
	hasDefault bool
}

// matchesAll reports whether p is a single asterisk.
func (p *pattern) matchesAll() bool {
	return len(p.segments) == 2 && len(p.segments[0]) == 0 && len(p.segments[1]) == 0
}

// match reports whether s is what p describes, with vals in the places of p.vars. Values are literal text: an asterisk in
// a client id matches an asterisk and nothing else.
func (p *pattern) match(s string, vals []string) bool {
	pos, ok := p.segments[0].after(s, 0, vals)
	if !ok {
		return false
	}
	last := len(p.segments) - 1
	if last == 0 {
		return pos == len(s)
	}
	end, ok := p.segments[last].before(s, vals)
	if !ok || end < pos {
		return false
	}
	for _, seg := range p.segments[1:last] {
		if pos, ok = seg.find(s[:end], pos, vals); !ok {
			return false
		}
	}
	return true
}

// after matches the segment at s[pos:] and gives the position behind it.
func (g segment) after(s string, pos int, vals []string) (int, bool) {
	for i := range g {
		if g[i].kind == atomAny {
			if pos >= len(s) {
				return 0, false
			}
			_, n := utf8.DecodeRuneInString(s[pos:])
			pos += n
			continue
		}
		lit := g[i].literal(vals)
		if !strings.HasPrefix(s[pos:], lit) {
			return 0, false
		}
		pos += len(lit)
	}
	return pos, true
}

// before matches the segment at the end of s and gives the position where it begins.
func (g segment) before(s string, vals []string) (int, bool) {
	for i := len(g) - 1; i >= 0; i-- {
		if g[i].kind == atomAny {
			if s == "" {
				return 0, false
			}
			_, n := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-n]
			continue
		}
		lit := g[i].literal(vals)
		if !strings.HasSuffix(s, lit) {
			return 0, false
		}
		s = s[:len(s)-len(lit)]
	}
	return len(s), true
}

// find gives the position behind the leftmost place at or after pos where the segment fits.
func (g segment) find(s string, pos int, vals []string) (int, bool) {
	for {
		if g[0].kind != atomAny {
			i := strings.Index(s[pos:], g[0].literal(vals))
			if i < 0 {
				return 0, false
			}
			pos += i
		}
		if end, ok := g.after(s, pos, vals); ok {
			return end, true
		}
		if pos >= len(s) {
			return 0, false
		}
		_, n := utf8.DecodeRuneInString(s[pos:])
		pos += n
	}
}

func (t *atom) literal(vals []string) string {
	if t.kind == atomVar {
		return vals[t.n]
	}
	return t.text
}
