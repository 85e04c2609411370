package template

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// ErrNotJSON is a JSON body that is none once its variables are filled in. Nothing is sent; the words are Sigfox's status.
var ErrNotJSON error = fault.New(fault.Invalid, "JSON body could not be evaluated")

// checkJSON finds out which placeholders stand inside quotes.
func (t *Template) checkJSON() error {
	if t.text == "" {
		return fault.New(fault.Invalid, "the JSON body is empty").WithRemedy(`write one, as in {"device":"{device}"}`)
	}
	var s quotes
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.name == "" {
			s.pass(p.literal)
			continue
		}
		if s.escaped {
			// What the backslash makes of the value's first character would be the sender's choice, who could so end the text.
			return fault.New(fault.Invalid, "the JSON body has a backslash right before {%s}", p.name).WithRemedy("leave it out, or write two")
		}
		p.quoted = s.inside
		p.alone = p.quoted && s.opened && i+1 < len(t.pieces) && strings.HasPrefix(t.pieces[i+1].literal, `"`)
		s.opened = false
	}
	return nil
}

// quotes follows JSON text: are we inside of a string?
type quotes struct{ inside, escaped, opened bool } // opened: the last byte was the quote that begins it

func (s *quotes) pass(literal string) {
	for i := range len(literal) {
		b := literal[i]
		s.opened = false
		switch {
		case s.escaped:
			s.escaped = false
		case s.inside && b == '\\':
			s.escaped = true
		case b == '"':
			s.inside = !s.inside
			s.opened = s.inside
		}
	}
}

// appendJSON appends a value as it stands in a JSON body. Outside of quotes it must be JSON by itself: characters of a
// payload could else add members to the body.
func (p piece) appendJSON(dst []byte, value string) ([]byte, error) {
	if p.quoted {
		return appendEscaped(dst, value), nil
	}
	if !json.Valid([]byte(value)) {
		return nil, ErrNotJSON
	}
	return append(dst, value...), nil
}

// appendEscaped appends what stands between the quotes of a JSON text. What is not UTF-8 becomes U+FFFD.
func appendEscaped(dst []byte, value string) []byte {
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
