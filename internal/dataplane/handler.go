package dataplane

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// Config is what the data plane answers from.
type Config struct {
	Broker *broker.Broker
	// Journal records every refusal; nil records nothing.
	Journal *journal.Journal
	Log     *slog.Logger // refusals and failures inside, each with its request id; nowhere when nil
}

// Handler serves the data plane. It must not sit behind an http.ServeMux: that one cleans paths, and topics may hold
// slashes in any place.
type Handler struct {
	broker  *broker.Broker
	limits  *broker.Limits
	journal *journal.Journal
	log     *slog.Logger

	publishings sync.Pool // *publishing
}

var _ http.Handler = (*Handler)(nil)

// New makes the handler.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{broker: cfg.Broker, limits: cfg.Broker.Limits(), journal: cfg.Journal, log: cfg.Log}
}

// call is one request to one operation.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	id     string // request id and trace id
	caller awsapi.Caller
	target target

	// What the journal is to know when the call is refused; see note.
	topic  string
	qos    byte
	retain bool
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{w: w, r: r, id: awsapi.Begin(w)}
	defer awsapi.Recover(h.log, r, c.id, "the data plane", func(err error) { h.refuse(&c, err) })
	err := h.serve(&c)
	if err != nil {
		h.refuse(&c, err)
	}
}

// serve finds the operation and runs it. An operation answers by itself unless it gives an error.
func (h *Handler) serve(c *call) error {
	var err error
	c.target, err = find(c.r.Method, rawPath(c.r))
	caller, ok := awsapi.CallerFrom(c.r.Context())
	if !ok {
		return fault.New(fault.Unauthenticated, "the request says not who sends it").
			WithRemedy("sign it with Signature Version 4 for service iotdata, or use a client certificate")
	}
	c.caller = caller
	if err != nil {
		return err
	}
	return c.target.op.run(h, c)
}

// by is the caller as the broker knows him. He has no client id: over HTTP there is none.
func (c *call) by() *broker.Caller {
	return broker.NewCaller(c.caller.Principal, "", c.caller.Policies, c.caller.Vars)
}

// refuse answers with the failure and writes it to the journal, which counts a flood of them, and to the log, which has
// the id of each.
func (h *Handler) refuse(c *call, err error) {
	h.note(c, err)
	if m, ok := errors.AsType[*methodError](err); ok {
		c.w.Header()["Allow"] = []string{m.allowed}
	}
	f := failureOf(c.target.op, err, c.id)
	awsapi.LogRefusal(h.log, c.r, c.id, f.Name, c.target.name(), err)
	f.Write(c.w)
}

// failureOf translates an error to what an operation answers.
func failureOf(op *operation, err error, id string) *awsapi.Failure {
	f := awsapi.DataKinds.FailureOf(err, id)
	f.TraceID = id
	_, wrongMethod := errors.AsType[*methodError](err)
	switch {
	case wrongMethod:
		f.Status, f.Name = http.StatusMethodNotAllowed, "MethodNotAllowedException"
	case errors.Is(err, broker.ErrUnconfirmed):
		f.Status, f.Name = http.StatusGatewayTimeout, "GatewayTimeoutException"
	case f.Status == http.StatusServiceUnavailable && (op == nil || !op.mayBeUnavailable):
		f.Status, f.Name = http.StatusInternalServerError, "InternalFailureException"
	}
	return f
}

// Refuse answers a request that the door in front of the data plane did not let in. What is not about who sent it (a body
// that is too large) goes to the journal as the operation's; the door writes down the rest.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	c := call{w: w, r: r, id: awsapi.Begin(w)}
	c.target, _ = find(r.Method, rawPath(r)) // the refusal there is comes before another one
	f := failureOf(c.target.op, err, c.id)
	if !fault.Is(err, fault.Unauthenticated) {
		h.note(&c, err)
		awsapi.LogRefusal(h.log, r, c.id, f.Name, c.target.name(), err)
	}
	f.Write(w)
}
