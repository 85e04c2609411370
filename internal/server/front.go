package server

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
)

// front is what the listeners answer over HTTP, each what it may. It looks into the rooms when a request comes: the
// gateway wants it before all of them are open.
func (r *rooms) front(log *slog.Logger) http.Handler {
	api := &httpDoor{rooms: r, log: log}
	other := notThere(log)
	health := paths{"/healthz": r.alive, "/readyz": r.ready}
	doors := map[gateway.Kind]http.Handler{
		gateway.API:     health.before(r.sigfoxDoors(api)),
		gateway.Console: r.sameOrigin(log, paths{"/healthz": r.alive, "/readyz": r.ready, "/metrics": r.scrape}.before(api)),
		gateway.Shared:  &httpDoor{rooms: r, log: log, devices: true},
		gateway.HTTPS:   &httpDoor{rooms: r, log: log, devices: true, onlyData: true},
		gateway.Metrics: paths{"/metrics": r.scrape}.before(other),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		door, ok := doors[gateway.ListenerOf(req.Context())]
		if !ok {
			door = other
		}
		door.ServeHTTP(w, req)
	})
}

// paths are answers to GET and HEAD by exact path. It is no http.ServeMux, which would clean paths that AWS's clients
// send on purpose.
type paths map[string]http.HandlerFunc

// before answers these paths, and lets next answer all others.
func (p paths) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer, ok := p[req.URL.Path]
		switch {
		case !ok:
			next.ServeHTTP(w, req)
		case req.Method != http.MethodGet && req.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			say(w, http.StatusMethodNotAllowed, "GET")
		default:
			answer(w, req)
		}
	})
}

// notThere answers what Thingwire does not have, in AWS's shape.
func notThere(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control.Refuse(log, w, r, fault.New(fault.Unsupported, "Thingwire does not answer this request on this listener yet").
			WithRemedy("see docs/compatibility.md"))
	})
}

// sameOrigin keeps web pages of others away from the console, which stands on this machine without TLS: a page whose
// name was made to point here (DNS rebinding) shows in Host, a page that sends requests across origins in Origin.
func (r *rooms) sameOrigin(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		err := checkOrigin(req)
		if err == nil {
			next.ServeHTTP(w, req)
			return
		}
		r.noteForeign(log, req, awsapi.Begin(w), err)
		control.WriteFailure(w, err)
	})
}

// mayUpgrade keeps web pages of others away from the console's WebSocket too, which the gateway answers itself.
func (r *rooms) mayUpgrade(log *slog.Logger) func(*http.Request, string) error {
	return func(req *http.Request, requestID string) error {
		if gateway.ListenerOf(req.Context()) != gateway.Console {
			return nil
		}
		err := checkOrigin(req)
		if err != nil {
			r.noteForeign(log, req, requestID, err)
		}
		return err
	}
}

// noteForeign counts and records a request that the console refused.
func (r *rooms) noteForeign(log *slog.Logger, req *http.Request, requestID string, err error) {
	r.meters.foreign.Inc()
	e := broker.Entry(journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelWarn, Protocol: "HTTP", Listener: string(gateway.Console),
		Packet: req.Method, Reason: "FOREIGN_PAGE", TraceID: requestID,
	}, err)
	if from, err := netip.ParseAddrPort(req.RemoteAddr); err == nil {
		e.SourceIP, e.SourcePort = from.Addr().String(), from.Port()
	}
	r.journal.Record(e)
	log.WarnContext(req.Context(), "the console refused a request", slog.String("request", requestID), slog.String("from", req.RemoteAddr), slog.String("cause", e.Cause))
}

// checkOrigin takes requests that name this machine by its loopback names and the port they came in by, and of those
// that come from a web page the console's own.
func checkOrigin(req *http.Request) error {
	if !isLoopbackHost(req) {
		return fault.New(fault.Denied, "the console does not answer for the host %q", req.Host).
			WithRemedy("use 127.0.0.1, localhost or [::1] with the console's port")
	}
	for _, origin := range req.Header.Values("Origin") {
		if origin != "http://"+req.Host {
			return fault.New(fault.Denied, "the console does not answer to pages of %q", origin).
				WithRemedy("open the console itself")
		}
	}
	return nil
}

func isLoopbackHost(req *http.Request) bool {
	host, port, err := net.SplitHostPort(req.Host)
	if err != nil {
		host, port = req.Host, "80" // HTTP's own port is not written
	}
	local, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	_, own, err := net.SplitHostPort(local.String())
	names := []string{"127.0.0.1", "localhost", "::1", "[::1]"}
	return err == nil && port == own && slices.Contains(names, strings.ToLower(host))
}
