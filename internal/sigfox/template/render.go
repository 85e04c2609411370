package template

import (
	"encoding/json"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

// Values are what templates are filled in with, of one message or event. Value is asked for names without braces; fields
// of the payload config are asked for as customData#name, arrays and objects are JSON text. Not ok is a value that is not
// there: it renders as null.
type Values interface {
	Value(name string) (text string, ok bool)
}

// Map is Values by name.
type Map map[string]string

// Value finds a value.
func (m Map) Value(name string) (string, bool) {
	text, ok := m[name]
	return text, ok
}

// AddCustom adds what was decoded of a payload.
func (m Map) AddCustom(values []payload.Value) {
	for _, v := range values {
		if !v.Missing {
			m[customPrefix+v.Name] = v.Text
		}
	}
}

// null stands for what has no value. In the quotes of a JSON body it is the text "null": so Sigfox does it.
const null = "null"

// Render fills in the values. The rest is as it was typed, line breaks and all. The errors are ErrNotJSON, and a
// fault.TooLarge that names the limit.
func (t *Template) Render(v Values) (string, error) {
	out := make([]byte, 0, 2*len(t.text)+64)
	for _, p := range t.pieces {
		if p.name == "" {
			out = append(out, p.literal...)
			continue
		}
		value, ok := v.Value(p.name)
		if !ok {
			value = null
		}
		var err error
		if out, err = t.appendValue(out, p, value); err != nil {
			return "", err
		}
		if len(out) > t.place.limit() {
			break
		}
	}
	if t.place.isLine() {
		out = []byte(withoutControls(string(out)))
	}
	if len(out) > t.place.limit() {
		return "", fault.New(fault.TooLarge, "the %s would have more than %d bytes with its values", t.place, t.place.limit())
	}
	if t.place.plain() == JSONBody && !json.Valid(out) {
		return "", ErrNotJSON
	}
	return string(out), nil
}

func (t *Template) appendValue(out []byte, p piece, value string) ([]byte, error) {
	if place := t.place.plain(); place == URL || place == FormBody {
		return appendPercent(out, value), nil
	} else if place == JSONBody {
		return p.appendJSON(out, value)
	}
	return append(out, value...), nil
}

// appendPercent leaves RFC 3986's unreserved characters alone and encodes every other byte, so that a value stays one
// segment or one parameter.
func appendPercent(dst []byte, value string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(value) {
		if b := value[i]; letter(b) || digit(b) || strings.IndexByte("-._~", b) >= 0 {
			dst = append(dst, b)
		} else {
			dst = append(dst, '%', digits[b>>4], digits[b&15])
		}
	}
	return dst
}

// withoutControls takes control characters out: with CR and LF a value could begin a header of its own, and no header may
// hold the others.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
