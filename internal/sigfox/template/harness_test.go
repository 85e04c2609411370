package template

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

// seedConfig and seedBody are those of Sigfox's AWS IoT how-to, its blanks and line breaks included.
const (
	seedConfig = "temp::float:32"
	seedBody   = "{\n\"device\" : \"{device}\",  \n\"time\" : \"{time}\",  \n\"temperature\" : \"{customData#temp}\"\n}"
)

func config(tb testing.TB, text string) payload.Config {
	tb.Helper()
	c, err := payload.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// mixed has a field of each kind.
const mixed = "temp::float:32 name::char:4 open::bool:7 n:9:uint:16"

func parse(tb testing.TB, text string, k Kind, p Place) *Template {
	tb.Helper()
	t, err := Parse(text, k, config(tb, mixed), p)
	if err != nil {
		tb.Fatalf("%s %q: %v", p, text, err)
	}
	return t
}

func render(tb testing.TB, text string, p Place, v Values) string {
	tb.Helper()
	got, err := parse(tb, text, DataAdvanced, p).Render(v)
	if err != nil {
		tb.Fatalf("%s %q: %v", p, text, err)
	}
	return got
}

func wantRefusal(t *testing.T, what string, err error, words string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s is accepted", what)
	case !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge):
		t.Errorf("%s: %v is no refusal", what, err)
	case !strings.Contains(err.Error(), words):
		t.Errorf("%s: %q does not say %q", what, err, words)
	}
}
