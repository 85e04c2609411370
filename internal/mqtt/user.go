package mqtt

import (
	"encoding/binary"
	"iter"
)

// UserProperties are the User Properties of a packet in their wire form: one pair behind the other, each with its
// identifier, in the order they were sent. Kept so, they pass through the broker without being taken apart. Those of
// a decoded packet alias its frame, unless other properties stood between them; then they are a copy.
type UserProperties []byte

// All yields name and value of each pair, in order; the slices alias u. It ends at the first byte that is no pair.
func (u UserProperties) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := []byte(u)
		for len(rest) > 0 && rest[0] == idUser {
			name, tail, ok := cutText(rest[1:])
			if !ok {
				return
			}
			value, tail, ok := cutText(tail)
			if !ok || !yield(name, value) {
				return
			}
			rest = tail
		}
	}
}

// AppendUserProperty appends one pair to dst. It never writes behind the end of a dst that aliases a frame.
func AppendUserProperty(dst UserProperties, key, value string) UserProperties {
	dst = append(dst, idUser)
	dst = appendText(dst, key)
	return appendText(dst, value)
}

// cutText splits a length-prefixed field off b.
func cutText(b []byte) (text, tail []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n:n], b[n:], true
}
