package mqtt

import "encoding/binary"

// propertyWriter writes the property section of a packet. Each method writes its property only when it is in has, so
// that a packet lists all it may carry, one line each.
type propertyWriter struct {
	b   []byte
	at  int // where the length of the section stands
	has PropertySet
}

// writeProperties opens a section at the end of dst; done closes it.
func writeProperties(dst []byte, has PropertySet) propertyWriter {
	return propertyWriter{b: append(dst, 0), at: len(dst), has: has}
}

func (w *propertyWriter) done() []byte { return closeLength(w.b, w.at) }

// begin writes the identifier, if its property is to be written.
func (w *propertyWriter) begin(id byte) bool {
	if w.has&(1<<id) == 0 {
		return false
	}
	w.b = append(w.b, id)
	return true
}

func (w *propertyWriter) byte(id, v byte) {
	if w.begin(id) {
		w.b = append(w.b, v)
	}
}

func (w *propertyWriter) bool(id byte, v bool) { w.byte(id, bit(v, 1)) }

func (w *propertyWriter) uint16(id byte, v uint16) {
	if w.begin(id) {
		w.b = binary.BigEndian.AppendUint16(w.b, v)
	}
}

func (w *propertyWriter) uint32(id byte, v uint32) {
	if w.begin(id) {
		w.b = binary.BigEndian.AppendUint32(w.b, v)
	}
}

func (w *propertyWriter) text(id byte, v string) {
	if w.begin(id) {
		w.b = appendText(w.b, v)
	}
}

func (w *propertyWriter) binary(id byte, v []byte) {
	if w.begin(id) {
		w.b = appendText(w.b, v)
	}
}

// user writes User Properties, which are on the wire already.
func (w *propertyWriter) user(u UserProperties) { w.b = append(w.b, u...) }

// when is the set p if there is something to write, else the empty set.
func when(there bool, p PropertySet) PropertySet {
	if there {
		return p
	}
	return 0
}

// bit is mask if on, else 0.
func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}
