package payload

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// FrameBytes is the most that a Sigfox frame carries.
const FrameBytes = 12

// farthest is the number of bytes within which every field must end. Sigfox documents no bound. Anything past FrameBytes
// is never there and only worth a warning; this one keeps numbers from overflowing.
const farthest = 1 << 20

// MaxText is the longest configuration, in bytes. Sigfox documents no bound; one that names each bit of a frame has less.
const MaxText = 4096

// SyntaxError says where a configuration is wrong and what would have been right there. Its kind is fault.Invalid.
type SyntaxError struct {
	Offset   int    // in bytes from the start of the text
	Expected string // in words
	Got      string // what stands there, quoted where it is text
}

// Error counts characters from 1, as editors do.
func (e *SyntaxError) Error() string { return e.Unwrap().Error() }

// Unwrap gives the error its kind.
func (e *SyntaxError) Unwrap() error {
	return fault.New(fault.Invalid, "payload config is wrong at character %d: expected %s, got %s", e.Offset+1, e.Expected, e.Got)
}

// Parse reads a configuration. The empty text is one without fields. The error is a *SyntaxError.
func Parse(text string) (Config, error) {
	if len(text) > MaxText {
		return Config{}, &SyntaxError{Offset: MaxText, Expected: "the end within " + strconv.Itoa(MaxText) + " bytes", Got: "more"}
	}
	c := Config{text: text}
	seen := map[string]bool{}
	cursor := 0
	for at := 0; at < len(text); {
		if text[at] == ' ' {
			at++
			continue
		}
		end := at + len(text[at:])
		if i := strings.IndexByte(text[at:], ' '); i >= 0 {
			end = at + i
		}
		d := definition{text: text[:end], at: at, whole: text}
		f, err := d.field(cursor)
		if err != nil {
			return Config{}, err
		}
		if seen[f.Name] { // Sigfox does not say; two values of one name cannot both be meant
			return Config{}, &SyntaxError{Offset: at, Expected: "a name that no other field has", Got: strconv.Quote(f.Name)}
		}
		seen[f.Name] = true
		c.fields = append(c.fields, f)
		cursor = f.next()
		at = end
	}
	return c, nil
}

// next is the byte at which a field without byte index starts that follows f. After a bit offset it is the last byte that
// was used, so that more of its bits can be read.
func (f placed) next() int {
	if f.bitOffset {
		return f.Bytes() - 1
	}
	return f.Bytes()
}

// definition reads one field definition from left to right.
type definition struct {
	text  string // the whole configuration up to the end of this definition
	at    int    // where the next part begins
	whole string
}

// Words for what is expected; a test holds each.
const (
	wantName   = "a field name of letters, digits, - _ and #"
	wantIndex  = "a byte index of digits, or nothing to follow on"
	wantType   = "bool, char, float, uint or int"
	wantBit    = "a bit from 0 to 7"
	wantBits   = "a length of 1 to 64 bits"
	wantBytes  = "a length of at least 1 byte"
	wantFloat  = "a length of 32 or 64 bits"
	wantEndian = "little-endian, big-endian or a bit offset from 0 to 7"
	wantEnd    = "a blank and the next field, or the end"
)

func (d *definition) field(cursor int) (placed, error) {
	var f placed
	if i := strings.IndexByte(d.text[d.at:], ','); i >= 0 {
		return f, d.wrong(d.at+i, "a blank between fields")
	}
	index, err := d.head(&f)
	if err != nil {
		return f, err
	}
	indexAt := d.at - 1 - len(index) // where the byte index is, for an error
	offset, err := d.typeDef(&f)
	if err != nil {
		return f, err
	}
	if d.at < len(d.text) {
		return f, d.wrong(d.at, wantEnd)
	}
	start := cursor
	if f.indexed = index != ""; f.indexed {
		start = number(index)
	}
	f.FirstBit = start*8 + 7 - offset
	if f.Bytes() > farthest {
		return f, d.wrong(indexAt, "a place within the first "+strconv.Itoa(farthest)+" bytes")
	}
	return f, nil
}

// head reads name and byte index with their colons.
func (d *definition) head(f *placed) (index string, err error) {
	n := 0
	for d.at+n < len(d.text) && nameByte(d.text[d.at+n]) {
		n++
	}
	if n == 0 || d.at+n < len(d.text) && d.text[d.at+n] != ':' {
		return "", d.wrong(d.at+n, wantName)
	}
	f.Name = d.text[d.at : d.at+n]
	d.at += n
	if !d.colon() {
		return "", d.wrong(d.at, "a colon and the byte index")
	}
	at := d.at
	index = d.part()
	if !digits(index) && index != "" {
		return "", d.wrongPart(at, index, wantIndex)
	}
	if !d.colon() {
		return "", d.wrong(d.at, "a colon and the type")
	}
	return index, nil
}

