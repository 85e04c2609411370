package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// defaultMaxBody holds the largest request of any service here, a CloudFormation template in a form, with room.
const defaultMaxBody = 1 << 20

// Verifier verifies signatures. It is safe for concurrent use; the fields are set before the first.
type Verifier struct {
	// Lookup gives the secret of an access key; token is the session token of the request, "" when there is none. Its
	// errors are the answer of Verify as they are.
	Lookup func(ctx context.Context, accessKeyID, token string) (secret string, err error)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// MaxBody is how much body is read to be hashed, 1 MiB when 0. A door may allow less with http.MaxBytesReader.
	MaxBody int64

	keys keyCache
}

// Verify verifies the signature of a request for one of the services, and says whose it is. It reads the body, which
// is part of what is signed, and leaves in r one that reads the same bytes again.
//
// The signature says who sent the request. Whether that one may do what is asked is another question.
func (v *Verifier) Verify(r *http.Request, services ...string) (Credential, error) {
	s, err := Parse(r)
	if err != nil {
		return Credential{}, err
	}
	if err := s.checkService(services); err != nil {
		return Credential{}, err
	}
	if err := s.checkTime(v.now()); err != nil {
		return Credential{}, err
	}
	secret, err := v.Lookup(r.Context(), s.AccessKeyID, s.Token)
	if err != nil {
		return Credential{}, err
	}
	payload, err := v.payload(r, &s)
	if err != nil {
		return Credential{}, err
	}
	name := keyName{secret, s.Date, s.Region, s.Service}
	key, kept := v.keys.get(name)
	if !s.verifies(&key, r, payload) {
		return Credential{}, s.explain(&key, r, payload)
	}
	if !kept {
		v.keys.keep(name, key)
	}
	return s.Credential, nil
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// payload is the last line of the canonical request: the body's hash, or UNSIGNED-PAYLOAD where the client chose not to
// sign it. That word is signed itself, so nobody else can choose it.
func (v *Verifier) payload(r *http.Request, s *Signature) (string, error) {
	if s.hash == unsigned {
		return unsigned, nil
	}
	if strings.HasPrefix(s.hash, "STREAMING-") {
		return "", refuse(ErrIncomplete, "bodies signed in chunks (%s) are for S3", fault.Quoted(s.hash))
	}
	hash, err := v.hashBody(r)
	if err != nil {
		return "", err
	}
	if s.hash != "" && s.hash != hash {
		return "", refuse(ErrDoesNotMatch, "the body is not the one whose hash stands in x-amz-content-sha256: its SHA-256 is %s, not %s", hash, fault.Quoted(s.hash)).
			WithRemedy("look for what changes the body on its way")
	}
	return hash, nil
}

func (v *Verifier) hashBody(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return emptyHash, nil
	}
	limit := v.MaxBody
	if limit <= 0 {
		limit = defaultMaxBody
	}
	body, err := readBody(r, limit)
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		return emptyHash, nil
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body := bytes.NewBuffer(make([]byte, 0, max(r.ContentLength, 0)+bytes.MinRead))
	n, err := body.ReadFrom(io.LimitReader(r.Body, limit+1))
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(over.Limit)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the request's body cannot be read")
	}
	if n > limit {
		return nil, tooLarge(limit)
	}
	return body.Bytes(), nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "the request's body is larger than %d bytes", limit)
}

// verifies reads the request as it came, and then in the other ways that clients may mean it.
func (s *Signature) verifies(key *[32]byte, r *http.Request, payload string) bool {
	if s.made(key, r, s.received(r, payload)) {
		return true
	}
	for f := range s.readings(r, payload) {
		if s.made(key, r, f) {
			return true
		}
	}
	return false
}

// made reports whether the signature is that of one form. It takes the same time whatever differs.
func (s *Signature) made(key *[32]byte, r *http.Request, f form) bool {
	sum := s.sum(key, r, f)
	return subtle.ConstantTimeCompare(sum[:], s.mac[:]) == 1
}
