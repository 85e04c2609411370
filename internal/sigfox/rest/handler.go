package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// Config is what a Handler needs. Backend and Guard are required.
type Config struct {
	Backend *backend.Backend
	Guard   *awsapi.Guard // knows the access keys
	Log     *slog.Logger  // nil discards

	// Refused hears of requests that nobody is let in with; login is what they claim. Denied hears of what policies
	// refused. Both may be nil.
	Refused func(w http.ResponseWriter, r *http.Request, login string, err error)
	Denied  func(w http.ResponseWriter, r *http.Request, by *awsapi.Caller, denied awsapi.Denial)
}

// Handler answers the API. It is safe for concurrent use and has no goroutine.
type Handler struct {
	cfg Config
	log *slog.Logger
}

// New makes a Handler.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{cfg: cfg, log: cfg.Log}
}

// prefixes begin the paths of the API; the second is an alias.
var prefixes = []string{"/v2/", "/api/v2/"}

// Owns reports whether a path is of the API.
func Owns(path string) bool {
	_, _, ok := split(path)
	return ok
}

func split(path string) (prefix, rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(path, p); ok {
			return p, rest, true
		}
	}
	return "", "", false
}

// call is one request.
type call struct {
	*backend.Backend
	r      *http.Request
	w      http.ResponseWriter
	by     awsapi.Caller
	prefix string
	path   []string // what stands where the pattern has names, decoded
	query  query
}

func (c *call) ctx() context.Context { return c.r.Context() }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := awsapi.Begin(w)
	defer awsapi.Recover(h.log, r, id, "rest", func(err error) { h.refuse(w, r, err) })
	c := &call{Backend: h.cfg.Backend, r: r, w: w}
	if err := h.serve(c); err != nil {
		h.refuse(w, r, err)
	}
}

func (h *Handler) serve(c *call) error {
	if len(c.r.Header["Origin"]) > 0 {
		return fault.New(fault.Denied, "the API does not answer to web pages").WithRemedy("call it from a program; leave the header Origin out")
	}
	login, err := h.authenticate(c)
	if err != nil {
		if h.cfg.Refused != nil {
			h.cfg.Refused(c.w, c.r, login, err)
		}
		return err
	}
	op, err := c.route()
	if err != nil {
		return err
	}
	if err := c.by.Authorise("sigfox:"+op.name, "*"); err != nil {
		return err
	}
	if c.query, err = readQuery(c.r.URL.RawQuery, op.parameters); err != nil {
		return err
	}
	return op.run(c)
}

// authenticate finds out whose login and password these are.
func (h *Handler) authenticate(c *call) (login string, err error) {
	login, password, ok := c.r.BasicAuth()
	if !ok {
		return "", fault.New(fault.Unauthenticated, "the request has no login").WithRemedy("use basic authentication with an access key's id and secret: thingwire key create")
	}
	keys := h.cfg.Guard.Keys()
	secret, err := keys.Secret(c.ctx(), login, "")
	if err != nil && !iam.IsUnknown(err) {
		return login, err
	}
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(secret))
	if same := subtle.ConstantTimeCompare(given[:], want[:]) == 1; err != nil || !same {
		return login, fault.New(fault.Unauthenticated, "no access key has this id and this secret").WithRemedy("see thingwire key list")
	}
	id, err := keys.Identify(c.ctx(), login, "")
	if err != nil {
		return login, err
	}
	from, _ := netip.ParseAddrPort(c.r.RemoteAddr) // the zero address where there is none
	c.by = h.cfg.Guard.Caller(id, "", from.Addr().Unmap(), "")
	if h.cfg.Denied != nil {
		c.by.Denied = func(d awsapi.Denial) { h.cfg.Denied(c.w, c.r, &c.by, d) }
	}
	return login, nil
}
