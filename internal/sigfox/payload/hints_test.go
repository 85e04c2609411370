package payload

import (
	"slices"
	"testing"
)

func TestLint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config string
		want   []string
	}{
		{"", nil},
		{"temp::float:32", nil},
		{"b1::bool:7 b2::bool:6 i1:1:uint:16", nil},
		{"whole:0:uint:32 hi:0:uint:16 lo:2:uint:16", nil}, // whoever writes an index means it
		{"speed::uint:8 dir::uint:4 status:1:uint:4::3", nil},
		{"n::uint:8:little-endian", nil},
		{"last:12:uint:8", []string{"last needs 13 bytes, a frame has at most 12: it is always null"}},
		{"s::char:13", []string{"s needs 13 bytes, a frame has at most 12: it is always null"}},
		{"flag::bool:7 v::int:8", []string{"v reads the same byte twice: it has no byte index and follows flag, which has a bit offset, so that it " +
			"starts at byte 0 again; to start at the next byte write v:1:int:8"}},
		{"a:0:uint:4::3 c::uint:16:little-endian", []string{"c reads the same byte twice: it has no byte index and follows a, which has a bit offset, " +
			"so that it starts at byte 0 again; to start at the next byte write c:1:uint:16:little-endian"}},
		{"a::bool:3 b::bool:3", []string{"b reads the same byte twice: it has no byte index and follows a, which has a bit offset, so that it " +
			"starts at byte 0 again; to start at the next byte write b:1:bool:3"}},
		{"a::bool:3 s::char:2", []string{"s reads the same byte twice: it has no byte index and follows a, which has a bit offset, so that it " +
			"starts at byte 0 again; to start at the next byte write s:1:char:2"}},
		{"dir::uint:4 status::uint:4", []string{"status starts at byte 1, the low 4 bits of byte 0 are read by no field: to share the byte with dir " +
			"write status:0:uint:4::3"}},
		{"a::uint:4 b::uint:4::3", nil},
		{"a::uint:12 b::uint:8", nil},
		{"n::uint:12:little-endian", []string{"n is little-endian with 12 bits, which is no multiple of 8: Sigfox does not say what that means; the " +
			"last 4 bits are read as the most significant ones"}},
	} {
		if got := mustParse(t, c.config).Lint(); !slices.Equal(got, c.want) {
			t.Errorf("%q:\ngot  %q\nwant %q", c.config, got, c.want)
		}
	}
}

const unpadded = "a likely cause: the device printed its bytes as hex digits without leading zeros (Arduino's print(x, HEX) makes one digit of " +
	"a byte below 0x10); "

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config, data string
		want         []string
	}{
		{"temp::float:32", "41C8CCCD", nil},
		{"temp::float:32", "41C80000FF", nil},
		{"", "41C8", nil},
		{"temp::float:32", "00000000", nil},
		// What the seed's sketch sends at 25, 23.5, -3.25 and 0 degrees.
		{"temp::float:32", "41C800", []string{"temp needs 4 bytes, this frame has 3", unpadded + "41C80000 would read temp=25.0"}},
		{"temp::float:32", "41BC00", []string{"temp needs 4 bytes, this frame has 3", unpadded + "41BC0000 would read temp=23.5"}},
		{"temp::float:32", "C05000", []string{"temp needs 4 bytes, this frame has 3", unpadded + "C0500000 would read temp=-3.25"}},
		{"temp::float:32", "0000", []string{"temp needs 4 bytes, this frame has 2", unpadded + "00000000 would read temp=0.0"}},
		{"temp::float:32", "", []string{"temp needs 4 bytes, this frame has 0"}},
		{"temp::float:32", "313245", []string{"temp needs 4 bytes, this frame has 3"}}, // no reading comes of it
		{"temp::float:32", "41", []string{"temp needs 4 bytes, this frame has 1"}},
		{"t1::uint:8 t2::uint:8 t3::uint:8", "15", []string{"t2 needs 2 bytes, this frame has 1", "t3 needs 3 bytes, this frame has 1"}},
		{"a::uint:16 b::bool:7", "1122", []string{"b needs 3 bytes, this frame has 2", unpadded + "110202 would read a=4354, b=false"}},
		{"temp::float:32", "7FC00000", []string{"temp holds the bits of a float that is not a number, or infinite"}},
		{"temp::float:32", "CDCCC841", []string{"temp is -4.294595E8, which is an unlikely reading; as little-endian it would be 25.1"}},
		{"d::float:64:little-endian", "4039199999999999", []string{"d is -2.3534373655167177E-185, which is an unlikely reading; as big-endian it would be " +
			"25.099999999999998"}},
		{"last:12:uint:8", "0102", []string{"last needs 13 bytes, this frame has 2"}},
	} {
		if got := mustParse(t, c.config).Explain(unhex(t, c.data)); !slices.Equal(got, c.want) {
			t.Errorf("%q on %s:\ngot  %q\nwant %q", c.config, c.data, got, c.want)
		}
	}
}
