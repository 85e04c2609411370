package sigv4

import (
	"cmp"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pair is one parameter of a query as it came over the wire.
type pair struct{ name, value string }

// plainName is the name as a door reads it.
func (p pair) plainName() string {
	if strings.IndexByte(p.name, '%') < 0 {
		return p.name
	}
	name, err := url.QueryUnescape(p.name)
	if err != nil {
		return p.name
	}
	return name
}

func pairs(raw string) iter.Seq[pair] {
	return func(yield func(pair) bool) {
		for raw != "" {
			var part string
			part, raw, _ = strings.Cut(raw, "&")
			if part == "" {
				continue
			}
			var p pair
			p.name, p.value, _ = strings.Cut(part, "=")
			if !yield(p) {
				return
			}
		}
	}
}

// spelling is how the pairs of a query go into the canonical one.
type spelling uint8

const (
	asSent spelling = iota // as they came: right for every AWS SDK
	strict                 // decoded, and encoded as RFC 3986 says: for who types a URL by hand
)

// canonicalQuery sorts a query by encoded name, then by value, and leaves out the named parameters.
func canonicalQuery(raw string, how spelling, without ...string) string {
	if raw == "" {
		return ""
	}
	all := make([]pair, 0, 8)
	for p := range pairs(raw) {
		if len(without) > 0 && slices.Contains(without, p.plainName()) {
			continue
		}
		if how == strict {
			p = pair{recode(p.name), recode(p.value)}
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	out := make([]byte, 0, len(raw)+len(all))
	for i, p := range all {
		if i > 0 {
			out = append(out, '&')
		}
		out = append(append(append(out, p.name...), '='), p.value...)
	}
	return string(out)
}

// recode encodes what stands encoded somehow; what cannot be decoded stays as it is.
func recode(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return string(appendEncoded(nil, plain, false))
}

// appendEncoded percent-encodes every byte but the unreserved ones of RFC 3986, and slashes if they are to be kept.
func appendEncoded(dst []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if unreserved(c) || keepSlash && c == '/' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', digits[c>>4], digits[c&15])
	}
	return dst
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// rawPath is the path exactly as on the request line. URL.Path is decoded, and URL.EscapedPath may spell it anew.
func rawPath(r *http.Request) string {
	if r.RequestURI == "" { // a request that is about to be sent
		return cmp.Or(r.URL.EscapedPath(), "/")
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if i := strings.Index(path, "://"); i > 0 && path[0] != '/' { // absolute form, RFC 9112 section 3.2.2
		path = path[i+len("://"):]
		slash := strings.IndexByte(path, '/')
		if slash < 0 {
			return "/"
		}
		path = path[slash:]
	}
	return cmp.Or(path, "/")
}

// rawQuery is the query exactly as on the request line.
func rawQuery(r *http.Request) string { return r.URL.RawQuery }
