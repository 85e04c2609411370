package template

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// checkURL applies the rules of callback URLs: http or https, a host, variables in path and query only. Login and password
// may stand before the host.
func (t *Template) checkURL() error {
	if err := t.checkURLText(); err != nil {
		return err
	}
	if err := t.checkAuthority(); err != nil {
		return err
	}
	u, err := url.Parse(t.skeleton())
	if err != nil {
		return fault.New(fault.Invalid, "the URL %s cannot be read", quote(masked(t.text))) // err has the password in it
	}
	if u.Hostname() == "" {
		return fault.New(fault.Invalid, "the URL %s has no host", quote(masked(t.text)))
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fault.New(fault.Invalid, "the URL %s has port %s", quote(masked(t.text)), quote(port)).WithRemedy("use 1 to 65535, or leave it out")
		}
	}
	return nil
}

// checkURLText looks at the literal text alone.
func (t *Template) checkURLText() error {
	for _, p := range t.pieces {
		for i, r := range p.literal {
			switch {
			case r == '#':
				return fault.New(fault.Invalid, "the URL has a fragment at character %d, which is never sent", p.at+i+1).WithRemedy("write %%23 for the character #")
			case !urlRune(r):
				return fault.New(fault.Invalid, "the URL has %s at character %d", strconv.QuoteRune(r), p.at+i+1).WithRemedy("write it percent-encoded")
			}
		}
	}
	return nil
}

// urlRune is what a URL may hold as it is (RFC 3986, section 2). Anything else is encoded by whoever reads the URL next, and Go's
// net/url then decodes and encodes the whole path: a slash in a value would become one of the path.
func urlRune(r rune) bool {
	return r < 0x80 && (letter(byte(r)) || digit(byte(r)) || strings.ContainsRune("-._~:/?[]@!$&'()*+,;=%", r))
}

// checkAuthority wants the scheme and the host with its port to end before the first variable.
func (t *Template) checkAuthority() error {
	first := ""
	if len(t.pieces) > 0 {
		first = t.pieces[0].literal
	}
	scheme, rest, ok := strings.Cut(first, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return fault.New(fault.Invalid, "the URL %s does not begin with http:// or https://", quote(masked(t.text)))
	}
	if len(t.pieces) > 1 && !strings.ContainsAny(rest, "/?") {
		return fault.New(fault.Invalid, "the URL has {%s} before its path", t.pieces[1].name).
			WithRemedy("variables may stand in path and query, not in scheme, login, host or port")
	}
	return nil
}

// skeleton is the text with something harmless in the place of variables.
func (t *Template) skeleton() string {
	var s strings.Builder
	for _, p := range t.pieces {
		if p.name != "" {
			s.WriteByte('x')
		}
		s.WriteString(p.literal)
	}
	return s.String()
}

// HasCredentials reports whether a URL carries a login, which becomes the header Authorization.
func (t *Template) HasCredentials() bool {
	u, err := url.Parse(t.skeleton())
	return t.place.plain() == URL && err == nil && u.User != nil
}

// masked is a URL for people: without its password.
func masked(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return text
	}
	login, _, _ := strings.Cut(rest[:at], ":")
	return scheme + "://" + login + ":***" + rest[at:]
}
