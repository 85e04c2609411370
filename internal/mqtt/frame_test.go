package mqtt

import (
	"bytes"
	"testing"
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name  string
		buf   string
		limit int
		n     int // 0: incomplete
		need  int
	}{
		{"nothing", "", 0, 0, 0},
		{"the first byte", "30", 0, 0, 0},
		{"half a length", "30 FF", 0, 0, 0},
		{"three quarters of a length", "30 FF FF FF", 0, 0, 0},
		{"no body", "30 03", 0, 0, 5},
		{"half a body", "30 03 00 01", 0, 0, 5},
		{"a packet", "30 03 00 01 61", 0, 5, 5},
		{"a packet and more", "30 03 00 01 61 C0 00", 0, 5, 5},
		{"a packet of the limit", "30 03 00 01 61", 5, 5, 5},
		{"a ping", "C0 00 C0 00", 2, 2, 2},
		{"a long packet to come", "30 80 01", 131, 0, 131},
		{"the longest packet to come", "30 FF FF FF 7F", 0, 0, 5 + maxVarint},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := raw(t, c.buf)
			f, n, err := Next(b, c.limit)
			if n != c.n || err != nil {
				t.Errorf("Next = %d, %v, want %d", n, err, c.n)
			}
			if n > 0 && (f.Header != b[0] || !bytes.Equal(f.Body, b[2:n])) {
				t.Errorf("Next = % X, % X", f.Header, f.Body)
			}
			if n := Need(b); n != c.need {
				t.Errorf("Need = %d, want %d", n, c.need)
			}
		})
	}
}

func TestNextRefuses(t *testing.T) {
	for _, c := range []struct {
		buf   string
		limit int
		code  Code
		typ   Type
		rule  string
	}{
		{"00", 0, 0x81, 0, "type 0 is reserved"},
		{"11", 0, 0x81, CONNECT, "flags"},
		{"21", 0, 0x81, CONNACK, "flags"},
		{"36", 0, 0x81, PUBLISH, "QoS 3"},
		{"3F", 0, 0x81, PUBLISH, "QoS 3"},
		{"38", 0, 0x82, PUBLISH, "DUP"},
		{"39", 0, 0x82, PUBLISH, "DUP"},
		{"42", 0, 0x81, PUBACK, "flags"},
		{"60", 0, 0x81, PUBREL, "flags"},
		{"80", 0, 0x81, SUBSCRIBE, "flags"},
		{"8A", 0, 0x81, SUBSCRIBE, "flags"},
		{"A0", 0, 0x81, UNSUBSCRIBE, "flags"},
		{"C1", 0, 0x81, PINGREQ, "flags"},
		{"E8", 0, 0x81, DISCONNECT, "flags"},
		{"F1", 0, 0x81, AUTH, "flags"},
		{"30 FF FF FF FF", 0, 0x81, PUBLISH, "longer than four bytes"},
		{"30 80 80 80 80 00", 0, 0x81, PUBLISH, "longer than four bytes"},
		{"30 04", 5, 0x95, PUBLISH, "larger than"},
		{"30 FF FF FF 7F", 149_504, 0x95, PUBLISH, "larger than"},
		{"C0 01", 0, 0x81, PINGREQ, "has a body"},
		{"D0 01 00", 0, 0x81, PINGRESP, "has a body"},
	} {
		_, n, err := Next(raw(t, c.buf), c.limit)
		wantError(t, err, c.code, c.rule)
		if e, ok := err.(*Error); ok && (e.Packet != c.typ || n != 0) { //nolint:errorlint // exactly this type is promised
			t.Errorf("%s: n = %d, packet %v, want 0, %v", c.buf, n, e.Packet, c.typ)
		}
	}
}

func TestVarint(t *testing.T) {
	for _, c := range []struct {
		x    int
		wire string
	}{
		{0, "00"},
		{127, "7F"},
		{128, "80 01"},
		{16_383, "FF 7F"},
		{16_384, "80 80 01"},
		{2_097_151, "FF FF 7F"},
		{2_097_152, "80 80 80 01"},
		{maxVarint, "FF FF FF 7F"},
	} {
		b := appendVarint(nil, c.x)
		if !bytes.Equal(b, raw(t, c.wire)) || varintSize(c.x) != len(b) {
			t.Errorf("%d = % X in %d bytes, want %s", c.x, b, varintSize(c.x), c.wire)
		}
		if x, n := varint(b); x != c.x || n != len(b) {
			t.Errorf("varint(% X) = %d, %d", b, x, n)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a length that cannot be written did not panic")
		}
	}()
	varintSize(maxVarint + 1)
}
