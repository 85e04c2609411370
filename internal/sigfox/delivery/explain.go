package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/thingwire/thingwire/internal/fault"
)

// words are the text of a failure without an answer, and what to do about it.
type words struct{ info, remedy string }

// explain says in the words of the message list why there was no answer.
func explain(err error) words {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return words{f.Cause, f.Remedy}
	}
	if w, ok := explainTLS(err); ok {
		return w
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return explainDNS(dns)
	}
	if timedOut(err) {
		return words{"Timeout", "the receiver has 10 seconds for its whole answer: let it answer first and work later"}
	}
	return explainNetwork(err)
}

func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func explainDNS(err *net.DNSError) words {
	switch {
	case err.IsNotFound:
		return words{"DNS: no such host " + err.Name, "compare the host's name with the callback's URL"}
	case err.IsTimeout:
		return words{"DNS: no answer about " + err.Name, "look at the resolver of the server's machine"}
	}
	return words{"DNS: " + err.Name + " cannot be resolved", "look at the resolver of the server's machine"}
}

func explainNetwork(err error) words {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return words{"Connection refused", "nothing listens there: compare host and port with the callback's URL, or start the receiver"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return words{"No route to host", "the server's machine cannot reach the receiver's network"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), strings.Contains(err.Error(), "server closed idle connection"):
		return words{"Connection closed before the answer was complete", "look at the receiver's log: it ended the connection"}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return words{"No more connections", "the server's machine has no more sockets: raise its limit of open files"}
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return words{"TLS: the receiver speaks plain HTTP", "write http:// in the callback's URL, or use its TLS port"}
	case strings.Contains(text, "malformed HTTP"), strings.Contains(text, "net/http:"), strings.Contains(text, "http2:"), strings.Contains(text, "bad Content-Length"), strings.Contains(text, "transfer encoding"), strings.Contains(text, "chunk"):
		return words{"Answer is not HTTP", "the receiver's answer cannot be read: is it a server of HTTP/1.1?"}
	}
	return words{"Connection failed", clip(text, 200)}
}

func explainTLS(err error) (words, bool) {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if c := unknown.Cert; c != nil && c.Subject.String() == c.Issuer.String() {
			return words{"TLS: unknown authority", "the certificate is self-signed: use one that chains to a public authority"}, true
		}
		return words{"TLS: unknown authority", "use a certificate that chains to a public authority, and send the ones in between with it"}, true
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return words{"TLS: certificate is not for " + clip(name.Host, 100), "use a name that the certificate has, or a certificate with this name"}, true
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return words{"TLS: certificate expired or not yet valid", "renew the certificate, or set the clock"}, true
		}
		return words{"TLS: certificate is not good", clip(invalid.Error(), 200)}, true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return words{"TLS: the receiver does not speak TLS", "write http:// in the callback's URL, or use its TLS port"}, true
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return words{"TLS: " + strings.TrimPrefix(alert.Error(), "tls: "), "the receiver refused the handshake: look at its versions of TLS, and at the callback's SNI option"}, true
	}
	if strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: ") {
		return words{"TLS: handshake failed", clip(err.Error(), 200)}, true
	}
	return words{}, false
}

// clip bounds a text that others had a part in.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
