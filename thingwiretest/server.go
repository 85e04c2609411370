package thingwiretest

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/server"
)

// Server is a running server. It is stopped with the test that started it.
type Server struct {
	server *server.Server
}

// Option changes what Start starts.
type Option func(*options)

type options struct {
	cfg server.Config
	log slog.Handler
}

// WithLimits chooses the limits profile: "open", the default, has AWS's sizes without its rates, "aws" has both.
func WithLimits(profile string) Option { return func(o *options) { o.cfg.Limits = profile } }

// WithAccount sets the account id in every ARN, twelve digits; the default is 000000000000.
func WithAccount(id string) Option { return func(o *options) { o.cfg.Account = id } }

// WithRegion sets the region in every ARN; the default is us-east-1.
func WithRegion(name string) Option { return func(o *options) { o.cfg.Region = name } }

// WithHostname adds a name to the server's certificate, for clients that connect by another name than localhost. The
// first is what DescribeEndpoint says.
func WithHostname(name string) Option {
	return func(o *options) { o.cfg.Hostnames = append(o.cfg.Hostnames, name) }
}

// WithLog sends the server's log somewhere else; the default is the test's log, from level Info.
func WithLog(h slog.Handler) Option { return func(o *options) { o.log = h } }

// Start runs a server until the test is over. It ends the test if that is not possible.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	o := options{cfg: server.Default(), log: slog.NewTextHandler(t.Output(), nil)}
	o.cfg.InMemory = true
	for _, name := range listeners {
		o.cfg.Listen.Set(name, "127.0.0.1:0")
	}
	for _, opt := range opts {
		opt(&o)
	}
	s, err := server.New(context.WithoutCancel(t.Context()), o.cfg, slog.New(o.log))
	if err != nil {
		t.Fatal("thingwiretest:", err)
	}
	t.Cleanup(func() { stop(t, s) })
	if err := s.Start(); err != nil {
		t.Fatal("thingwiretest:", err)
	}
	return &Server{s}
}

// listeners are all that Addr knows.
var listeners = [...]string{"mqtts", "https", "api", "shared", "console", "mqtt", "metrics"}

// stop stops s. After a test that failed it says what the server had against its clients.
func stop(t testing.TB, s *server.Server) {
	t.Helper()
	if t.Failed() {
		for _, line := range why(s, journal.Query{Failures: true}) {
			t.Log("thingwire:", line)
		}
	}
	if err := s.Close(); err != nil {
		t.Error("thingwiretest:", err)
	}
}

// Addr is the host:port of a listener: mqtts, https, api, shared (as AWS's port 443), console, mqtt (without TLS, for
// anybody, everything is allowed) or metrics. Any other name gives an empty text.
func (s *Server) Addr(listener string) string { return s.server.Addr(listener) }

// RootPEM is the certificate of the server's CA, which clients must trust.
func (s *Server) RootPEM() []byte { return s.server.RootPEM() }

// AllowEverything is a policy document for NewThing that allows everything in the server's account and region.
func (s *Server) AllowEverything() string {
	cfg := s.server.Config()
	return policy.AllowEverything(cfg.Account, cfg.Region)
}

// ThingScoped is a policy document for NewThing that lets a thing connect with its name as client id, and publish to,
// subscribe to and receive from topics that begin with its name.
func (s *Server) ThingScoped() string {
	cfg := s.server.Config()
	return policy.ThingScoped(cfg.Account, cfg.Region)
}

// Why says what the server refused to a client id, dropped or ended, and for which cause, oldest first; to an empty
// client id what it refused to those who never said who they are.
func (s *Server) Why(clientID string) []string {
	return why(s.server, journal.Query{ClientID: clientID, Failures: true, Unnamed: clientID == ""})
}

func why(s *server.Server, q journal.Query) []string {
	var lines []string
	for _, e := range s.Journal().Query(q) {
		var line strings.Builder
		line.WriteString(e.EventType)
		for _, part := range []struct{ before, text string }{
			{" of ", e.ClientID}, {" on ", e.TopicName}, {": ", e.Cause}, {"; ", e.Remedy},
		} {
			if part.text != "" {
				line.WriteString(part.before + part.text)
			}
		}
		lines = append(lines, line.String())
	}
	return lines
}
