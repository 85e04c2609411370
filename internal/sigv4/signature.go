package sigv4

import (
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	dateLayout  = "20060102T150405Z"
	emptyHash   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	unsigned    = "UNSIGNED-PAYLOAD"
	hashHeader  = "X-Amz-Content-Sha256"
	dateHeader  = "X-Amz-Date"
	tokenHeader = "X-Amz-Security-Token" //nolint:gosec // the name of a header
)

// Skew is how far the clock of a client that signs headers may be off: AWS general reference, "Signature Version 4".
const Skew = 5 * time.Minute

// MaxExpires is how long a presigned request is good at most, and when it does not say.
const MaxExpires = 24 * time.Hour

// Credential is who signed, and for what: the scope of a signature.
type Credential struct {
	AccessKeyID string
	Date        string // yyyymmdd
	Region      string
	Service     string

	// Token is the session token, "" when there is none or an empty one. It is a secret; no printed form has it.
	Token string
}

// String is the scope as requests carry it, without the token.
func (c Credential) String() string { return c.AccessKeyID + "/" + c.scope() }

// GoString keeps the token out of %#v.
func (c Credential) GoString() string { return "sigv4.Credential(" + c.String() + ")" }

// LogValue keeps the token out of logs.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c *Credential) scope() string {
	return c.Date + "/" + c.Region + "/" + c.Service + "/" + terminator
}

// Signature is what a request says of its signature, not yet verified.
type Signature struct {
	Credential
	Time          time.Time     // when it was signed
	Presigned     bool          // it is in the query
	Expires       time.Duration // of a presigned request
	SignedHeaders []string      // in lower case, in the order of the signer

	date string   // Time as the string to sign has it
	hash string   // what the request says of its payload's hash, "" when nothing
	mac  [32]byte // the signature itself
}

// readCredential reads ID/DATE/REGION/SERVICE/aws4_request. The key id may hold no slash, as AWS's never do.
func (s *Signature) readCredential(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 5 {
		return refuse(ErrIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got %s", fault.Quoted(text))
	}
	for _, p := range parts {
		if !isWord(p) {
			return refuse(ErrIncomplete, "Credential %s has an element that is empty or not printable", fault.Quoted(text))
		}
	}
	if parts[4] != terminator {
		return refuse(ErrIncomplete, "Credential should be scoped with a valid terminator: 'aws4_request', not %s", fault.Quoted(parts[4]))
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

// readSignedHeaders reads the names. They stay as they are: the list itself is signed.
func (s *Signature) readSignedHeaders(text string) error {
	s.SignedHeaders = strings.Split(text, ";")
	for _, name := range s.SignedHeaders {
		if !isWord(name) || name != strings.ToLower(name) {
			return refuse(ErrIncomplete, "SignedHeaders %s is not a list of names in lower case", fault.Quoted(text))
		}
	}
	if !s.signs("host") {
		return refuse(ErrIncomplete, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

func (s *Signature) signs(header string) bool { return slices.Contains(s.SignedHeaders, header) }

// readMAC reads 64 hexadecimal digits in lower case. No other spelling is the same signature.
func (s *Signature) readMAC(text string) error {
	n, err := hex.Decode(s.mac[:], []byte(text[:min(len(text), 2*len(s.mac))]))
	if err != nil || n != len(s.mac) || len(text) != 2*len(s.mac) || text != strings.ToLower(text) {
		return refuse(ErrIncomplete, "Signature must be 64 hexadecimal digits in lower case")
	}
	return nil
}

// readDate reads the basic format of ISO 8601. time.Parse alone would let fractions of a second pass.
func (s *Signature) readDate(text string) error {
	t, err := time.Parse(dateLayout, text)
	if err != nil || len(text) != len(dateLayout) {
		return refuse(ErrIncomplete, "Date must be in ISO-8601 'basic format', e.g. 20150830T123600Z. Got %s", fault.Quoted(text))
	}
	s.Time, s.date = t, text
	return nil
}

// isWord reports whether s is printable ASCII without spaces and separators: nothing that could end a line of the
// canonical request or of the string to sign.
func isWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ',' || s[i] == ';' {
			return false
		}
	}
	return s != ""
}
