package backend

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Field names the member of a request that a refusal is about, as the REST API spells it; it is the Err of such errors.
type Field string //nolint:errname // it names a member; it is an error only so that refusals can carry it

// Error implements error.
func (f Field) Error() string { return string(f) }

// Label says that the cause has the words: fault.Label.
func (Field) Label() {}

// bad refuses a member.
func bad(field, format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Invalid, Field(field), format, args...)
}

// newID is the id of a device type or callback: 24 hexadecimal digits (Sigfox reference, 4.1).
func newID() string {
	var b [12]byte
	rand.Read(b[:]) // it never fails: it crashes the program instead
	return hex.EncodeToString(b[:])
}

// CanonicalID is a device id as the backend writes it: up to eight hexadecimal digits in upper case without leading zeros
// (Sigfox reference, section 1).
func CanonicalID(text string) (string, error) {
	id := strings.ToUpper(strings.TrimLeft(text, "0"))
	if id == "" || len(text) > 8 || strings.Trim(id, hexDigits) != "" {
		return "", bad("id", "%q is no device id", text).WithRemedy("use up to 8 hexadecimal digits, not all of them 0, such as 2DC7C1")
	}
	return id, nil
}

const hexDigits = "0123456789ABCDEF"

// newPAC is a porting authorisation code: 16 hexadecimal digits.
func newPAC() string {
	var b [8]byte
	rand.Read(b[:])
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func checkPAC(pac string) (string, error) {
	pac = strings.ToUpper(pac)
	if len(pac) != 16 || strings.Trim(pac, hexDigits) != "" {
		return "", bad("pac", "the PAC has %d characters", len(pac)).WithRemedy("a PAC is 16 hexadecimal digits; leave it out to get one made")
	}
	return pac, nil
}
