package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// rooms are the parts of a server, in the order in which they are opened; they are closed in reverse.
type rooms struct {
	cfg *Config
	log *slog.Logger

	store     driver
	authority *registry.Authority
	registry  *registry.Registry
	guard     *awsapi.Guard
	first     Credentials // of the first start; empty when they were deleted
	stacks    *cloudformation.Stacks
	sigfox    Credentials // of the Sigfox cloud's account, which may assume roles that trust it; of this start
	journal   *journal.Journal
	broker    *broker.Broker
	gateway   *gateway.Gateway
	fox       sigfoxRooms
	control   *control.Handler
	planes    planes
	health    health
	meters    *meters

	closers []func() error
}

// driver is a store that knows whether it is well.
type driver interface {
	store.Store
	// Degraded gives the error that makes the store refuse commits, nil while all is well.
	Degraded() error
}

// doorPatience is how long clients have to take their goodbye.
const doorPatience = 10 * time.Second

// openRooms opens everything that a server is made of.
func openRooms(ctx context.Context, cfg *Config, log *slog.Logger) (_ *rooms, err error) {
	r := &rooms{cfg: cfg, log: log, meters: newMeters()}
	defer func() {
		if err != nil {
			_ = r.close() // the first error counts
		}
	}()
	ground := r.openDataDir
	if cfg.InMemory {
		ground = r.openMemory
	}
	for _, open := range []func(context.Context, *slog.Logger) error{ground, r.openJournal, r.openAuthority, r.openRegistry, r.openKeys, r.openStacks, r.openBroker, r.openDoors, r.openMetrics} {
		if err := open(ctx, log); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// openDataDir opens what everything else stands on. The lock of the store comes first: who has it may touch the rest of
// the directory.
func (r *rooms) openDataDir(_ context.Context, log *slog.Logger) error {
	if err := makeDataDir(r.cfg.DataDir); err != nil {
		return err
	}
	if err := r.openStore(log); err != nil {
		return err
	}
	if err := errors.Join(removeStale(r.cfg.DataDir), removeCheckpoints(r.cfg.DataDir)); err != nil {
		return err
	}
	return fixInstance(r.cfg, time.Now())
}

// openMemory is openDataDir without a directory.
func (r *rooms) openMemory(context.Context, *slog.Logger) error {
	r.cfg.Account, r.cfg.Region = orDefault(r.cfg.Account, DefaultAccount), orDefault(r.cfg.Region, DefaultRegion)
	r.store = mem.New()
	r.closers = append(r.closers, r.store.Close)
	return nil
}

func (r *rooms) openStore(log *slog.Logger) error {
	disk, err := pebble.Open(pebble.Options{
		Dir: filepath.Join(r.cfg.DataDir, storeDir), Relaxed: r.cfg.Durability == "relaxed", Log: log,
		Observe: r.meters.observeGroup,
	})
	if err == nil {
		r.store = disk
		r.closers = append(r.closers, r.store.Close)
	}
	return err
}

func (r *rooms) openAuthority(context.Context, *slog.Logger) (err error) {
	if r.cfg.InMemory {
		r.authority, err = registry.NewAuthority(nil)
	} else {
		r.authority, err = registry.OpenAuthority(r.cfg.DataDir, nil)
	}
	if err != nil {
		return err
	}
	return r.authority.ServeNames(serverNames(r.cfg))
}

// serverNames are the names in the server's certificates. The last one satisfies clients that take the region from the
// endpoint's name.
func serverNames(cfg *Config) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && checkHostname(name) == nil {
		names = append(names, name)
	}
	names = append(names, cfg.Hostnames...)
	return append(names, "thingwire-ats.iot."+cfg.Region+".amazonaws.localhost")
}

// announce publishes what the registry tells of. The registry is open before the broker, but nothing changes it before
// the doors are.
func (r *rooms) announce(topic string, payload []byte) { r.broker.Announce(topic, payload) }

// keysAhead is how many device keys are made before they are asked for: a rack of devices that is set up at once.
const keysAhead = 32

func (r *rooms) openRegistry(ctx context.Context, _ *slog.Logger) (err error) {
	ahead := keysAhead
	if r.cfg.InMemory {
		ahead = 0 // a server of a test, which does not live to be idle
	}
	r.registry, err = registry.Open(ctx, registry.Config{
		Account: r.cfg.Account, Region: r.cfg.Region, Store: r.store, Authority: r.authority,
		KeysAhead: ahead, Events: r.announce, Logging: r.obeyLogging, LogEventTypes: journal.EventTypes(),
	})
	if err == nil {
		r.closers = append(r.closers, func() error { r.registry.Close(); return nil })
	}
	return err
}

// journalDir is where the journal's segments are, in the data directory.
const journalDir = "journal"

func (r *rooms) openJournal(_ context.Context, log *slog.Logger) (err error) {
	o := journal.Options{Account: r.cfg.Account, Log: log}
	if !r.cfg.InMemory {
		o.Dir = filepath.Join(r.cfg.DataDir, journalDir)
	}
	r.journal, err = journal.Open(o)
	if err == nil {
		r.closers = append(r.closers, r.journal.Close)
	}
	return err
}

// limits are the numbers of the chosen profile, and what the configuration says of queues.
func (r *rooms) limits() broker.Limits {
	l := broker.OpenLimits()
	if r.cfg.Limits == "aws" {
		l = broker.AWSLimits()
	}
	l.RefuseWhenFull = r.cfg.QueueFull == "refuse"
	q := r.cfg.Queue
	if q.Messages > 0 {
		l.QueueMessages, l.GroupMessages = int(q.Messages), int(q.Messages)
	}
	if q.Bytes > 0 {
		l.QueueBytes = q.Bytes
	}
	l.QueueAge = q.Age
	return l
}

func (r *rooms) openBroker(ctx context.Context, log *slog.Logger) (err error) {
	r.broker, err = broker.Open(ctx, broker.Config{
		Store: r.store, Limits: r.limits(), Log: log, Journal: r.journal, Account: r.cfg.Account, Region: r.cfg.Region,
	})
	if err == nil {
		r.closers = append(r.closers, func() error { r.broker.Close(); return nil })
	}
	return err
}

// openDoors makes the gateway, which has no listeners yet, the control plane, and the Sigfox backend beside it.
func (r *rooms) openDoors(ctx context.Context, log *slog.Logger) error {
	r.gateway = gateway.New(gateway.Config{
		Broker: r.broker, Registry: r.registry, Authority: r.authority, Log: log, Journal: r.journal, HTTP: r.front(log),
		Guard: r.guard, MayUpgrade: r.mayUpgrade(log),
	})
	r.closers = append(r.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), doorPatience)
		defer cancel()
		return r.gateway.Shutdown(ctx)
	})
	r.control = control.New(control.Config{
		Registry: r.registry, Account: r.cfg.Account, Region: r.cfg.Region, Endpoints: r.endpoints,
		Connectivity: r.broker.Connectivity, Log: log,
	})
	r.control.Mount(journalPath, &journalAPI{journal: r.journal, log: log})
	private := privateAPI(r.cfg, r.broker, log)
	r.control.Mount(sigfoxPrefix+"template", private) // of the stack: the backend, which has the rest, does not know it
	if err := r.openSigfox(ctx, log); err != nil {
		return err
	}
	r.control.Mount(privatePrefix, private)
	r.openPlanes(log)
	return nil
}

// endpoints is what DescribeEndpoint answers: the first configured name, else the request's own host.
func (r *rooms) endpoints() map[string]string {
	if len(r.cfg.Hostnames) == 0 {
		return nil
	}
	byType := map[string]string{}
	for _, kind := range []string{"iot:Data-ATS", "iot:Data", "iot:CredentialProvider", "iot:Jobs"} {
		byType[kind] = r.cfg.Hostnames[0]
	}
	return byType
}

// asRoot is what the admin socket answers: every plane, to a caller who may do everything.
func (r *rooms) asRoot() http.Handler {
	root := awsapi.Root(r.cfg.Account)
	views := &checkpoints{dir: r.cfg.DataDir, store: r.store, log: r.log}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		awsapi.Begin(w)
		if req.URL.Path == checkpointPath { // of this socket alone: see checkpoints
			views.ServeHTTP(w, req)
			return
		}
		r.planes.of(req).serve(w, req, root)
	})
}

// close closes what is open, the last first.
func (r *rooms) close() error {
	var errs []error
	for len(r.closers) > 0 {
		last := len(r.closers) - 1
		errs = append(errs, r.closers[last]())
		r.closers = r.closers[:last]
	}
	return errors.Join(errs...)
}
