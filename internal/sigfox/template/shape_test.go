package template

import (
	"encoding/json"
	"strings"
	"testing"
)

// checkJSONUnchanged wants quoted values to have added no structure: the same brackets, colons and commas in the same order
// as with a value that has none.
func checkJSONUnchanged(t *testing.T, tmpl *Template, got string) {
	t.Helper()
	for _, p := range tmpl.pieces {
		if p.name != "" && !p.quoted {
			return // a whole value of its own; TestJSONInjection
		}
	}
	plain, err := tmpl.Render(same("0022")) // also after \u a text without structure
	if err != nil {
		return
	}
	if shape(t, got) != shape(t, plain) {
		t.Fatalf("%q became %q", tmpl, got)
	}
}

// shape is the tokens of a JSON text, without what they hold.
func shape(t *testing.T, text string) string {
	t.Helper()
	var s strings.Builder
	dec := json.NewDecoder(strings.NewReader(text))
	for dec.More() || s.Len() > 0 {
		token, err := dec.Token()
		if err != nil {
			break
		}
		if delim, ok := token.(json.Delim); ok {
			s.WriteRune(rune(delim))
		} else {
			s.WriteByte('v')
		}
	}
	return s.String()
}
