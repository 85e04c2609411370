package receive

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

const secretSize = sha256.Size

// Secret opens an endpoint. It is shown once; no printed form has it but Reveal.
type Secret string

// Reveal gives the secret, to show it once.
func (s Secret) Reveal() string { return string(s) }

// String shows nothing.
func (Secret) String() string { return "secret" }

// GoString shows nothing.
func (Secret) GoString() string { return "receive.Secret(…)" }

// minSecret is the fewest characters of a secret that somebody chose.
const minSecret = 16

// check refuses secrets that can be guessed, or that cannot travel in a path or a header.
func (s Secret) check() error {
	if len(s) < minSecret || len(s) > 256 {
		return invalid("the secret has %d characters", len(s)).WithRemedy("use 16 to 256 letters, digits, or -._~; or leave it out to get one made")
	}
	for _, c := range []byte(s) {
		if !strings.ContainsRune(secretCharacters, rune(c)) {
			return invalid("the secret has a character that is no letter, digit, or -._~").WithRemedy("use others, or leave it out to get one made")
		}
	}
	return nil
}

// secretCharacters need no encoding in a path or a header.
const secretCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

func newSecret() Secret { return Secret(rand.Text()) }

func (s Secret) hash() [secretSize]byte { return sha256.Sum256([]byte(s)) }

// shows reports whether a request shows the secret of the endpoint. c is nil where there is no such endpoint: the work is
// the same.
func (c *compiled) shows(r *http.Request, inPath string) bool {
	auth, login, header := AuthPath, "", ""
	var want [secretSize]byte // no secret has this hash
	if c != nil {
		auth, login, header, want = c.Auth, c.Login, c.Header, c.secret
	}
	given, ok := inPath, true
	switch auth {
	case AuthHeader:
		given = r.Header.Get(header)
	case AuthBasic:
		var name string
		name, given, ok = r.BasicAuth()
		ok = ok && subtle.ConstantTimeCompare([]byte(name), []byte(login)) == 1
	}
	if auth != AuthPath && inPath != "" {
		ok = false // the path is another one
	}
	got := Secret(given).hash()
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && ok
}

// errNobody is the same whether there is no such endpoint or its secret is another.
func errNobody() error {
	return fault.New(fault.Unauthenticated, "no receiving endpoint has this name and this secret").
		WithRemedy("compare the callback's URL and headers with: thingwire sigfox receiver show")
}
