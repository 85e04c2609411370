package backend

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Sender makes one delivery and says what it came to: delivery.Sender.
type Sender interface {
	Deliver(ctx context.Context, r *delivery.Request) delivery.Outcome
}

// Config is what a Backend needs. Store and Sender are required.
type Config struct {
	Store  store.Store
	Sender Sender

	Tell func(journal.Entry) // records that a callback fails; nil where nobody does. It must not wait
	Log  *slog.Logger        // nil discards

	// KeepMessages is how many messages of each device are kept (default 1,000); KeepUndelivered how many lines the list
	// of each device type's undelivered ones has (default 20,000). The oldest go first.
	KeepMessages, KeepUndelivered int

	// Speed divides all waiting, for tests and demonstrations: retries, the downlink's window, keep-alives (default 1).
	Speed float64

	// Hints says what about a callback may not do what was meant where this backend stands; nil for nothing.
	Hints func(*Callback) []string

	// Acknowledged is told the fate of each downlink, as JSON (Acknowledgement); nil if nobody listens. It must not wait.
	Acknowledged func(device string, text []byte)

	// Again is how long to wait after an error of the store (default 5 s).
	Again time.Duration

	maxDebts int // see maxDebts; smaller in tests
}

// Defaults of Config.
const (
	DefaultKeepMessages    = 1000
	DefaultKeepUndelivered = 20_000
)

// maxDebts is how many deliveries one callback is owed at most; what comes on top is listed as not delivered at once.
const maxDebts = 100_000

// goodbye is how long deliveries that are under way have when the backend closes.
const goodbye = 2 * time.Second

// Backend is safe for concurrent use.
type Backend struct {
	cfg    Config
	log    *slog.Logger
	counts Counts

	editing     sync.Mutex // orders changes of what is configured, and is held over their commits
	hot         *hot
	known       *known
	lanes       *lanes
	clock       *clock
	undelivered numbering

	ctx    context.Context //nolint:containedctx // of what nobody waits for; ends with Close
	cancel context.CancelFunc
}

// Open opens a backend on a store. Nothing that is owed from before begins until Start. Close ends it.
func Open(ctx context.Context, cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Sender == nil {
		return nil, fault.New(fault.Internal, "the Sigfox backend needs a store and a sender")
	}
	if err := checkFormat(ctx, cfg.Store); err != nil {
		return nil, err
	}
	b := &Backend{cfg: cfg.withDefaults(), undelivered: numbering{last: map[string]uint64{}}}
	b.log = b.cfg.Log
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.hot = &hot{load: b.loadLife, by: map[string]*held{}}
	b.lanes = openLanes(b)
	b.known = openKnown(b)
	b.clock = openClock(b)
	if err := b.lanes.restore(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Start lets what is owed from before go on.
func (b *Backend) Start() {
	b.lanes.start()
	b.clock.start()
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.KeepMessages <= 0 {
		c.KeepMessages = DefaultKeepMessages
	}
	if c.KeepUndelivered <= 0 {
		c.KeepUndelivered = DefaultKeepUndelivered
	}
	if c.Speed <= 0 {
		c.Speed = 1
	}
	if c.maxDebts == 0 {
		c.maxDebts = maxDebts
	}
	if c.Again <= 0 {
		c.Again = 5 * time.Second
	}
	return c
}

// Close ends deliveries and timers and waits for them. What is under way has two seconds to end; what did not is made
// again after the next Open. The store stays open.
func (b *Backend) Close() {
	b.known.close()
	b.lanes.close(goodbye, b.cancel)
	b.cancel()
	b.clock.work.Wait()
	b.lanes.work.Wait()
}

// Counts are for metrics.
func (b *Backend) Counts() *Counts { return &b.counts }

// now is the time as documents keep it: UTC, in milliseconds.
func (b *Backend) now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// scaled is a time to wait at the configured speed.
func (b *Backend) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / b.cfg.Speed)
}

// commit makes ops durable together, and waits for it.
func (b *Backend) commit(ops ...store.DocOp) error { return documents.Commit(b.cfg.Store, ops...) }
