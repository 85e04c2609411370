package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
)

// Server is a whole Thingwire on one data directory. It is closed with Close or by the end of Run, once.
type Server struct {
	cfg   Config
	log   *slog.Logger
	rooms *rooms

	mu      sync.Mutex
	started bool
	addrs   map[string]string
	// opened is how to close what Start opened, in the order of opening.
	opened []func() error
	failed chan error // what cannot go on
}

// New opens the data directory and the rooms that stand on it. Nobody can reach the server before Start.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !cfg.InMemory {
		dir, err := filepath.Abs(cfg.DataDir)
		if err != nil {
			return nil, err
		}
		cfg.DataDir = dir
	}
	rooms, err := openRooms(ctx, &cfg, log)
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, log: log, rooms: rooms, addrs: map[string]string{}, failed: make(chan error, 1)}, nil
}

// Config is the configuration that the server runs with: account and region are those of the data directory.
func (s *Server) Config() Config { return s.cfg }

// Start opens the listeners and the admin socket, and writes endpoints.json when all of them are open. After an error
// the server is to be closed.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return nil
	}
	s.started = true
	for _, row := range s.cfg.Listen.all() {
		if err := s.listen(row.name, *row.addr); err != nil {
			return err
		}
	}
	s.rooms.startSigfox(s.addrs)
	if err := s.tell(); err != nil {
		return err
	}
	s.rooms.health.set(serving)
	return nil
}

// tell makes the server known to the verbs on this machine, which find it by its data directory.
func (s *Server) tell() error {
	if s.cfg.InMemory {
		return nil
	}
	if err := s.serveAdmin(); err != nil {
		return err
	}
	return s.announce()
}

// listen opens one listener. The shared one stands on a port that not everybody may open, and nothing but convenience
// is lost without it.
func (s *Server) listen(name, addr string) error {
	if addr == Off {
		return nil
	}
	got, err := s.rooms.gateway.Listen(gateway.Kind(name), addr)
	if name == "shared" && (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRINUSE)) {
		s.log.Warn("the shared listener is not open: clients that use port 443 cannot connect", slog.String("addr", addr), slog.Any("err", err),
			slog.String("remedy", "run with the privilege to open it, free the port, or say --listen-shared off"))
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the server cannot start").WithRemedy("choose another address with --listen-%s, or off", name)
	}
	s.addrs[name] = got.String()
	return nil
}

// adminPatience is how long requests on the admin socket may take to end when the server stops.
const adminPatience = 5 * time.Second

// serveAdmin opens the admin socket. Whoever may open the file is root of the control plane.
func (s *Server) serveAdmin() error {
	l, err := listenAdmin(context.Background(), s.cfg.DataDir)
	if err != nil {
		return err
	}
	base, stop := context.WithCancel(context.Background()) // ends streams that have no end of their own
	door := &http.Server{
		Handler:           s.rooms.asRoot(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := door.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fault.Wrap(fault.Internal, err, "the admin socket failed")
		}
	})
	s.opened = append(s.opened, func() error {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), adminPatience)
		defer cancel()
		err := door.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, door.Close())
		}
		serving.Wait()
		return errors.Join(err, removeIf(filepath.Join(s.cfg.DataDir, adminSocket)))
	})
	return nil
}

// announce writes endpoints.json, the sign that all is open.
func (s *Server) announce() error {
	path := filepath.Join(s.cfg.DataDir, endpointsFile)
	if err := writeJSON(path, Endpoints{Addresses: s.addrs, PID: os.Getpid(), Started: time.Now()}); err != nil {
		return err
	}
	s.opened = append(s.opened, func() error { return removeIf(path) })
	return nil
}

func removeIf(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Addr is the address that the listener of that name got, empty if it is not open.
func (s *Server) Addr(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[name]
}

// Registry knows the things, certificates and policies of the server; it is for whoever runs one inside a program.
func (s *Server) Registry() *registry.Registry { return s.rooms.registry }

// Journal has what happened to clients and why.
func (s *Server) Journal() *journal.Journal { return s.rooms.journal }

// Credentials are the access key of the first start, which may do everything; empty when it was deleted.
func (s *Server) Credentials() Credentials { return s.rooms.first }

// RootPEM is the certificate that clients of this server trust.
func (s *Server) RootPEM() []byte { return s.rooms.authority.RootPEM() }

// Run starts the server if that was not done, waits until ctx ends or the server cannot go on, and closes it.
func (s *Server) Run(ctx context.Context) error {
	err := s.Start()
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-s.failed:
		}
	}
	return errors.Join(err, s.Close())
}

// Close stops the server in order: endpoints.json and the admin socket go first, then the listeners and connections
// with the gateway, then the other rooms. It waits for every goroutine, and what was acknowledged is on disk.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true // a closed server does not start
	s.rooms.health.set(stopping)
	var errs []error
	for len(s.opened) > 0 {
		last := len(s.opened) - 1
		errs = append(errs, s.opened[last]())
		s.opened = s.opened[:last]
	}
	return errors.Join(append(errs, s.rooms.close())...)
}
