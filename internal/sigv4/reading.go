package sigv4

import (
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
)

// mqttPath is where MQTT over WebSocket is served. It alone has the session token outside the signature.
const mqttPath = "/mqtt"

// received is the request as it came.
func (s *Signature) received(r *http.Request, payload string) form {
	return form{
		path:    canonicalPath(rawPath(r)),
		query:   canonicalQuery(rawQuery(r), asSent, s.outside(r)...),
		host:    r.Host,
		payload: payload,
	}
}

// outside are the parameters of the query that stand outside the signature.
func (s *Signature) outside(r *http.Request) []string {
	switch {
	case !s.Presigned:
		return nil
	case r.URL.Path == mqttPath:
		return []string{"X-Amz-Signature", tokenHeader}
	}
	return []string{"X-Amz-Signature"}
}

// readings are all ways in which clients may mean what they sent, the one as received among them. Whatever differs
// between them, a door understands the same.
func (s *Signature) readings(r *http.Request, payload string) iter.Seq[form] {
	return func(yield func(form) bool) {
		for _, path := range paths(r) {
			for _, query := range s.queries(r) {
				for _, host := range s.hosts(r) {
					if !yield(form{path, query, host, payload}) {
						return
					}
				}
			}
		}
	}
}

// paths: an endpoint with a slash at its end makes some SDKs send two, of which they sign one. Only leading slashes are
// joined: further behind they may belong to a topic.
func paths(r *http.Request) []string {
	raw := rawPath(r)
	all := []string{canonicalPath(raw)}
	if strings.HasPrefix(raw, "//") {
		all = append(all, canonicalPath("/"+strings.TrimLeft(raw, "/")))
	}
	return all
}

// queries: strictly encoded, and for /mqtt with the token signed as elsewhere, which generic signers do.
func (s *Signature) queries(r *http.Request) []string {
	raw := rawQuery(r)
	without := s.outside(r)
	all := []string{canonicalQuery(raw, asSent, without...), canonicalQuery(raw, strict, without...)}
	if len(without) > 1 && strings.Contains(raw, tokenHeader) {
		all = append(all, canonicalQuery(raw, asSent, without[0]), canonicalQuery(raw, strict, without[0]))
	}
	return distinct(all)
}

// hosts: who presigns a URL may leave the port out of the host although the client sends it, or the other way round.
func (s *Signature) hosts(r *http.Request) []string {
	if !s.Presigned {
		return []string{r.Host}
	}
	return otherHosts(r)
}

// otherHosts are the Host header as received, without its port, and with the port of this connection.
func otherHosts(r *http.Request) []string {
	name, _, err := net.SplitHostPort(r.Host)
	switch {
	case err != nil:
		name = r.Host
	case strings.Contains(name, ":"):
		name = "[" + name + "]"
	}
	all := []string{r.Host, name}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, port, err := net.SplitHostPort(local.String()); err == nil {
			all = append(all, name+":"+port)
		}
	}
	return distinct(all)
}

func distinct(all []string) []string {
	kept := all[:0]
	for _, s := range all {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}
