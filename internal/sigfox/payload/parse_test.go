package payload

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

var badConfigs = []struct {
	config   string
	offset   int
	expected string
	got      string
}{
	{"temp", 4, "a colon and the byte index", "the end"},
	{"temp:", 5, "a colon and the type", "the end"},
	{"temp::", 6, wantType, "the end"},
	{":0:uint:8", 0, wantName, `":"`},
	{"temp::float", 11, "a colon and " + wantFloat, "the end"},
	{"temp::float:", 12, wantFloat, "the end"},
	{"t::char", 7, "a colon and " + wantBytes, "the end"},
	{"t::uint", 7, "a colon and " + wantBits, "the end"},
	{"t::bool", 7, "a colon and " + wantBit, "the end"},
	{"t::bool:", 8, wantBit, "the end"},
	{"temp::float:16", 12, wantFloat, `"16"`},
	{"temp::float:032", 12, wantFloat, `"032"`},
	{"t::uint:0", 8, wantBits, `"0"`},
	{"t::uint:65", 8, wantBits, `"65"`},
	{"t::int:99999999999999999999", 7, wantBits, `"99999999999999999999"`},
	{"t::int:-8", 7, wantBits, `"-8"`},
	{"t::char:0", 8, wantBytes, `"0"`},
	{"t::bool:8", 8, wantBit, `"8"`},
	{"t::bool:07", 8, wantBit, `"07"`},
	{"t::uint:8:little-endian:8", 24, "a bit offset from 0 to 7", `"8"`},
	{"t::uint:8:9", 10, "a bit offset from 0 to 7", `"9"`},
	{"t::uint:8:12", 10, wantEndian, `"12"`},
	{"t::uint:8::", 11, "a bit offset from 0 to 7", "the end"},
	{"t::uint:8:: u::uint:8", 11, "a bit offset from 0 to 7", "a blank"},
	{"t::char:8:", 10, "a bit offset from 0 to 7", "the end"},
	{"t::char:8:little-endian", 10, "a bit offset from 0 to 7", `"little-endian"`},
	{"t:x:uint:8", 2, wantIndex, `"x"`},
	{"t:-1:uint:8", 2, wantIndex, `"-1"`},
	{"t::uint:8:middle-endian", 10, wantEndian, `"middle-endian"`},
	{"t::uint8", 3, wantType, `"uint8"`},
	{"t::string:4", 3, wantType, `"string"`},
	{"t::UINT:8", 3, wantType, `"UINT"`},
	{"t::uint:8:little-endian:3:1", 25, wantEnd, `":"`},
	{"t::uint:8:3:1", 11, wantEnd, `":"`},
	{"t::bool:7:1", 9, wantEnd, `":"`},
	{"a b::uint:8", 1, "a colon and the byte index", "a blank"},
	{"t::uint:8,u::uint:8", 9, "a blank between fields", `","`},
	{"té::uint:8", 1, wantName, `"é"`},
	{"t\xff::uint:8", 1, wantName, `"\xff"`},
	{"t::uint:8 t::uint:8", 10, "a name that no other field has", `"t"`},
	{"t::uint:8\tu::uint:8", 8, wantBits, `"8\tu"`},
	{"t:1048576:uint:8", 2, "a place within the first 1048576 bytes", `"1"`},
	{"a::char:1048576 b::uint:8", 18, "a place within the first 1048576 bytes", `":"`},
	{strings.Repeat(" ", MaxText+1), MaxText, "the end within 4096 bytes", "more"},
	{"t::" + strings.Repeat("x", 50), 3, wantType, `"` + strings.Repeat("x", 40) + `…"`},
}

func TestBadConfigsAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range badConfigs {
		_, err := Parse(c.config)
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: error is %v", c.config, err)
			continue
		}
		if want := (SyntaxError{c.offset, c.expected, c.got}); *syntax != want {
			t.Errorf("%q: got %+v, want %+v", c.config, *syntax, want)
		}
	}
}

func TestSyntaxErrorCountsFromOne(t *testing.T) {
	t.Parallel()
	_, err := Parse("temp::float:16")
	if got, want := fmt.Sprint(err), `payload config is wrong at character 13: expected a length of 32 or 64 bits, got "16"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFieldsHavePlaces(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "temp::float:32:little-endian n:9:uint:4::3 last::char:2 far:15:bool:0")
	want := []Field{
		{"temp", 0, 32, Float, true}, {"n", 76, 4, Uint, false}, {"last", 72, 16, Char, false}, {"far", 127, 1, Bool, false},
	}
	for i, f := range c.Fields() {
		if f != want[i] {
			t.Errorf("got %+v, want %+v", f, want[i])
		}
	}
	if c.Bytes() != 16 || (Config{}).Bytes() != 0 {
		t.Errorf("needs %d bytes", c.Bytes())
	}
	if f, ok := c.Field("n"); !ok || f != want[1] {
		t.Errorf("n is %+v, %v", f, ok)
	}
	if f, ok := c.Field("N"); ok {
		t.Errorf("N is %+v", f)
	}
	if c.String() != "temp::float:32:little-endian n:9:uint:4::3 last::char:2 far:15:bool:0" {
		t.Errorf("text is %s", c)
	}
	for k, name := range map[Kind]string{Bool: "bool", Int: "int", 0: "unknown", 99: "unknown"} {
		if k.String() != name {
			t.Errorf("%s, want %s", k, name)
		}
	}
}

// FuzzParse: any text is a configuration or an error at a place in it; a configuration decodes any frame, and its values are
// what JSON takes.
func FuzzParse(f *testing.F) {
	for _, e := range examples {
		f.Add(e.config, e.data)
	}
	for _, c := range badConfigs {
		f.Add(c.config, "41C8CCCD")
	}
	f.Add("a::char:900000 b::char:400000 c:1000000:int:64:little-endian:0", "00")
	f.Fuzz(func(t *testing.T, text, data string) {
		c, err := Parse(text)
		if err != nil {
			syntax, ok := errors.AsType[*SyntaxError](err)
			if !ok || syntax.Offset < 0 || syntax.Offset > len(text) || syntax.Expected == "" || syntax.Got == "" {
				t.Fatalf("%q: %+v", text, err)
			}
			return
		}
		frame, err := hex.DecodeString(data)
		if err != nil {
			frame = []byte(data)
		}
		_ = c.Lint()
		for n := range min(len(frame), FrameBytes) {
			checkDecoded(t, c, frame[:n])
		}
		checkDecoded(t, c, frame)
	})
}

func checkDecoded(t *testing.T, c Config, frame []byte) {
	values, fields := c.Decode(frame), c.Fields()
	if len(values) != len(fields) {
		t.Fatalf("%d values of %d fields", len(values), len(fields))
	}
	_ = c.Explain(frame)
	for i, v := range values {
		if v.Name != fields[i].Name || v.Missing && v.Text != null || v.Kind != fields[i].Kind {
			t.Fatalf("%+v of %+v", v, fields[i])
		}
		if short := fields[i].Bytes() > len(frame); short && !v.Missing {
			t.Fatalf("%+v is not in %X", v, frame)
		}
		if v.Kind != Char && !json.Valid([]byte(v.Text)) {
			t.Fatalf("%q is not JSON", v.Text)
		}
	}
}
