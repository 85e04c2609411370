package payload

import "slices"

// Kind is what the bits of a field mean.
type Kind uint8

// The types of the grammar, by its keywords.
const (
	Bool  Kind = iota + 1 // one bit
	Char                  // text, a character per byte
	Float                 // IEEE 754 binary32 or binary64
	Uint                  // unsigned, 1 to 64 bits
	Int                   // two's complement over exactly its width, 1 to 64 bits
)

var kindNames = [...]string{Bool: "bool", Char: "char", Float: "float", Uint: "uint", Int: "int"}

// String is the keyword of the grammar.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Numeric reports whether values of this kind are numbers.
func (k Kind) Numeric() bool { return k == Float || k == Uint || k == Int }

// kindOf finds a type by its keyword, 0 if there is none.
func kindOf(keyword string) Kind {
	return Kind(max(slices.Index(kindNames[1:], keyword)+1, 0))
}

// Field is a named run of bits.
type Field struct {
	Name         string
	FirstBit     int // from the start of the frame; the most significant bit of the first byte is 0
	Bits         int
	Kind         Kind
	LittleEndian bool
}

// Bytes is how many bytes a frame must have for the field to be in it.
func (f Field) Bytes() int { return (f.FirstBit + f.Bits + 7) / 8 }

// firstByte is the first byte that the field touches.
func (f Field) firstByte() int { return f.FirstBit / 8 }

// offset is the number of the bit in the first byte where the field starts, as the grammar counts: 7 is the most
// significant.
func (f Field) offset() int { return 7 - f.FirstBit%8 }

// overlaps reports whether the two share a bit.
func (f Field) overlaps(g Field) bool {
	return f.FirstBit < g.FirstBit+g.Bits && g.FirstBit < f.FirstBit+f.Bits
}

// placed is a field and how its place was written.
type placed struct {
	Field
	indexed   bool // with a byte index
	bitOffset bool // with a bit offset, which a bool always has
}

// Config is a parsed configuration. It does not change; the zero value has no fields.
type Config struct {
	text   string
	fields []placed
}

// String is the text that was parsed.
func (c Config) String() string { return c.text }

// Fields are the fields in the order of the text.
func (c Config) Fields() []Field {
	fields := make([]Field, len(c.fields))
	for i, f := range c.fields {
		fields[i] = f.Field
	}
	return fields
}

// Field finds a field by its name.
func (c Config) Field(name string) (Field, bool) {
	for _, f := range c.fields {
		if f.Name == name {
			return f.Field, true
		}
	}
	return Field{}, false
}

// Bytes is how many bytes a frame must have for all fields to be in it.
func (c Config) Bytes() int {
	n := 0
	for _, f := range c.fields {
		n = max(n, f.Bytes())
	}
	return n
}
