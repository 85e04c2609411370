package modem

import (
	"strings"
	"testing"
)

func TestWhatTheSketchPrints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		celsius       float32
		plain, padded string
		says          string
	}{
		{25.1, "41C8CCCD", "41C8CCCD", ""},
		{24.6, "41C4CCCD", "41C4CCCD", ""},
		{21.37, "41AAF5C3", "41AAF5C3", ""},
		{25, "41C800", "41C80000", "25 degrees are the bytes 41 C8 00 00, the sketch prints 41C800: 2 bytes below 0x10 lost their leading zeros; the frame has 3 " +
			"bytes where temp::float:32 needs 4 and reads null"},
		{23.5, "41BC00", "41BC0000", "23.5 degrees are the bytes 41 BC 00 00, the sketch prints 41BC00: 2 bytes below 0x10 lost their leading zeros; the frame " +
			"has 3 bytes where temp::float:32 needs 4 and reads null"},
		{20, "41A000", "41A00000", "the frame has 3 bytes"},
		{16, "418000", "41800000", "the frame has 3 bytes"},
		{-3.25, "C05000", "C0500000", "-3.25 degrees are the bytes C0 50 00 00"},
		{0, "0000", "00000000", "4 bytes below 0x10 lost their leading zeros; the frame has 2 bytes"},
		{23.0625, "41B8800", "41B88000", "23.0625 degrees are the bytes 41 B8 80 00, the sketch prints 41B8800: one byte below 0x10 lost its leading zero; the " +
			"modem answers ERROR to 7 digits, while the sketch prints \"Message sent\""},
	} {
		if got := string(SketchCommand(c.celsius, false)); got != "AT$SF="+c.plain+"\r" {
			t.Errorf("%v: %q", c.celsius, got)
		}
		if got := string(SketchCommand(c.celsius, true)); got != "AT$SF="+c.padded+"\r" {
			t.Errorf("%v padded: %q", c.celsius, got)
		}
		if got := Diagnose(c.celsius); !strings.Contains(got, c.says) || (got == "") != (c.says == "") {
			t.Errorf("%v: says %q", c.celsius, got)
		}
	}
}

// Of the 5001 readings from 0 to 50 degrees in hundredths, a fifth is mangled, most of it beyond what the modem takes.
func TestAFifthOfReadingsIsMangled(t *testing.T) {
	t.Parallel()
	mangled, refused := 0, 0
	for i := range 5001 {
		celsius := float32(float64(i) / 100)
		var in Interpreter
		c := in.Feed(SketchCommand(celsius, false))[0]
		if Diagnose(celsius) != "" {
			mangled++
		}
		if c.Verb == Bad {
			refused++
		}
		if padded := in.Feed(SketchCommand(celsius, true))[0]; padded.Verb != Frame || len(padded.Data) != 4 {
			t.Errorf("%v padded: %+v", celsius, padded)
		}
	}
	if mangled != 1075 || refused != 854 {
		t.Errorf("%d mangled, %d refused", mangled, refused)
	}
}
