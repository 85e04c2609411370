package template

import (
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

// Header is a custom header as it was typed.
type Header struct{ Name, Value string }

// HeaderTemplate is a custom header whose value is rendered for each message.
type HeaderTemplate struct {
	Name  string
	Value *Template
}

// ParseHeaders checks the custom headers of a callback with the URL u: names are fixed, none twice, no standard header but
// Authorization, and that not beside a login in the URL.
func ParseHeaders(headers []Header, k Kind, fields payload.Config, u *Template) ([]HeaderTemplate, error) {
	if len(headers) > MaxHeaders {
		return nil, fault.New(fault.Invalid, "a callback has %d headers, %d are allowed", len(headers), MaxHeaders)
	}
	place := HeaderValue
	if u.place.ofBatch() {
		place = BatchHeaderValue
	}
	seen := map[string]bool{}
	all := make([]HeaderTemplate, 0, len(headers))
	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if err := checkHeaderName(h.Name); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fault.New(fault.Invalid, "header %s is there twice", h.Name)
		}
		seen[name] = true
		if name == "authorization" && u.HasCredentials() {
			return nil, fault.New(fault.Invalid, "the callback has a login in its URL and a header Authorization").WithRemedy("use one of them")
		}
		value, err := Parse(h.Value, k, fields, place)
		if err != nil {
			return nil, err
		}
		all = append(all, HeaderTemplate{Name: h.Name, Value: value})
	}
	return all, nil
}

func checkHeaderName(name string) error {
	if len(split(name)) > 1 || placeholder(name) > 0 {
		return fault.New(fault.Invalid, "header name %s has a variable", quote(name)).WithRemedy("variables may stand in the values of headers")
	}
	if name == "" || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return !tokenRune(r) }) {
		return fault.New(fault.Invalid, "%s is no header name", quote(name)).WithRemedy("use letters, digits and -")
	}
	if lower := strings.ToLower(name); lower != "authorization" && standardHeader(lower) {
		return fault.New(fault.Invalid, "header %s is a standard header of HTTP", name).
			WithRemedy("of these only Authorization may be set; any X-… name is fine")
	}
	return nil
}

// tokenRune is what names of headers are made of (RFC 9110, section 5.6.2).
func tokenRune(r rune) bool {
	return r < 0x80 && (letter(byte(r)) || digit(byte(r)) || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// standardPrefixes and standardHeaders are the fields that IANA registers for requests, answers and connections, and which
// the sender or what is between sets.
var (
	standardPrefixes = []string{"accept", "access-control-", "content-", "if-", "proxy-", "sec-"}
	standardHeaders  = []string{
		"age", "allow", "alt-svc", "alt-used", "authentication-info", "authorization", "cache-control", "clear-site-data", "close", "connection",
		"cookie", "cookie2", "cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "date", "depth",
		"destination", "dnt", "early-data", "etag", "expect", "expires", "forwarded", "from", "host", "http2-settings", "keep-alive",
		"last-modified", "link", "location", "lock-token", "max-forwards", "mime-version", "origin", "overwrite", "pragma", "prefer",
		"preference-applied", "priority", "range", "referer", "referrer-policy", "refresh", "retry-after", "server", "set-cookie",
		"set-cookie2", "sourcemap", "strict-transport-security", "te", "timeout", "traceparent", "tracestate", "trailer", "transfer-encoding",
		"upgrade", "upgrade-insecure-requests", "user-agent", "vary", "via", "want-content-digest", "warning", "www-authenticate",
	}
)

func standardHeader(lower string) bool {
	return slices.Contains(standardHeaders, lower) ||
		slices.ContainsFunc(standardPrefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}