// typeDef reads the type and what belongs to it, and answers the bit offset.
func (d *definition) typeDef(f *placed) (offset int, err error) {
	at := d.at
	keyword := d.part()
	if f.Kind = kindOf(keyword); f.Kind == 0 {
		return 0, d.wrongPart(at, keyword, wantType)
	}
	if f.Kind == Bool {
		f.Bits, f.bitOffset = 1, true
		return d.bit(wantBit)
	}
	if err := d.length(f); err != nil {
		return 0, err
	}
	if f.Kind == Char {
		return d.lastOffset(f)
	}
	return d.endianAndOffset(f)
}

// length reads the colon and the length: bytes for char, bits for the others.
func (d *definition) length(f *placed) error {
	want := map[Kind]string{Char: wantBytes, Float: wantFloat, Uint: wantBits, Int: wantBits}[f.Kind]
	if !d.colon() {
		return d.wrong(d.at, "a colon and "+want)
	}
	at := d.at
	text := d.part()
	n := number(text)
	ok := digits(text) && n >= 1
	switch f.Kind {
	case Char:
		n *= 8
	case Float:
		ok = text == "32" || text == "64"
	case Bool, Uint, Int:
		ok = ok && n <= 64
	}
	if !ok {
		return d.wrongPart(at, text, want)
	}
	f.Bits = n
	return nil
}

// endianAndOffset reads [":" [endian]] [":" offset]. For the offset alone there are two spellings: an empty slot for the
// endianness (uint:4::3), as manufacturers write it, and none (uint:27:2), as in Sigfox's own example.
func (d *definition) endianAndOffset(f *placed) (offset int, err error) {
	if !d.colon() {
		return 7, nil
	}
	at := d.at
	switch text := d.part(); {
	case text == "little-endian":
		f.LittleEndian = true
	case text == "big-endian", text == "":
	case len(text) == 1 && digits(text):
		d.at = at - 1
		return d.lastOffset(f)
	default:
		return 0, d.wrongPart(at, text, wantEndian)
	}
	return d.lastOffset(f)
}

// lastOffset reads [":" offset].
func (d *definition) lastOffset(f *placed) (int, error) {
	if d.at == len(d.text) {
		return 7, nil
	}
	f.bitOffset = true
	return d.bit("a bit offset from 0 to 7")
}

// bit reads the colon and one bit number.
func (d *definition) bit(want string) (int, error) {
	if !d.colon() {
		return 0, d.wrong(d.at, "a colon and "+want)
	}
	at := d.at
	text := d.part()
	if len(text) != 1 || text[0] < '0' || text[0] > '7' {
		return 0, d.wrongPart(at, text, want)
	}
	return int(text[0] - '0'), nil
}

// colon steps over a colon, if there is one.
func (d *definition) colon() bool {
	if d.at == len(d.text) || d.text[d.at] != ':' {
		return false
	}
	d.at++
	return true
}

// part reads up to the next colon or the end.
func (d *definition) part() string {
	text, _, _ := strings.Cut(d.text[d.at:], ":")
	d.at += len(text)
	return text
}

// wrong is an error at a place where one character is to blame.
func (d *definition) wrong(at int, expected string) error {
	got := "the end"
	if at < len(d.whole) {
		r, n := utf8.DecodeRuneInString(d.whole[at:])
		if got = strconv.Quote(d.whole[at : at+n]); r == ' ' {
			got = "a blank"
		}
	}
	return &SyntaxError{Offset: at, Expected: expected, Got: got}
}

// wrongPart is an error at a whole part; where that is empty, what follows it is to blame.
func (d *definition) wrongPart(at int, part, expected string) error {
	if part == "" {
		return d.wrong(at, expected)
	}
	const longest = 40
	if len(part) > longest {
		part = part[:longest] + "…"
	}
	return &SyntaxError{Offset: at, Expected: expected, Got: strconv.Quote(part)}
}

// nameByte: the formal grammar has # where Sigfox's prose leaves it out.
func nameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '#'
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number reads digits; what is far too large stays far too large.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = min(n*10+int(s[i]-'0'), farthest)
	}
	return n
}
