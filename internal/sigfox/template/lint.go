package template

import "fmt"

// Lint says what of a template is allowed but probably not meant, a line each.
func (t *Template) Lint() []string {
	var hints []string
	seen := map[string]bool{}
	for _, p := range t.pieces {
		hint := p.lint(t.place)
		if hint != "" && !seen[hint] {
			hints = append(hints, hint)
		}
		seen[hint] = true
	}
	if t.place.plain() == JSONBody && !t.canBeJSON() {
		hints = append(hints, "the body is not JSON, whatever the values are: nothing would be sent")
	}
	return hints
}

func (p piece) lint(place Place) string {
	json := place.plain() == JSONBody
	switch {
	case p.name == "":
		return ""
	case p.deprecated:
		return fmt.Sprintf("{%s} is deprecated by Sigfox and mostly null", p.name)
	case json && p.custom && p.form == number && p.alone:
		return fmt.Sprintf("{%s} is a number in quotes: the body has a text, for which rule SQL needs cast(… as Decimal); without the quotes it is a number", p.name)
	case json && p.form == structure && p.quoted:
		return fmt.Sprintf("{%s} is a JSON array or object in quotes: the body has a text; leave the quotes out", p.name)
	case json && p.form == text && !p.quoted:
		return fmt.Sprintf("{%s} is text without quotes: the body will not be JSON; write \"{%s}\"", p.name, p.name)
	}
	return ""
}

// canBeJSON tries the body with a value for each variable, and with none.
func (t *Template) canBeJSON() bool {
	values := Map{}
	for _, p := range t.pieces {
		if p.name != "" {
			values[p.name] = [...]string{text: "a", number: "1", boolean: "true", structure: "[]"}[p.form]
		}
	}
	_, full := t.Render(values)
	_, empty := t.Render(Map{})
	return full == nil || empty == nil
}
