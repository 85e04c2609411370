package main

import "testing"

// The right column was printed by Python 3.11: print(repr(bytes.fromhex(...))).
func TestPythonBytes(t *testing.T) {
	for in, want := range map[string]string{
		"":                   `b''`,
		`{"a":1}`:            `b'{"a":1}'`,
		`it's`:               `b"it's"`,
		`it's "so"`:          `b'it\'s "so"'`,
		`"`:                  `b'"'`,
		`\`:                  `b'\\'`,
		"a\tb\r\nc":          `b'a\tb\r\nc'`,
		"\x00\x1f\x7f\x80~ ": `b'\x00\x1f\x7f\x80~ '`,
		"°C":                 `b'\xc2\xb0C'`,
		"\a\b\v\f":           `b'\x07\x08\x0b\x0c'`,
	} {
		if got := pythonBytes([]byte(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestPythonValues(t *testing.T) {
	for got, want := range map[string]string{
		pythonQoS(0): "QoS.AT_MOST_ONCE", pythonQoS(1): "QoS.AT_LEAST_ONCE",
		pythonBool(true): "True", pythonBool(false): "False",
		pythonString(`it's \`): `'it\'s \\'`,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What a terminal can show stays as it is; what could move its cursor does not.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"°C"}`: `{"a":"°C"}`,
		"":           "",
		"a\nb":       `b'a\nb'`,
		"\x1b[2J":    `b'\x1b[2J'`,
		"\xff":       `b'\xff'`,
		"\u009b2J":   `b'\xc2\x9b2J'`,
	} {
		if got := printable([]byte(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
