package receive

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// Prefix begins the paths of endpoints: its name follows and, where the path has the secret, that.
const Prefix = "/sigfox/receive/"

// viaHeader is delivery.ViaHeader: the server that a callback comes from.
const viaHeader = "X-Thingwire-Via"

// ServeHTTP takes one callback.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	id := uuid.NewString()
	w.Header().Set("X-Request-Id", id)
	c, err := r.authenticate(req)
	var answer []byte
	if err == nil {
		answer, err = r.take(w, req, c)
	}
	switch {
	case err != nil:
		r.refused.Add(1)
		r.note(req, c, id, err)
		r.refuse(w, c, err)
	case answer == nil:
		r.received.Add(1)
		w.WriteHeader(http.StatusNoContent)
	default:
		r.received.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // the sender went away
	}
}

// authenticate finds the endpoint whose secret the request shows.
func (r *Receiver) authenticate(req *http.Request) (*compiled, error) {
	name, secret, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, Prefix), "/")
	c := (*r.endpoints.Load())[name]
	if !c.shows(req, secret) {
		return nil, errNobody()
	}
	switch {
	case len(req.Header["Origin"]) > 0:
		return c, fault.New(fault.Denied, "a web page sent this").WithRemedy("only a Sigfox backend sends callbacks")
	case c.Disabled:
		return c, fault.New(fault.Denied, "the receiving endpoint %s is switched off", c.Name).WithRemedy("thingwire sigfox receiver enable %s", c.Name)
	case r.cfg.Origin != "" && req.Header.Get(viaHeader) == r.cfg.Origin:
		return c, fault.Wrap(fault.Denied, errLoop, "a callback of this server leads to its own receiving endpoint %s", c.Name).
			WithRemedy("let the callback publish by the channel AWS_IOT instead, or allow the listener for callbacks")
	}
	return c, nil
}

type loopError struct{}

// Error names it.
func (loopError) Error() string { return "loop detected" }

// Label says that it is no more than a name.
func (loopError) Label() {}

var errLoop = loopError{}

// take decodes, publishes and answers. Nothing to say is nil.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, c *compiled) ([]byte, error) {
	v, err := c.decode(w, req)
	if err != nil {
		return nil, err
	}
	if err := r.publish(req.Context(), c, v); err != nil {
		return nil, err
	}
	return r.answer(req.Context(), c, v)
}

// statuses are what senders are told. Sigfox sends again what was not answered with 2xx.
var statuses = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.Unauthenticated: http.StatusUnauthorized, fault.Denied: http.StatusForbidden,
	fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Throttled: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable, fault.Unsupported: http.StatusUnsupportedMediaType,
}

// refuse answers with the cause in words; to who has not shown a secret, without.
func (r *Receiver) refuse(w http.ResponseWriter, c *compiled, err error) {
	status, ok := statuses[fault.KindOf(err)]
	if !ok {
		status = http.StatusInternalServerError
	}
	if errors.Is(err, errMethod) {
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", "GET, POST, PUT")
	}
	if errors.Is(err, errLoop) {
		status = http.StatusLoopDetected
	}
	if c == nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="sigfox"`)
		w.WriteHeader(status)
		return
	}
	message := err.Error()
	if status == http.StatusInternalServerError {
		message = "internal failure; the server's log has it"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the sender went away
}

// note tells the journal and the log what was refused. The path is in neither: it may have a secret.
func (r *Receiver) note(req *http.Request, c *compiled, id string, err error) {
	e := broker.Entry(journal.Entry{
		EventType: journal.PublishIn, Protocol: "HTTP", LogLevel: journal.LevelError, TraceID: id, Packet: "callback",
	}, err)
	if c != nil {
		e.PrincipalID = Principal(c.Name)
	} else {
		e.EventType = journal.AuthNError
	}
	if from, err := netip.ParseAddrPort(req.RemoteAddr); err == nil {
		e.SourceIP, e.SourcePort = from.Addr().Unmap().String(), from.Port()
	}
	if r.cfg.Journal != nil {
		r.cfg.Journal.Record(e)
	}
	level := slog.LevelInfo
	if fault.Is(err, fault.Internal) {
		level = slog.LevelError
	}
	r.cfg.Log.Log(req.Context(), level, "callback refused", slog.String("request", id), slog.String("from", req.RemoteAddr),
		slog.String("endpoint", e.PrincipalID), slog.String("cause", e.Cause))
}
