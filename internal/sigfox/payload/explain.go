package payload

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// Explain says why a frame has no value, or a strange one, where the configuration expects one, a line each, and what the
// likely cause is. It is empty for a frame that fits.
func (c Config) Explain(data []byte) []string {
	var hints []string
	for _, f := range c.fields {
		switch {
		case f.FirstBit+f.Bits > 8*len(data):
			hints = append(hints, fmt.Sprintf("%s needs %s, this frame has %d", f.Name, bytesText(f.Bytes()), len(data)))
		case f.Kind == Float:
			hints = append(hints, f.explainFloat(data)...)
		}
	}
	if frame, ok := c.unpad(data); ok {
		hints = append(hints, "a likely cause: the device printed its bytes as hex digits without leading zeros (Arduino's print(x, HEX) makes one "+
			"digit of a byte below 0x10)"+c.wouldRead(frame))
	}
	return hints
}

func bytesText(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// explainFloat looks at a float that is there.
func (f Field) explainFloat(data []byte) []string {
	if f.appendText(nil, data) == nil {
		return []string{fmt.Sprintf("%s holds the bits of a float that is not a number, or infinite", f.Name)}
	}
	swapped := f
	swapped.LittleEndian = !f.LittleEndian
	if sensible(f.number(data)) || !sensible(swapped.number(data)) {
		return nil
	}
	order := "big-endian"
	if swapped.LittleEndian {
		order = "little-endian"
	}
	return []string{fmt.Sprintf("%s is %s, which is an unlikely reading; as %s it would be %s", f.Name, f.appendText(nil, data), order,
		swapped.appendText(nil, data))}
}

// number is the value of a float that is there.
func (f Field) number(data []byte) float64 {
	if f.Bits == 32 {
		return float64(math.Float32frombits(uint32(f.bits(data))))
	}
	return math.Float64frombits(f.bits(data))
}

// sensible: what sensors measure is seldom outside of this.
func sensible(v float64) bool {
	a := math.Abs(v)
	return v == 0 || a >= 1e-3 && a < 1e7
}

// unpad undoes a sketch that prints bytes as hex without leading zeros: it finds a frame as long as the configuration
// needs that this sketch would have sent as data, and whose floats are sensible. Such a print is made of single digits, each
// a byte below 0x10, and of pairs that do not begin with 0. Where several frames fit, the single digits are put last: zeros
// at the end of a float are what is mostly lost.
func (c Config) unpad(data []byte) (frame []byte, ok bool) {
	want := c.Bytes()
	if len(data) == 0 || len(data) >= want || want > FrameBytes || 2*len(data) < want {
		return nil, false
	}
	digits := make([]byte, 0, 2*FrameBytes)
	for _, b := range data {
		digits = append(digits, b>>4, b&15)
	}
	return c.unpadDigits(make([]byte, 0, want), digits, want)
}

// unpadDigits makes n bytes of the digits, in pairs where it can.
func (c Config) unpadDigits(frame, digits []byte, n int) ([]byte, bool) {
	if n == 0 {
		return frame, len(digits) == 0 && c.allSensible(frame)
	}
	if len(digits) < n || len(digits) > 2*n {
		return nil, false
	}
	if len(digits) > n && digits[0] != 0 {
		if all, ok := c.unpadDigits(append(frame, digits[0]<<4|digits[1]), digits[2:], n-1); ok {
			return all, true
		}
	}
	return c.unpadDigits(append(frame, digits[0]), digits[1:], n-1)
}

// allSensible reports whether a frame that has all fields has readings for floats.
func (c Config) allSensible(frame []byte) bool {
	for _, f := range c.fields {
		if f.Kind == Float && !sensible(f.number(frame)) {
			return false
		}
	}
	return true
}

// wouldRead says what a repaired frame reads.
func (c Config) wouldRead(frame []byte) string {
	texts := make([]string, 0, len(c.fields))
	for _, v := range c.Decode(frame) {
		texts = append(texts, v.Name+"="+v.Text)
	}
	return fmt.Sprintf("; %s would read %s", strings.ToUpper(hex.EncodeToString(frame)), strings.Join(texts, ", "))
}
