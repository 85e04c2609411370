package payload

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// Value is what a frame holds for a field.
type Value struct {
	Name    string
	Text    string // integers in plain decimal, true or false, characters as they are, floats as Number writes; "null" if Missing
	Missing bool   // the frame is too short, or holds a float that is no number
	Kind    Kind
}

// null is what stands for a value that is not there.
const null = "null"

// Decode reads the values of all fields, in their order. Any data is allowed; bytes that no field covers are ignored, and
// a field of which any bit is not there is missing.
func (c Config) Decode(data []byte) []Value {
	values := make([]Value, len(c.fields))
	var endsArray [16]int
	ends := endsArray[:0]
	var textArray [128]byte
	text := textArray[:0]
	for i, f := range c.fields {
		values[i].Name, values[i].Kind = f.Name, f.Kind
		before := len(text)
		text = f.appendText(text, data)
		values[i].Missing = len(text) == before
		ends = append(ends, len(text))
	}
	all := string(text) // one allocation for all texts
	start := 0
	for i, end := range ends {
		if values[i].Text = all[start:end]; values[i].Missing {
			values[i].Text = null
		}
		start = end
	}
	return values
}

// appendText appends the value as text; nothing, if it is missing.
func (f Field) appendText(dst, data []byte) []byte {
	if f.FirstBit+f.Bits > 8*len(data) {
		return dst
	}
	switch f.Kind {
	case Bool:
		return strconv.AppendBool(dst, f.bits(data) == 1)
	case Char:
		return f.appendChars(dst, data)
	case Float:
		return appendFloat(dst, f.bits(data), f.Bits)
	case Uint:
		return strconv.AppendUint(dst, f.bits(data), 10)
	case Int:
		unused := 64 - f.Bits
		return strconv.AppendInt(dst, int64(f.bits(data)<<unused)>>unused, 10)
	}
	return dst
}

// bits reads the field's bits, at most 64, as one number.
func (f Field) bits(data []byte) uint64 {
	if !f.LittleEndian {
		return bitsAt(data, f.FirstBit, f.Bits)
	}
	// Octets in the order of the frame, the least significant first. Of a width that is not a multiple of 8 the last group
	// is short and the most significant: Sigfox does not say, Lint does.
	var v uint64
	for done := 0; done < f.Bits; done += 8 {
		v |= bitsAt(data, f.FirstBit+done, min(8, f.Bits-done)) << done
	}
	return v
}

// bitsAt reads n bits from bit number first on, the most significant first. They must be there.
func bitsAt(data []byte, first, n int) uint64 {
	var v uint64
	for n > 0 {
		left := 8 - first%8 // in this byte
		take := min(left, n)
		chunk := data[first/8] >> (left - take) & (1<<take - 1)
		v = v<<take | uint64(chunk)
		first += take
		n -= take
	}
	return v
}

// appendChars appends one character per byte. Sigfox does not name the character set: ISO-8859-1 loses nothing, and is
// ASCII where that is. Trailing NULs stay.
func (f Field) appendChars(dst, data []byte) []byte {
	for done := 0; done < f.Bits; done += 8 {
		dst = utf8.AppendRune(dst, rune(bitsAt(data, f.FirstBit+done, 8)))
	}
	return dst
}

// appendFloat appends a binary32 or binary64 as Number writes it, nothing for what is no number. A binary32 never becomes
// a binary64 on the way: 25.1 would be 25.100000381469727.
func appendFloat(dst []byte, bits uint64, size int) []byte {
	v := math.Float64frombits(bits)
	if size == 32 {
		v = float64(math.Float32frombits(uint32(bits))) // formatted as binary32 below
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst
	}
	return AppendNumber(dst, v, size)
}

// AppendNumber appends a finite number with the fewest digits that read back to the same binary32 or binary64 (size is 32
// or 64), as Java does, on which Sigfox's backend seems to run: at least one digit after the point; plain for magnitudes
// from 1e-3 up to 1e7 and for zero, else as in 1.0E-4 and -4.294595E8. All of it is JSON.
func AppendNumber(dst []byte, v float64, size int) []byte {
	if a := math.Abs(v); v == 0 || a >= 1e-3 && a < 1e7 {
		before := len(dst)
		dst = strconv.AppendFloat(dst, v, 'f', -1, size)
		return withPoint(dst, before)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], v, 'e', -1, size)
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	before := len(dst)
	dst = append(dst, text[:e]...)
	dst = append(withPoint(dst, before), 'E')
	if text[e+1] == '-' {
		dst = append(dst, '-')
	}
	exponent := text[e+2:]
	if exponent[0] == '0' { // Go writes at least two digits
		exponent = exponent[1:]
	}
	return append(dst, exponent...)
}

// withPoint sees to it that what was appended since before has a digit after the point.
func withPoint(dst []byte, before int) []byte {
	if bytes.IndexByte(dst[before:], '.') >= 0 {
		return dst
	}
	return append(dst, ".0"...)
}
