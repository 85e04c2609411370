package sigv4

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer signs requests with one access key, for one service in one region.
type Signer struct {
	AccessKeyID string
	Secret      string
	Token       string // of a session; may be empty
	Region      string
	Service     string
}

// Sign signs a request that is about to be sent: it sets X-Amz-Date, X-Amz-Security-Token and Authorization. Signed are
// the host, the content type and all headers of AWS that are there. body is what r.Body will read.
func (k Signer) Sign(r *http.Request, body []byte, at time.Time) {
	s := k.signature(at)
	r.Header.Del("Authorization")
	r.Header.Set(dateHeader, s.date)
	r.Header.Del(tokenHeader)
	if k.Token != "" {
		r.Header.Set(tokenHeader, k.Token)
	}
	s.SignedHeaders = signedNames(r)
	sum := sha256.Sum256(body)
	mac := k.sum(&s, r, form{
		path:    canonicalPath(rawPath(r)),
		query:   canonicalQuery(rawQuery(r), strict),
		host:    cmp.Or(r.Host, r.URL.Host),
		payload: cmp.Or(r.Header.Get(hashHeader), hex.EncodeToString(sum[:])),
	})
	r.Header.Set("Authorization", algorithm+" Credential="+s.String()+
		", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+", Signature="+mac)
}

func signedNames(r *http.Request) []string {
	names := []string{"host"}
	for key := range r.Header {
		if key == "Content-Type" || strings.HasPrefix(key, "X-Amz-") || strings.HasPrefix(key, "X-Amzn-") && key != "X-Amzn-Trace-Id" {
			names = append(names, strings.ToLower(key))
		}
	}
	slices.Sort(names)
	return names
}

// Presign gives the address of a GET that is signed in its query, good for expires (at most a day here). For
// MQTT over WebSocket, the path /mqtt, the session token stands outside the signature, as AWS IoT wants it; elsewhere it
// is signed.
func (k Signer) Presign(u *url.URL, at time.Time, expires time.Duration) *url.URL {
	s := k.signature(at)
	s.SignedHeaders = []string{"host"}
	add := func(query, name, value string) string {
		return strings.TrimPrefix(query+"&"+name+"="+string(appendEncoded(nil, value, false)), "&")
	}
	query := u.RawQuery
	query = add(query, "X-Amz-Algorithm", algorithm)
	query = add(query, "X-Amz-Credential", s.String())
	query = add(query, dateHeader, s.date)
	query = add(query, "X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	query = add(query, "X-Amz-SignedHeaders", "host")
	inside := k.Token != "" && u.Path != mqttPath
	if inside {
		query = add(query, tokenHeader, k.Token)
	}
	r := &http.Request{Method: http.MethodGet, URL: u}
	mac := k.sum(&s, r, form{
		path:    canonicalPath(rawPath(r)),
		query:   canonicalQuery(query, strict),
		host:    u.Host,
		payload: emptyHash,
	})
	query = add(query, "X-Amz-Signature", mac)
	if k.Token != "" && !inside {
		query = add(query, tokenHeader, k.Token)
	}
	signed := *u
	signed.RawQuery = query
	return &signed
}

func (k Signer) signature(at time.Time) Signature {
	date := at.UTC().Format(dateLayout)
	return Signature{
		Credential: Credential{AccessKeyID: k.AccessKeyID, Date: date[:len("yyyymmdd")], Region: k.Region, Service: k.Service},
		date:       date,
	}
}

func (k Signer) sum(s *Signature, r *http.Request, f form) string {
	key := (&keyName{k.Secret, s.Date, s.Region, s.Service}).signingKey()
	sum := s.sum(&key, r, f)
	return hex.EncodeToString(sum[:])
}
