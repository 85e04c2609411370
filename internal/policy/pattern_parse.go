package policy

import (
	"errors"
	"fmt"
	"strings"
)

// syntax says which characters of a text are more than themselves.
type syntax struct {
	wildcards bool // * and ?
	variables bool // ${name}; documents of version 2008-10-17 have none
}

// patternBuilder collects atoms into segments.
type patternBuilder struct {
	p    pattern
	seg  segment
	text strings.Builder
}

// parsePattern splits s. Runs of asterisks are one.
func parsePattern(s string, as syntax) (pattern, error) {
	var b patternBuilder
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '*' && as.wildcards:
			b.star()
			i++
		case c == '?' && as.wildcards:
			b.flush()
			b.seg = append(b.seg, atom{kind: atomAny})
			i++
		case as.variables && strings.HasPrefix(s[i:], "${"):
			n, err := b.variable(s[i:])
			if err != nil {
				return pattern{}, err
			}
			i += n
		default:
			b.text.WriteByte(c)
			i++
		}
	}
	b.flush()
	b.p.segments = append(b.p.segments, b.seg)
	return b.p, nil
}

func (b *patternBuilder) flush() {
	if b.text.Len() > 0 {
		b.seg = append(b.seg, atom{text: b.text.String()})
		b.text.Reset()
	}
}

func (b *patternBuilder) star() {
	b.flush()
	if len(b.seg) == 0 && len(b.p.segments) > 0 {
		return
	}
	b.p.segments = append(b.p.segments, b.seg)
	b.seg = nil
}

// variable adds what s begins with, ${…}, and gives its length.
func (b *patternBuilder) variable(s string) (int, error) {
	v, n, err := readVariable(s)
	if err != nil {
		return 0, err
	}
	if v.name == "*" || v.name == "?" || v.name == "$" {
		b.text.WriteString(v.name)
		return n, nil
	}
	b.flush()
	b.seg = append(b.seg, atom{kind: atomVar, n: len(b.p.vars)})
	b.p.vars = append(b.p.vars, v)
	return n, nil
}

var errUnclosedVariable = errors.New("${ without }; write ${$}{ where the characters themselves are meant")

// readVariable reads the variable that s begins with and gives its length. The three special characters come back as
// variables of the name *, ? and $.
func readVariable(s string) (variable, int, error) {
	end := nameEnd(s)
	if end < 0 {
		return variable{}, 0, errUnclosedVariable
	}
	name := s[2:end]
	if err := checkVariableName(name); err != nil {
		return variable{}, 0, err
	}
	v := variable{name: Fold(name)}
	n := end + 1
	if s[end] == ',' {
		def, used, err := readDefault(s[end+1:])
		if err != nil {
			return variable{}, 0, err
		}
		v.def, v.hasDefault = def, true
		n += used
	}
	v.text = s[:n]
	return v, n, nil
}

// nameEnd is where the name in s ends: at its closing brace or at the comma before a default. Names of thing attributes
// may hold commas, therefore those in square brackets do not count.
func nameEnd(s string) int {
	bracket := false
	for i := 2; i < len(s); i++ {
		switch s[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case '}':
			return i
		case ',':
			if !bracket {
				return i
			}
		}
	}
	return -1
}

func checkVariableName(name string) error {
	if name == "" {
		return errors.New("${} names no variable")
	}
	if strings.ContainsAny(name, " \t\r\n{'\"") || strings.Contains(name, "$") && name != "$" {
		return fmt.Errorf("${%s} is not a variable", name)
	}
	return nil
}

// readDefault reads the default behind the comma and the closing brace.
func readDefault(s string) (def string, n int, err error) {
	open := strings.TrimLeft(s, " ")
	text, quoted := strings.CutPrefix(open, "'")
	def, rest, closed := strings.Cut(text, "'")
	tail := strings.TrimLeft(rest, " ")
	if !quoted || !closed || !strings.HasPrefix(tail, "}") {
		return "", 0, errors.New("a default is written ${name, 'default'}")
	}
	return def, len(s) - len(tail) + 1, nil
}
