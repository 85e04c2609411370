package mqtt

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// maxText is what the two length bytes of a text or binary field can say.
const maxText = 65535

// Eight bytes are looked at in one step: lows has the lowest bit of each byte, highs the highest.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// validText reports whether b may be a UTF-8 string on the wire: well-formed, without surrogates [MQTT-1.5.4-1] and
// without U+0000 [MQTT-1.5.4-2]. Control characters are allowed, as the standard leaves it.
func validText(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		if w&highs != 0 || hasZero(w) {
			return validTextSlow(b)
		}
		b = b[8:]
	}
	return validTextSlow(b)
}

func validTextSlow(b []byte) bool {
	ascii := true
	for _, c := range b {
		if c == 0 {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(b)
}

// hasWildcard reports whether + or # is in b.
func hasWildcard(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		if hasZero(w^'+'*lows) || hasZero(w^'#'*lows) {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c == '+' || c == '#' {
			return true
		}
	}
	return false
}

// hasZero reports whether a byte of w is zero.
func hasZero(w uint64) bool { return (w-lows)&^w&highs != 0 }

// clipText is s, cut at a character when it is longer than the wire can carry.
func clipText[T ~string | ~[]byte](s T) T {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// wireReason makes a reason string fit for the wire. Reasons quote what a peer sent, which may be anything.
func wireReason(s string) string {
	if validText([]byte(s)) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// appendText writes a field with its two length bytes.
func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	s = clipText(s)
	dst = append(dst, byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}
