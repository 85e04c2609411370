package payload

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		if got := show(mustParse(t, e.config).Decode(unhex(t, e.data))); got != e.want {
			t.Errorf("%d: %q on %s is %s, want %s", e.number, e.config, e.data, got, e.want)
		}
	}
	if len(examples) != 84 {
		t.Errorf("%d examples", len(examples))
	}
}

// show writes values as the table of examples has them.
func show(values []Value) string {
	texts := make([]string, len(values))
	for i, v := range values {
		text := v.Text
		if v.Kind == Char && !v.Missing {
			text = `"` + text + `"`
		}
		texts[i] = v.Name + "=" + text
	}
	return strings.Join(texts, ", ")
}

func mustParse(tb testing.TB, text string) Config {
	tb.Helper()
	c, err := Parse(text)
	if err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	return c
}

func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, data, want string }{
		{"the reference's odd example asks for bits that are not there", "str::char:6 i1::uint:16 i2::uint:32:2", "41424344454601234567890A", `str="ABCDEF", i1=291, i2=null`},
		{"little-endian of 12 bits has its short group on top", "n::uint:12:little-endian", "3412", "n=308"},
		{"little-endian from a bit offset", "n::uint:16:little-endian:3", "0123F0", "n=16146"},
		{"little-endian int takes its sign from the last byte", "n::int:16:little-endian", "00FF", "n=-256"},
		{"a byte above ASCII is ISO-8859-1", "s::char:2", "E941", `s="éA"`},
		{"NULs stay", "s::char:3", "410000", "s=\"A\x00\x00\""},
		{"characters from a bit offset", "s::char:2:3", "041420", `s="AB"`},
		{"a character that is not there", "s::char:4", "41", "s=null"},
		{"signed bit", "n::int:1", "80", "n=-1"},
		{"64 bits across nine bytes", "n::uint:64::3", "0FFFFFFFFFFFFFFFF0", "n=18446744073709551615"},
		{"float from a bit offset", "f::float:32::3", "041C80000F", "f=25.0"},
		{"explicit offset 7 leaves the cursor on the byte", "a::uint:8::7 b::uint:8", "0102", "a=1, b=1"},
		{"infinity of 64 bits", "f::float:64", "FFF0000000000000", "f=null"},
		{"a bit of the payload is missing", "n::uint:9", "FF", "n=null"},
	} {
		if got := show(mustParse(t, c.config).Decode(unhex(t, c.data))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMissingIsNotTheTextNull(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "s::char:4 f:0:float:32 t:4:uint:8")
	got := c.Decode(unhex(t, "6E756C6C"))
	want := []Value{{"s", "null", false, Char}, {"f", "1.8988725E28", false, Float}, {"t", "null", true, Uint}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if nan := mustParse(t, "f::float:32").Decode(unhex(t, "7FC00000")); !nan[0].Missing {
		t.Error("what is not a number is a value")
	}
}

func TestAppendNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    float64
		size int
		want string
	}{
		{25, 64, "25.0"},
		{0.001, 64, "0.001"},
		{0.0009999, 64, "9.999E-4"},
		{0.0001, 32, "1.0E-4"},
		{9999999, 64, "9999999.0"},
		{1e7, 64, "1.0E7"},
		{1.5e10, 64, "1.5E10"},
		{-1e100, 64, "-1.0E100"},
		{5e-324, 64, "5.0E-324"},
		{math.Copysign(0, -1), 64, "-0.0"},
		{math.MaxFloat32, 32, "3.4028235E38"},
	} {
		if got := string(AppendNumber(nil, c.v, c.size)); got != c.want {
			t.Errorf("%g: got %s, want %s", c.v, got, c.want)
		}
	}
	if got := string(AppendNumber([]byte("1.5 "), 2, 64)); got != "1.5 2.0" {
		t.Errorf("what stood before confuses it: %s", got)
	}
}

// Values put into a frame come out again.
func TestFieldsThatDoNotOverlapReadBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var config, want []string
		data := make([]byte, FrameBytes)
		for at, n := 0, 0; ; n++ {
			bits := rapid.IntRange(1, 64).Draw(t, "bits")
			if at+bits > 8*FrameBytes {
				break
			}
			kind := rapid.SampledFrom([]string{"uint", "int"}).Draw(t, "kind")
			v := rapid.Uint64().Draw(t, "value") >> (64 - bits)
			put(data, at, bits, v)
			config = append(config, fmt.Sprintf("f%d:%d:%s:%d::%d", n, at/8, kind, bits, 7-at%8))
			if text := fmt.Sprint(v); kind == "uint" {
				want = append(want, fmt.Sprintf("f%d=%s", n, text))
			} else {
				want = append(want, fmt.Sprintf("f%d=%d", n, int64(v<<(64-bits))>>(64-bits)))
			}
			at += bits
		}
		c, err := Parse(strings.Join(config, " "))
		if err != nil {
			t.Fatal(err)
		}
		if got := show(c.Decode(data)); got != strings.Join(want, ", ") {
			t.Fatalf("%s on %X: got %s, want %s", c, data, got, want)
		}
	})
}

// put writes the n low bits of v, one by one.
func put(data []byte, at, n int, v uint64) {
	for i := range n {
		if v>>(n-1-i)&1 == 1 {
			data[(at+i)/8] |= 0x80 >> ((at + i) % 8)
		}
	}
}

func TestLittleEndianIsBigEndianOfTheBytesReversed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "data")
		reversed := make([]byte, len(data))
		for i, b := range data {
			reversed[len(data)-1-i] = b
		}
		for _, kind := range []string{"uint", "int", "float"} {
			if kind == "float" && len(data) != 4 && len(data) != 8 {
				continue
			}
			little, err := Parse(fmt.Sprintf("n::%s:%d:little-endian", kind, 8*len(data)))
			if err != nil {
				t.Fatal(err)
			}
			big, err := Parse(fmt.Sprintf("n::%s:%d", kind, 8*len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if l, b := little.Decode(data)[0], big.Decode(reversed)[0]; l != b {
				t.Fatalf("%X: %+v and reversed %+v", data, l, b)
			}
		}
	})
}

func TestBoolIsTheBitOfItsByte(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		for bit := range 8 {
			c := mustParse(t, fmt.Sprintf("b::bool:%d", bit))
			if got, want := c.Decode([]byte{byte(b)})[0].Text, fmt.Sprint(b>>bit&1 == 1); got != want {
				t.Errorf("bit %d of %08b is %s", bit, b, got)
			}
		}
	}
}

func TestDecodeAllocatesTheValuesAndOneText(t *testing.T) {
	c := mustParse(t, "temp::float:32 hum::uint:8 bat::uint:16 name::char:4 open::bool:7")
	data := unhex(t, "41C8CCCD3A0C6F6C616D7080")
	if n := testing.AllocsPerRun(100, func() { c.Decode(data) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, config, data string }{
		{"seed", "temp::float:32", "41C8CCCD"},
		{"five", "temp::float:32 hum::uint:8 bat::uint:16 name::char:4 open::bool:7", "41C8CCCD3A0C6F6C616D7080"},
	} {
		b.Run(c.name, func(b *testing.B) {
			config, data := mustParse(b, c.config), unhex(b, c.data)
			b.ReportAllocs()
			for b.Loop() {
				config.Decode(data)
			}
		})
	}
}
