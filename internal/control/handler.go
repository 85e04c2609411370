package control

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// maxBody holds the largest request there is, a policy document of 404,600 characters with every quote escaped.
const maxBody = 1 << 20

// Config is what the control plane answers from.
type Config struct {
	Registry *registry.Registry
	Account  string
	Region   string

	// Endpoints says which host name DescribeEndpoint answers for each endpoint type ("iot:Data-ATS", …). A type that
	// is absent or empty, and a nil function, answer with the request's own host without port.
	Endpoints func() map[string]string

	// Connectivity tells of the connection of a client id, and whether anything is known of it; nobody's when nil.
	Connectivity func(clientID string) (broker.ConnectionInfo, bool)

	Log *slog.Logger // refusals and failures inside, each with its request id; nowhere when nil
}

// Handler serves the control plane. It must not sit behind an http.ServeMux: that one cleans paths, and labels may hold
// slashes.
type Handler struct {
	cfg      Config
	routes   routes
	requests map[string]requested
	mounts   []mount
}

type mount struct {
	prefix  string
	handler http.Handler
}

// New makes the handler.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Connectivity == nil {
		cfg.Connectivity = func(string) (broker.ConnectionInfo, bool) { return broker.ConnectionInfo{}, false }
	}
	return &Handler{cfg: cfg, routes: newRoutes(operations(), absentOperations()), requests: requests()}
}

// Mount serves all paths that begin with prefix ("/_thingwire/v1/") by handler. The caller is checked first, so handler
// finds one in the request's context; what it may do is handler's to decide. Call it before the first request.
func (h *Handler) Mount(prefix string, handler http.Handler) {
	h.mounts = append(h.mounts, mount{prefix, handler})
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := awsapi.Begin(w)
	defer awsapi.Recover(h.cfg.Log, r, id, "the control plane", func(err error) { failureOf(err, id).Write(w) })
	caller, ok := awsapi.CallerFrom(r.Context())
	if !ok {
		h.refuse(w, r, fault.New(fault.Unauthenticated, "Missing Authentication Token").
			WithRemedy("sign the request with Signature Version 4, or use the admin socket"))
		return
	}
	for _, m := range h.mounts {
		if strings.HasPrefix(r.URL.Path, m.prefix) {
			m.handler.ServeHTTP(w, r)
			return
		}
	}
	answer, err := h.answer(w, r, caller)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	awsapi.WriteJSON(w, http.StatusOK, answer)
}

// answer is one operation from its path to its response members.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, caller awsapi.Caller) (any, error) {
	op, labels, err := h.routes.find(r.Method, r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, unreadable(err)
	}
	c := &call{Request: r, cfg: &h.cfg, op: op, labels: labels, query: r.URL.Query(), body: body}
	if err := h.authorise(c, caller); err != nil {
		return nil, err
	}
	return op.run(c)
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "the request's body is over %d bytes", maxBody)
	}
	return fault.Wrap(fault.Invalid, err, "the request's body cannot be read")
}

// authorise asks the caller's policies about each resource of the request; the first that is not allowed is the answer.
func (h *Handler) authorise(c *call, caller awsapi.Caller) error {
	about, err := c.resources(h.requests)
	if err != nil {
		return err
	}
	keys := c.conditionKeys()
	for _, resource := range about {
		if err := caller.AuthoriseWith("iot:"+c.op.name, resource, keys); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(h.cfg.Log, w, r, err)
}

var _ http.Handler = (*Handler)(nil)
