package mqtt

// maxVarint is the largest Variable Byte Integer, and with it the largest Remaining Length (MQTT 5, 1.5.5).
const maxVarint = 268_435_455

// varint reads the Variable Byte Integer at the head of b. n is its length in bytes: 0 when b ends before it does,
// -1 when it goes on after the fourth byte, which no integer may.
func varint(b []byte) (value, n int) {
	for i, c := range b {
		if i == 4 {
			return 0, -1
		}
		value |= int(c&0x7F) << (7 * i)
		if c < 0x80 {
			return value, i + 1
		}
	}
	if len(b) >= 4 {
		return 0, -1
	}
	return 0, 0
}

// varintSize is the length of x on the wire.
func varintSize(x int) int {
	switch {
	case x < 1<<7:
		return 1
	case x < 1<<14:
		return 2
	case x < 1<<21:
		return 3
	case x <= maxVarint:
		return 4
	}
	panic("mqtt: a packet or property section over 268,435,455 bytes cannot be written")
}

// appendVarint writes x in as few bytes as it needs [MQTT-1.5.5-1].
func appendVarint(dst []byte, x int) []byte {
	for x >= 0x80 {
		dst = append(dst, byte(x)|0x80)
		x >>= 7
	}
	return append(dst, byte(x))
}

// closeLength writes the length of what follows dst[at] into the one byte kept free there, and moves what follows when
// the length needs more.
func closeLength(dst []byte, at int) []byte {
	n := len(dst) - at - 1
	w := varintSize(n)
	if w > 1 {
		dst = append(dst, 0, 0, 0)[:at+w+n]
		copy(dst[at+w:], dst[at+1:at+1+n])
	}
	appendVarint(dst[:at], n)
	return dst
}
