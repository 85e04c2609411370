package sigv4_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// FuzzParse: no request makes Parse panic, and what it reads could not be mistaken for something else.
func FuzzParse(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Add([]byte("GET /mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&X-Amz-Date= HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nDate: Sat, 21 Nov 2026 20:49:32 GMT\r\n" + authorization(goodScope, "date;host", goodMAC) + "\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := arrive(data)
		if err != nil {
			return
		}
		s, err := sigv4.Parse(r)
		if err != nil {
			if reason(err) == 0 {
				t.Errorf("an error without a reason: %v", err)
			}
			return
		}
		if !sigv4.Signed(r) || strings.Count(s.String(), "/") != 4 || strings.ContainsAny(s.String(), " \n,") {
			t.Errorf("read %v from %q", s, data)
		}
	})
}

// FuzzVerify: nobody without the secret makes a request that verifies. What does is one of the seeds, or says the same.
func FuzzVerify(f *testing.F) {
	var seeds [][]byte
	for _, data := range samples(f) {
		seeds = append(seeds, data)
		f.Add(data)
	}
	v := verifier(signedAt)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, body, err := whole(data)
		if err != nil {
			return
		}
		if _, err := v.Verify(r, "iotdata", "iotdevicegateway"); err != nil {
			return
		}
		for _, seed := range seeds {
			if saysTheSame(t, seed, r, body) {
				return
			}
		}
		t.Errorf("verifies: %q", data)
	})
}

// saysTheSame compares what is signed. The path may have more slashes in front, and an address another port.
func saysTheSame(t *testing.T, seed []byte, r *http.Request, body []byte) bool {
	t.Helper()
	original, originalBody, err := whole(seed)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sigv4.Parse(original)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range s.SignedHeaders {
		if strings.Join(original.Header.Values(name), ",") != strings.Join(r.Header.Values(name), ",") {
			return false
		}
	}
	return r.Method == original.Method && r.URL.Query().Encode() == original.URL.Query().Encode() && bytes.Equal(body, originalBody) &&
		strings.TrimLeft(r.URL.EscapedPath(), "/") == strings.TrimLeft(original.URL.EscapedPath(), "/") &&
		(r.Host == original.Host || s.Presigned)
}
