package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// form is what the canonical request says where clients may differ. The method, the signed headers and their list are
// always those of the request.
type form struct {
	path    string // canonical: encoded once more
	query   string // canonical
	host    string
	payload string // the payload's hash in hexadecimal, or UNSIGNED-PAYLOAD
}

// canonicalPath encodes a path as it came over the wire once more, as all services but S3 do: "/topics/a%2Fb" is signed
// as "/topics/a%252Fb". Nothing is cleaned: an empty segment may be part of a topic.
func canonicalPath(raw string) string {
	for i := range len(raw) {
		if c := raw[i]; !unreserved(c) && c != '/' {
			return string(appendEncoded(make([]byte, 0, len(raw)+16), raw, true))
		}
	}
	return raw
}

// appendCanonical appends the canonical request: AWS general reference, "Create a signed AWS API request", step 1.
func (s *Signature) appendCanonical(dst []byte, r *http.Request, f form) []byte {
	dst = append(append(dst, r.Method...), '\n')
	dst = append(append(dst, f.path...), '\n')
	dst = append(append(dst, f.query...), '\n')
	for _, name := range s.SignedHeaders {
		dst = append(append(dst, name...), ':')
		if name == "host" {
			dst = appendValue(dst, f.host)
		} else {
			values, _ := headerValues(r, name)
			for i, v := range values {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = appendValue(dst, v)
			}
		}
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, name...)
	}
	dst = append(dst, '\n')
	return append(dst, f.payload...)
}

// appendValue appends a header's value without the spaces around it, and with runs of spaces joined.
func appendValue(dst []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") && strings.IndexByte(v, '\t') < 0 {
		return append(dst, v...)
	}
	blank := false
	for i := range len(v) {
		if c := v[i]; c != ' ' && c != '\t' {
			dst = append(dst, c)
			blank = false
		} else if !blank {
			dst = append(dst, ' ')
			blank = true
		}
	}
	return dst
}

// sum is the signature of r in one form, under the signing key.
func (s *Signature) sum(key *[32]byte, r *http.Request, f form) [32]byte {
	canonical := sha256.Sum256(s.appendCanonical(make([]byte, 0, 1024), r, f))

	text := make([]byte, 0, 256)
	text = append(append(text, algorithm...), '\n')
	text = append(append(text, s.date...), '\n')
	text = append(append(text, s.scope()...), '\n')
	text = hex.AppendEncode(text, canonical[:])
	return mac(key[:], text)
}

func mac(key, text []byte) (sum [32]byte) {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(text) // a hash never fails
	h.Sum(sum[:0])
	return sum
}
