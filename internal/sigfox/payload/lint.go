package payload

import "fmt"

// Lint says what of a configuration is allowed but probably not meant, a line each. It is empty for most.
func (c Config) Lint() []string {
	var hints []string
	for i, f := range c.fields {
		hints = append(hints, f.lintAlone()...)
		if i > 0 && !f.indexed {
			hints = append(hints, f.lintAfter(c.fields[i-1])...)
		}
	}
	return hints
}

func (f placed) lintAlone() []string {
	var hints []string
	if n := f.Bytes(); n > FrameBytes {
		hints = append(hints, fmt.Sprintf("%s needs %d bytes, a frame has at most %d: it is always null", f.Name, n, FrameBytes))
	}
	if f.LittleEndian && f.Kind != Float && f.Bits > 8 && f.Bits%8 != 0 {
		hints = append(hints, fmt.Sprintf("%s is little-endian with %d bits, which is no multiple of 8: Sigfox does not say what that means; "+
			"the last %d bits are read as the most significant ones", f.Name, f.Bits, f.Bits%8))
	}
	return hints
}

// lintAfter looks at a field without byte index and the one that it follows.
func (f placed) lintAfter(before placed) []string {
	if f.overlaps(before.Field) {
		return []string{fmt.Sprintf("%s reads the same byte twice: it has no byte index and follows %s, which has a bit offset, so that it starts at "+
			"byte %d again; to start at the next byte write %s:%d:%s", f.Name, before.Name, f.firstByte(), f.Name, before.Bytes(), f.typeText())}
	}
	if skipped := 8*before.Bytes() - (before.FirstBit + before.Bits); !before.bitOffset && skipped > 0 && !f.bitOffset && f.Bits <= skipped {
		last := before.Bytes() - 1
		g := f
		g.FirstBit, g.bitOffset = 8*last+8-skipped, true
		return []string{fmt.Sprintf("%s starts at byte %d, the low %d bits of byte %d are read by no field: to share the byte with %s write %s:%d:%s",
			f.Name, f.firstByte(), skipped, last, before.Name, f.Name, last, g.typeText())}
	}
	return nil
}

// typeText writes the type as the grammar has it.
func (f placed) typeText() string {
	switch f.Kind {
	case Bool:
		return fmt.Sprintf("bool:%d", f.offset())
	case Char:
		return fmt.Sprintf("char:%d%s", f.Bits/8, f.offsetText())
	case Float, Uint, Int:
	}
	endian := ""
	switch {
	case f.LittleEndian:
		endian = ":little-endian"
	case f.bitOffset:
		endian = ":"
	}
	return fmt.Sprintf("%s:%d%s%s", f.Kind, f.Bits, endian, f.offsetText())
}

func (f placed) offsetText() string {
	if !f.bitOffset {
		return ""
	}
	return fmt.Sprintf(":%d", f.offset())
}
