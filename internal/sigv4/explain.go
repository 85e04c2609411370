package sigv4

import (
	"net/http"
	"path"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// mismatch is what AWS says.
const mismatch = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// explain makes the refusal of a signature that does not match. It tries the mistakes that signers make, to name the
// one it is; that tells only whoever has the secret anything.
func (s *Signature) explain(key *[32]byte, r *http.Request, payload string) *fault.Error {
	for _, m := range s.mistakes(r, payload) {
		if s.made(key, r, m.form) {
			return refuse(ErrDoesNotMatch, mismatch).WithRemedy("%s", m.words)
		}
	}
	return refuse(ErrDoesNotMatch, mismatch).WithRemedy(
		"the secret of %s is another one than the client has, or something between changed the request; received were %s %s, host %s, signed headers %s",
		fault.Quoted(s.AccessKeyID), fault.Quoted(r.Method), fault.Quoted(rawPath(r)), fault.Quoted(r.Host), fault.Quoted(strings.Join(s.SignedHeaders, ";")))
}

// mistake is a canonical form that is wrong, and what is wrong with it.
type mistake struct {
	form
	words string
}

func (s *Signature) mistakes(r *http.Request, payload string) []mistake {
	right := s.received(r, payload)
	var all []mistake
	add := func(words string, change func(f *form)) {
		f := right
		change(&f)
		if f != right {
			all = append(all, mistake{f, words})
		}
	}
	raw := rawPath(r)
	add("the client signed the path as it is sent; services other than S3 encode each segment once more", func(f *form) { f.path = raw })
	add("the client signed the decoded path; the path as sent has to be encoded once more", func(f *form) { f.path = r.URL.Path })
	add("the client signed a cleaned path (// and dots removed), but sent it as it was", func(f *form) { f.path = canonicalPath(path.Clean(raw)) })
	add("the client signed an empty body, but sent one", func(f *form) { f.payload = emptyHash })
	add("the client signed UNSIGNED-PAYLOAD, but does not say so in x-amz-content-sha256", func(f *form) { f.payload = unsigned })
	add("the client did not sign the query", func(f *form) { f.query = "" })
	add("the client signed the query without X-Amz-Security-Token, which only MQTT over WebSocket at "+mqttPath+" does",
		func(f *form) { f.query = canonicalQuery(rawQuery(r), asSent, append(s.outside(r), tokenHeader)...) })
	for _, host := range otherHosts(r) {
		add("the client signed the host "+fault.Quoted(host)+", but "+fault.Quoted(r.Host)+" arrived: a proxy may have changed the Host header",
			func(f *form) { f.host = host })
	}
	return all
}
