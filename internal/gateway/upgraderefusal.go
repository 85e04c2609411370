package gateway

import (
	"errors"
	"net/http"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
)

// httpError is a refusal whose status is not that of its kind, with the header that belongs to it.
type httpError struct {
	status        int
	name          string
	header, value string
	err           error
}

func (e *httpError) Error() string { return e.err.Error() }
func (e *httpError) Unwrap() error { return e.err }

func badUpgrade(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "not an upgrade to MQTT over WebSocket: "+format, args...).
		WithRemedy("send GET %s as RFC 6455 says, with a WebSocket library", mqttPath)
}

var errTooManySockets = fault.New(fault.Throttled, "too many sockets of one address wait to be let in")

// refuseUpgrade answers an upgrade that is not to be: a signature that is not good with 403, a request that is not right
// with 400 (message broker reference, "MQTT over WebSocket Secure").
func (g *Gateway) refuseUpgrade(w http.ResponseWriter, r *http.Request, trace string, err error) {
	g.noteUpgrade(r, trace, err)
	f := awsapi.DataKinds.FailureOf(withoutHint(err), trace)
	f.TraceID = trace
	if fault.Is(err, fault.Unauthenticated) {
		f.Status, f.Name = http.StatusForbidden, "ForbiddenException"
	}
	if e, ok := errors.AsType[*httpError](err); ok {
		f.Status, f.Name = e.status, e.name
		w.Header().Set(e.header, e.value)
	}
	awsapi.LogRefusal(g.log, r, trace, f.Name, "", err)
	if r.ContentLength != 0 { // else the answer waits for a body that may never come
		w.Header().Set("Connection", "close")
	}
	f.Write(w)
}

// withoutHint keeps from strangers which of key and token is wrong: that is for the journal.
func withoutHint(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if _, known := errors.AsType[iam.NameError](err); !ok || !known {
		return err
	}
	plain := *e
	plain.Remedy = ""
	return &plain
}

// noteUpgrade counts and records an upgrade that was refused.
func (g *Gateway) noteUpgrade(r *http.Request, trace string, err error) {
	p := PeerOf(r.Context())
	e := journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: trace,
		Listener: string(p.Listener), ServerName: p.Domain, Reason: awsapi.LogReason(err),
	}
	p.Locate(&e)
	if awsapi.Signed(r) {
		e.AuthType, e.PrincipalID = "AWS_SIGV4", awsapi.ClaimedKey(r)
	}
	if named, ok := errors.AsType[*reasoned](err); ok {
		e.Reason = named.reason
	}
	g.counts.WebSockets[failedBy(err)].Add(1)
	if g.journal != nil {
		g.journal.Record(broker.Entry(e, err))
	}
}

func failedBy(err error) Result {
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Denied:
		return AuthFailed
	case fault.Internal, fault.Unavailable:
		return ServerFailed
	case fault.Throttled:
		return Throttled
	case fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict, fault.InUse, fault.TooLarge, fault.Unsupported:
	}
	return ClientFailed
}
