package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/registry"
)

// Config is what a gateway stands on.
type Config struct {
	Broker    *broker.Broker
	Registry  *registry.Registry
	Authority *registry.Authority
	Log       *slog.Logger
	// Journal records who was refused, disconnected and throttled, and why; nil records nothing.
	Journal *journal.Journal
	// HTTP answers what is not MQTT on the listeners that speak HTTP; nil answers 501.
	HTTP http.Handler
	// Guard knows the access keys that sign upgrades to MQTT over WebSocket; nil refuses signed upgrades.
	Guard *awsapi.Guard
	// MayUpgrade is asked before an upgrade is looked at; its error is the answer, and for it to record under the id of
	// the request. nil takes all: who serves web pages on a listener keeps those of others away.
	MayUpgrade func(r *http.Request, requestID string) error
	// PerAddress caps sockets of one address that have not been let in yet; 0 means 256. Loopback is never capped.
	PerAddress int
}

// Gateway is the device door: its listeners and connections.
type Gateway struct {
	broker    *broker.Broker
	registry  *registry.Registry
	authority *registry.Authority
	guard     *awsapi.Guard
	limits    *broker.Limits
	log       *slog.Logger
	journal   *journal.Journal
	http      *httpDoor
	wheel     *wheel
	epoch     time.Time
	all       *policy.Set
	stopNews  []func()
	counts    Counts

	handshakes chan struct{} // bounds the handshakes at once
	perAddress int
	waiting    waitingRoom
	mayUpgrade func(*http.Request, string) error

	mu          sync.Mutex
	closing     bool
	listeners   []net.Listener
	ports       map[Kind]int // of the listeners
	conns       map[*conn]struct{}
	strangers   map[net.Conn]struct{}         // sockets before they are connections
	byPrincipal map[string]map[*conn]struct{} // see principals

	accepting sync.WaitGroup
	serving   sync.WaitGroup
}

// New makes a gateway without listeners. Shutdown ends it.
func New(cfg Config) *Gateway {
	if cfg.PerAddress == 0 {
		cfg.PerAddress = 256
	}
	if cfg.MayUpgrade == nil {
		cfg.MayUpgrade = func(*http.Request, string) error { return nil }
	}
	g := &Gateway{
		broker:      cfg.Broker,
		registry:    cfg.Registry,
		authority:   cfg.Authority,
		guard:       cfg.Guard,
		mayUpgrade:  cfg.MayUpgrade,
		limits:      cfg.Broker.Limits(),
		log:         cfg.Log,
		journal:     cfg.Journal,
		epoch:       time.Now(),
		all:         policy.AllowAll(),
		handshakes:  make(chan struct{}, 4*runtime.GOMAXPROCS(0)),
		perAddress:  cfg.PerAddress,
		waiting:     waitingRoom{m: map[string]int{}},
		conns:       map[*conn]struct{}{},
		strangers:   map[net.Conn]struct{}{},
		ports:       map[Kind]int{},
		byPrincipal: map[string]map[*conn]struct{}{},
	}
	g.wheel = newWheel(g)
	g.http = newHTTPDoor(g, cfg.HTTP)
	if g.registry != nil {
		g.stopNews = append(g.stopNews, g.registry.OnChange(g.certificateChanged))
	}
	if g.guard != nil {
		g.stopNews = append(g.stopNews, g.guard.Keys().OnChange(g.keysChanged))
	}
	return g
}

// now is the time since the gateway was made, in nanoseconds.
func (g *Gateway) now() int64 { return int64(time.Since(g.epoch)) }

// anonymous is the one principal of the plain mqtt listener: it may do everything.
func (g *Gateway) anonymous(clientID string) *broker.Caller {
	return broker.NewCaller("anonymous", clientID, g.all, &policy.Connection{ClientID: clientID, HasClientID: true})
}

// Shutdown closes the listeners, tells every client (v5: 0x8B) and waits for the connections to end. When ctx ends
// first, the sockets are closed without a word.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return nil
	}
	g.closing = true
	for _, l := range g.listeners {
		_ = l.Close() // it accepts no more either way
	}
	for c := range g.conns {
		c.fail(broker.Cause{
			Reason: broker.ServerInitiated, Code: byte(mqtt.CodeServerShuttingDown), Text: "the server is shutting down",
		})
	}
	for c := range g.strangers {
		_ = c.Close() // nobody has heard of it
	}
	g.mu.Unlock()
	g.accepting.Wait()
	err := g.http.shutdown(ctx)
	done := make(chan struct{})
	go func() {
		g.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		g.closeAll()
		<-done
		err = ctx.Err()
	}
	for _, stop := range g.stopNews {
		stop()
	}
	g.wheel.close()
	return err
}

func (g *Gateway) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.shut()
	}
}
