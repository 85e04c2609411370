package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// rooms are the parts of a server, in the order in which they are opened; they are closed in reverse.
type rooms struct {
	cfg *Config

	store     *pebble.Store
	authority *registry.Authority
	registry  *registry.Registry
	broker    *broker.Broker
	gateway   *gateway.Gateway
	control   *control.Handler

	closers []func() error
}

// doorPatience is how long clients have to take their goodbye.
const doorPatience = 10 * time.Second

// openRooms opens everything that stands on the data directory. The lock of the store comes first: who has it may touch
// the rest of the directory.
func openRooms(ctx context.Context, cfg *Config, log *slog.Logger) (_ *rooms, err error) {
	if err := makeDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	r := &rooms{cfg: cfg}
	defer func() {
		if err != nil {
			_ = r.close() // the first error counts
		}
	}()
	if err := r.openStore(log); err != nil {
		return nil, err
	}
	if err := removeStale(cfg.DataDir); err != nil {
		return nil, err
	}
	if err := fixInstance(cfg, time.Now()); err != nil {
		return nil, err
	}
	for _, open := range []func(context.Context, *slog.Logger) error{r.openAuthority, r.openRegistry, r.openBroker, r.openDoors} {
		if err := open(ctx, log); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rooms) openStore(log *slog.Logger) (err error) {
	r.store, err = pebble.Open(pebble.Options{
		Dir: filepath.Join(r.cfg.DataDir, storeDir), Relaxed: r.cfg.Durability == "relaxed", Log: log,
	})
	if err == nil {
		r.closers = append(r.closers, r.store.Close)
	}
	return err
}

func (r *rooms) openAuthority(context.Context, *slog.Logger) (err error) {
	if r.authority, err = registry.OpenAuthority(r.cfg.DataDir, nil); err != nil {
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

func (r *rooms) openRegistry(ctx context.Context, _ *slog.Logger) (err error) {
	r.registry, err = registry.Open(ctx, registry.Config{
		Account: r.cfg.Account, Region: r.cfg.Region, Store: r.store, Authority: r.authority,
	})
	if err == nil {
		r.closers = append(r.closers, func() error { r.registry.Close(); return nil })
	}
	return err
}

func (r *rooms) openBroker(ctx context.Context, log *slog.Logger) (err error) {
	r.broker, err = broker.Open(ctx, broker.Config{
		Store: r.store, Limits: broker.OpenLimits(), Log: log, Account: r.cfg.Account, Region: r.cfg.Region,
	})
	if err == nil {
		r.closers = append(r.closers, func() error { r.broker.Close(); return nil })
	}
	return err
}

// openDoors makes the gateway, which has no listeners yet, and the control plane.
func (r *rooms) openDoors(_ context.Context, log *slog.Logger) error {
	r.gateway = gateway.New(gateway.Config{Broker: r.broker, Registry: r.registry, Authority: r.authority, Log: log})
	r.closers = append(r.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), doorPatience)
		defer cancel()
		return r.gateway.Shutdown(ctx)
	})
	r.control = control.New(control.Config{
		Registry: r.registry, Account: r.cfg.Account, Region: r.cfg.Region, Endpoints: r.endpoints, Log: log,
	})
	r.control.Mount(privatePrefix, privateAPI(r.cfg, r.broker))
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

// asRoot is the control plane for the admin socket.
func (r *rooms) asRoot() http.Handler {
	root := control.Root(r.cfg.Account)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.control.ServeHTTP(w, req.WithContext(control.WithCaller(req.Context(), root)))
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
