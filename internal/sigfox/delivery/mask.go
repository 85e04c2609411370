package delivery

import (
	"net/http"
	"net/url"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

// secretWords are parts of names whose values are secrets.
var secretWords = []string{"auth", "token", "secret", "password", "passwd", "pwd", "apikey", "accesskey", "credential", "signature", "cookie", "session"}

var plainName = strings.NewReplacer("-", "", "_", "", ".", "")

func isSecret(name string) bool {
	name = strings.ToLower(plainName.Replace(name))
	if name == "key" || name == "code" || name == "sig" || name == "xkey" {
		return true
	}
	for _, w := range secretWords {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// shown is a callback as it can be shown: without the login in its URL, and without the values of headers and parameters
// that are called like secrets.
func shown(r *Request) Sent {
	s := Sent{Method: r.Method, URL: MaskURL(r.URL), Body: r.Body}
	if r.Method != http.MethodGet {
		s.ContentType = contentType(r)
	} else {
		s.Body = ""
	}
	for _, h := range r.Headers {
		s.Headers = append(s.Headers, Header{h.Name, MaskHeader(h.Name, h.Value)})
	}
	return s
}

// MaskHeader gives the value of a header, hidden if the header is called like a secret.
func MaskHeader(name, value string) string {
	if isSecret(name) {
		return masked
	}
	return value
}

// MaskURL hides the login in a URL and parameters that are called like secrets. It works on the text, because what cannot be
// parsed is shown too.
func MaskURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return maskQuery(text)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = masked + rest[at:]
	}
	return scheme + "://" + maskQuery(rest)
}

func maskQuery(text string) string {
	path, query, ok := strings.Cut(text, "?")
	if !ok {
		return text
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, ok := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if ok && (err != nil || isSecret(plain)) {
			parts[i] = name + "=" + masked
		}
	}
	return path + "?" + strings.Join(parts, "&")
}
