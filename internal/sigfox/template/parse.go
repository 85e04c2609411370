package template

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

// customPrefix begins the names of the fields of a payload config.
const customPrefix = "customData#"

// Template is a text that Parse found valid.
type Template struct {
	text   string
	place  Place
	pieces []piece
}

// piece is literal text or a placeholder.
type piece struct {
	literal string // empty of a placeholder
	name    string // empty of literal text
	at      int    // where it begins, in bytes
	variable
	custom bool // a field of the payload config
	quoted bool // in a JSON text
	alone  bool // and nothing else is in that text
}

// Parse checks a text for a place in callbacks of kind k whose payload config is fields. The error is a fault.Invalid (or
// fault.TooLarge) that says what is wrong, of an unknown variable also which ones there are.
func Parse(text string, k Kind, fields payload.Config, p Place) (*Template, error) {
	row, ok := k.row()
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no kind of callback %s", k)
	}
	if len(text) > p.limit() {
		return nil, fault.New(fault.TooLarge, "the %s has %d bytes, %d are allowed", p, len(text), p.limit())
	}
	if !utf8.ValidString(text) {
		return nil, fault.New(fault.Invalid, "the %s is not valid UTF-8", p)
	}
	t := &Template{text: text, place: p, pieces: split(text)}
	for i := range t.pieces {
		if piece := &t.pieces[i]; piece.name != "" {
			if err := piece.resolve(row, fields, p); err != nil {
				return nil, err
			}
		}
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check applies the rules of the place.
func (t *Template) check() error {
	if p := t.place.plain(); p == URL {
		return t.checkURL()
	} else if p == JSONBody {
		return t.checkJSON()
	}
	return nil
}

// String is the text that was parsed.
func (t *Template) String() string { return t.text }

// Variables are the names that stand in the text, each once, in order, as Values is asked for them.
func (t *Template) Variables() []string {
	var names []string
	for _, p := range t.pieces {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// split cuts text into literals and placeholders. A placeholder is {letter letters-and-digits}, or with # and a field
// name; any other brace is literal.
func split(text string) []piece {
	var pieces []piece
	start := 0
	for at := 0; at < len(text); {
		n := placeholder(text[at:])
		if n == 0 {
			at++
			continue
		}
		if at > start {
			pieces = append(pieces, piece{literal: text[start:at], at: start})
		}
		pieces = append(pieces, piece{name: text[at+1 : at+n-1], at: at})
		at += n
		start = at
	}
	if start < len(text) {
		pieces = append(pieces, piece{literal: text[start:], at: start})
	}
	return pieces
}

// placeholder is the length of the placeholder that s begins with, 0 if it does not.
func placeholder(s string) int {
	if len(s) < 3 || s[0] != '{' || !letter(s[1]) {
		return 0
	}
	i := 2
	for i < len(s) && (letter(s[i]) || digit(s[i])) {
		i++
	}
	if i < len(s) && s[i] == '#' {
		from := i + 1
		for i = from; i < len(s) && fieldByte(s[i]); i++ {
		}
		if i == from {
			return 0
		}
	}
	if i == len(s) || s[i] != '}' {
		return 0
	}
	return i + 1
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func digit(b byte) bool { return b >= '0' && b <= '9' }

// fieldByte is what names in a payload config are made of.
func fieldByte(b byte) bool { return letter(b) || digit(b) || b == '-' || b == '_' || b == '#' }

// resolve finds the variable that the placeholder means.
func (p *piece) resolve(row kindRow, fields payload.Config, place Place) error {
	if place.ofBatch() {
		if p.variable = (variable{name: BatchVariable, form: text}); p.name == BatchVariable {
			return nil
		}
		return fault.New(fault.Invalid, "unknown variable {%s} in the %s of a batch", p.name, place).
			WithRemedy("use {batch}; variables of a message belong into the line pattern")
	}
	if i := slices.IndexFunc(row.variables, func(v variable) bool { return v.name == p.name }); i >= 0 {
		p.variable = row.variables[i]
		return nil
	}
	if name, ok := strings.CutPrefix(p.name, customPrefix); ok && row.custom {
		if f, ok := fields.Field(name); ok {
			p.variable, p.custom = variable{name: p.name, form: formOf(f.Kind)}, true
			return nil
		}
	}
	return fault.New(fault.Invalid, "unknown variable {%s} in the %s of a %s callback", p.name, place, row.name).
		WithRemedy("%s", p.remedy(row, fields))
}

func formOf(k payload.Kind) form {
	switch k {
	case payload.Bool:
		return boolean
	case payload.Char:
		return text
	case payload.Float, payload.Uint, payload.Int:
	}
	return number
}

// remedy says what the user may have meant, and what there is.
func (p *piece) remedy(row kindRow, fields payload.Config) string {
	var names []string
	for _, v := range row.variables {
		names = append(names, "{"+v.name+"}")
	}
	if row.custom {
		for _, f := range fields.Fields() {
			names = append(names, "{"+customPrefix+f.Name+"}")
		}
	}
	all := "use one of " + strings.Join(names, ", ")
	for _, name := range names {
		if strings.EqualFold(name, "{"+p.name+"}") {
			return "did you mean " + name + "? " + all
		}
	}
	if strings.HasPrefix(p.name, customPrefix) && row.custom {
		return all + "; custom data are the fields of the callback's own payload config"
	}
	return all
}

// quote makes foreign text fit for one line: quoted, and cut where it is long.
func quote(s string) string {
	const longest = 80
	if len(s) <= longest {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:longest]) + "…"
}
