package server

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// signedDoor lets in whose signature it can verify, and hands the request to the plane that it is for. Nobody comes in
// by anything else: there are no cookies and no ambient identity.
type signedDoor struct {
	rooms *rooms
	log   *slog.Logger
}

// ServeHTTP implements http.Handler.
func (d *signedDoor) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	awsapi.Begin(w)
	p := d.rooms.planes.of(req)
	req.Body = http.MaxBytesReader(w, req.Body, p.maxBody)
	by, err := d.identify(req, p)
	if err != nil {
		d.note(w, req, err)
		p.refuse(w, err)
		return
	}
	p.serve(w, req, by)
}

// identify says who sent a request.
func (d *signedDoor) identify(req *http.Request, p *plane) (awsapi.Caller, error) {
	id, credential, err := d.rooms.guard.Verify(req, p.services...)
	if err != nil {
		return awsapi.Caller{}, err
	}
	from, _ := netip.ParseAddrPort(req.RemoteAddr) // it is of a TCP socket
	return d.rooms.guard.Caller(id, credential.Service, from.Addr().Unmap(), ""), nil
}

// note records a request of somebody whom nobody knows. The access key that it names is not verified, but it is what
// its owner asks for.
func (d *signedDoor) note(w http.ResponseWriter, req *http.Request, err error) {
	e := broker.Entry(journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: awsapi.RequestID(w),
		AuthType: "AWS_SIGV4", Listener: string(gateway.ListenerOf(req.Context())), Packet: req.Method,
	}, err)
	e.Reason = signatureReason(err, e.Reason)
	if s, err := sigv4.Parse(req); err == nil {
		e.PrincipalID = s.AccessKeyID
	}
	if from, err := netip.ParseAddrPort(req.RemoteAddr); err == nil {
		e.SourceIP, e.SourcePort = from.Addr().Unmap().String(), from.Port()
	}
	d.rooms.journal.Record(e)
	d.log.InfoContext(req.Context(), "request refused", slog.String("request", e.TraceID), slog.String("from", req.RemoteAddr),
		slog.String("cause", e.Cause))
}

// signatureReason is the name that AWS's logs have for a refused signature.
func signatureReason(err error, otherwise string) string {
	switch {
	case errors.Is(err, sigv4.ErrMissing):
		return journal.ReasonNotAuthenticated
	case errors.Is(err, sigv4.ErrExpired), errors.Is(err, sigv4.ErrNotYetCurrent), errors.Is(err, iam.ErrExpiredToken):
		return journal.ReasonTokenExpired
	case errors.Is(err, sigv4.ErrDoesNotMatch), errors.Is(err, sigv4.ErrScope):
		return journal.ReasonSignatureMismatch
	case errors.Is(err, sigv4.ErrIncomplete), errors.Is(err, iam.ErrUnrecognizedClient):
		return journal.ReasonTokenInvalid
	}
	return otherwise
}
