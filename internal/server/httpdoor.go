package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// bodyPatience is how long a request's body may take to come.
const bodyPatience = 30 * time.Second

// httpDoor lets in whose signature it can verify and, where devices may come by HTTP, whose certificate is active, and
// hands the request to the plane that it is for. Nobody comes in by anything else: there are no cookies and no ambient
// identity.
type httpDoor struct {
	rooms *rooms
	log   *slog.Logger

	devices  bool // a client certificate opens the data plane
	onlyData bool // nothing but the data plane is here
}

// ServeHTTP implements http.Handler.
func (d *httpDoor) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	awsapi.Begin(w)
	p := d.rooms.planes.of(req)
	if d.onlyData && p != &d.rooms.planes.data {
		control.Refuse(d.log, w, req, fault.New(fault.Unsupported, "listener %s has the data plane only", gateway.ListenerOf(req.Context())).
			WithRemedy("send this request to the api listener"))
		return
	}
	if req.ContentLength != 0 {
		// A kept-alive connection gets a new deadline with its next request.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
		req.Body = http.MaxBytesReader(w, req.Body, p.maxBody)
	}
	by, err := d.identify(req, p)
	if err != nil {
		if !p.notes || fault.Is(err, fault.Unauthenticated) {
			d.note(w, req, err)
		}
		p.refuse(w, req, err)
		return
	}
	if by.Identity != nil && !p.notes { // a plane that notes has the broker ask, and tells by itself
		by.Denied = func(denied awsapi.Denial) { d.noteDenied(w, req, &by, denied) }
	}
	p.serve(w, req, by)
}

// identify says who sent a request. A signature goes before a certificate: it says more.
func (d *httpDoor) identify(req *http.Request, p *plane) (awsapi.Caller, error) {
	peer := gateway.PeerOf(req.Context())
	if d.devices && p == &d.rooms.planes.data && !sigv4.Signed(req) {
		device, err := d.rooms.gateway.Device(req)
		if err != nil {
			return awsapi.Caller{}, err
		}
		if device != nil {
			return deviceCaller(device, &peer), nil
		}
	}
	id, credential, err := d.rooms.guard.Verify(req, p.services...)
	if err != nil {
		return awsapi.Caller{}, err
	}
	return d.rooms.guard.Caller(id, credential.Service, peer.Addr.Addr(), peer.Domain), nil
}

// deviceCaller is the caller that an active certificate makes. There is no client id over HTTP.
func deviceCaller(id *registry.Identity, peer *gateway.Peer) awsapi.Caller {
	const none = ""
	return awsapi.Caller{
		ARN: id.CertificateARN, Principal: id.CertificateID, Policies: id.PoliciesFor(none),
		Vars: id.Connection(none, peer.Addr.Addr(), peer.Domain),
	}
}

// noteDenied records an operation that the policies of a signer refused, under the access key.
func (d *httpDoor) noteDenied(w http.ResponseWriter, req *http.Request, by *awsapi.Caller, denied awsapi.Denial) {
	peer := gateway.PeerOf(req.Context())
	auth := "AWS_SIGV4"
	if by.Service == "" {
		auth = "BASIC" // of the Sigfox API: nothing was signed
	}
	e := broker.Entry(journal.Entry{
		EventType: journal.APICall, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: awsapi.RequestID(w),
		PrincipalID: by.Identity.AccessKeyID, AuthType: auth, Listener: string(peer.Listener), Packet: denied.Action,
	}, &broker.DeniedError{Fault: denied.Err, Action: denied.Action, Decision: denied.Decision})
	peer.Locate(&e)
	d.rooms.journal.Record(e)
}

// note records a request of somebody whom nobody knows. The access key that it names is not verified, but it is what
// its owner asks for.
func (d *httpDoor) note(w http.ResponseWriter, req *http.Request, err error) {
	peer := gateway.PeerOf(req.Context())
	e := broker.Entry(journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: awsapi.RequestID(w),
		AuthType: "AWS_SIGV4", Listener: string(peer.Listener), ServerName: peer.Domain, Packet: req.Method,
	}, err)
	if reason := awsapi.LogReason(err); reason != "" {
		e.Reason = reason
	}
	if key := awsapi.ClaimedKey(req); key != "" {
		e.PrincipalID = key
	} else if id := peer.CertificateID(); id != "" {
		e.AuthType, e.PrincipalID = "AWS_X509", id
	}
	peer.Locate(&e)
	d.rooms.journal.Record(e)
	awsapi.LogRefusal(d.log, req, e.TraceID, awsapi.SignatureName(err), "", err)
}
