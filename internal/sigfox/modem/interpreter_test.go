package modem

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		input string
		want  []Command
	}{
		{"", nil},
		{"\r\n\r\n", nil},
		{"AT", nil}, // no CR yet
		{"AT\r", []Command{{Verb: Attention, Line: "AT"}}},
		{"A\nT\r\nAT\r", []Command{{Verb: Attention, Line: "AT"}, {Verb: Attention, Line: "AT"}}},
		{"+++", []Command{{Verb: Attention, Line: "+++"}}},
		{"+++\r", []Command{{Verb: Attention, Line: "+++"}}},
		{"+++AT$SF=41C8CCCD\r", []Command{{Verb: Attention, Line: "+++"}, {Verb: Frame, Data: []byte{0x41, 0xC8, 0xCC, 0xCD}, Line: "AT$SF=41C8CCCD"}}},
		{"AT$SF=313245\r", []Command{{Verb: Frame, Data: []byte("12E"), Line: "AT$SF=313245"}}},
		{"AT$SF=00\r", []Command{{Verb: Frame, Data: []byte{0}, Line: "AT$SF=00"}}},
		{"at$sf=0a0B0c0D0e0F0a0B0c0D0e0F,1\r", []Command{{
			Verb: Frame, Data: []byte{10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15}, Downlink: true, Line: "at$sf=0a0B0c0D0e0F0a0B0c0D0e0F,1",
		}}},
		{"AT$SF=0a,0\r", []Command{{Verb: Frame, Data: []byte{10}, Line: "AT$SF=0a,0"}}},
		{"AT$SB=0\r", []Command{{Verb: Bit, Line: "AT$SB=0"}}},
		{"AT$SB=1,1\r", []Command{{Verb: Bit, Bit: true, Downlink: true, Line: "AT$SB=1,1"}}},
		{"AT$I=10\rAT$I=11\rAT$I=0\rAT/L\r", []Command{
			{Verb: ID, Line: "AT$I=10"}, {Verb: PAC, Line: "AT$I=11"}, {Verb: Product, Line: "AT$I=0"}, {Verb: Library, Line: "AT/L"},
		}},
		{"AT$TM?\rAT$T?\rAT$V?\r", []Command{{Verb: Temperature, Line: "AT$TM?"}, {Verb: Temperature, Line: "AT$T?"}, {Verb: Voltage, Line: "AT$V?"}}},
	} {
		var whole, single Interpreter
		if got := whole.Feed([]byte(c.input)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.input, got, c.want)
		}
		var got []Command
		for _, b := range []byte(c.input) {
			got = append(got, single.Feed([]byte{b})...)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q byte by byte: got %+v, want %+v", c.input, got, c.want)
		}
	}
}

func TestWhatIsNoCommandIsBadAndSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, why string }{
		{"ATE0", "no command of this modem"},
		{"hello", "no command of this modem"},
		{" AT", "no command of this modem"},
		{"AT+++", "no command of this modem"},
		{"AT$I=12", "no command of this modem"},
		{"AT$SF", "no command of this modem"},
		{"AT$SF=", "0 bytes; a frame carries 1 to 12"},
		{"AT$SF=41B8800", "7 hex digits"},
		{"AT$SF=4", "leading zero"},
		{"AT$SF=0102030405060708090a0b0c0d", "13 bytes; a frame carries 1 to 12"},
		{"AT$SF=4G", "not hexadecimal"},
		{"AT$SF=41 C8", "not hexadecimal"},
		{"AT$SF=41,2", "neither 0 nor 1"},
		{"AT$SF=41,", "neither 0 nor 1"},
		{"AT$SF=41,1,1", "neither 0 nor 1"},
		{"AT$SB=", "its bit is neither 0 nor 1"},
		{"AT$SB=2", "its bit is neither 0 nor 1"},
		{"AT$SB=01", "its bit is neither 0 nor 1"},
		{"AT\x00", "no command of this modem"},
		{"AT$SF=é1", "not hexadecimal"},
	} {
		var in Interpreter
		got := in.Feed([]byte(c.line + "\r"))
		if len(got) != 1 || got[0].Verb != Bad || got[0].Line != c.line || !strings.Contains(got[0].Why, c.why) {
			t.Errorf("%q: %+v, want %q", c.line, got, c.why)
		}
	}
}

func TestALineThatIsTooLongIsOneBadCommand(t *testing.T) {
	t.Parallel()
	var in Interpreter
	for range 1000 {
		if got := in.Feed(bytes.Repeat([]byte("A"), 1000)); got != nil {
			t.Fatalf("%+v", got)
		}
	}
	if len(in.line) != LineBytes {
		t.Errorf("keeps %d bytes", len(in.line))
	}
	got := in.Feed([]byte("\rAT\r"))
	if len(got) != 2 || got[0].Verb != Bad || !strings.Contains(got[0].Why, "1000000 bytes; no command has more than 128") || got[1].Verb != Attention {
		t.Errorf("%+v", got)
	}
	if got := in.Feed(append(bytes.Repeat([]byte("A"), LineBytes), '\r')); len(got) != 1 || !strings.Contains(got[0].Why, "no command of") {
		t.Errorf("%+v", got)
	}
}

// FuzzInterpreter: bytes mean the same in whatever pieces they come, and a frame is one that the air can carry.
func FuzzInterpreter(f *testing.F) {
	for _, seed := range []string{
		"+++AT$SF=41C8CCCD\r", "AT$SF=41C800,1\r\nAT$SB=1\r", "++++++\r+\r++\rAT\n\r", "AT$SF=0102030405060708090a0b0c0d\r", strings.Repeat("+", 300) + "\r",
		strings.Repeat("A", 300) + "\rAT$I=10\r",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, input []byte, size uint8) {
		var whole, pieces Interpreter
		want := whole.Feed(input)
		var got []Command
		for piece := range slices.Chunk(input, int(size)+1) {
			got = append(got, pieces.Feed(piece)...)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q in pieces of %d: %+v, whole %+v", input, int(size)+1, got, want)
		}
		for _, c := range want {
			if c.Verb == Frame && (len(c.Data) == 0 || len(c.Data) > FrameBytes) || (c.Verb == Bad) != (c.Why != "") || len(c.Line) > LineBytes {
				t.Fatalf("%+v", c)
			}
		}
	})
}
