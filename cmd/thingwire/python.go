package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The sample prints what Python's format makes of its values. Scripts compare these lines, so we print the same.

func pythonQoS(qos byte) string {
	if qos == 0 {
		return "QoS.AT_MOST_ONCE"
	}
	return "QoS.AT_LEAST_ONCE"
}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func pythonString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// pythonBytes is repr() of a bytes object.
func pythonBytes(p []byte) string {
	quote := byte('\'')
	if text := string(p); strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte('b')
	b.WriteByte(quote)
	for _, c := range p {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < ' ' || c >= utf8.RuneSelf-1:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
	return b.String()
}
