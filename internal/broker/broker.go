package broker

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// Config is what a broker stands on.
type Config struct {
	Store  store.Store
	Limits Limits
	Log    *slog.Logger
	// Journal records denials, drops and throttles; nil records nothing.
	Journal *journal.Journal
	// Account and Region are in the ARNs that policies are asked about; Partition is "aws" when empty.
	Account, Region, Partition string
}

// Broker routes messages from callers to sessions.
type Broker struct {
	store   store.Store
	limits  Limits
	log     *slog.Logger
	journal *journal.Journal
	arn     string // arn:aws:iot:REGION:ACCOUNT:

	routes    *topic.Tree[*subscription]
	shards    [holderShards]holderShard
	seed      maphash.Seed
	groups    groups
	alarms    *alarms
	versions  versions
	throttles throttles
	data      dataThrottles
	departed  departed
	direct    *Group // what direct messages that somebody waits for travel as

	retainedTopics retainedTopics
	owed           owed

	connections atomic.Int64
	quit        chan struct{} // closed by Close
	lastID      atomic.Uint64
	lastConn    atomic.Uint64
	counts      Counts
	closing     atomic.Bool
	work        crew // drains, and sessions that are being forgotten

	// kept hands out what became durable; used on the store's completion goroutine only.
	kept handOut
}

// Counts are what the broker has done since it was opened, for metrics and tests.
type Counts struct {
	Accepted, Delivered, Refused atomic.Int64
	// RefusedFor tells the refused apart; what is not in it is the fault of the one who published.
	RefusedFor struct{ Auth, Throttled, Server atomic.Int64 }
	// DroppedQueueFull counts messages lost because a session's queue was at its limit, DroppedExpired those whose
	// Message Expiry Interval had passed.
	DroppedQueueFull, DroppedExpired atomic.Int64
	// DroppedThrottled counts messages that were not sent because their receiver was over its rate.
	DroppedThrottled atomic.Int64
}

// Open makes a broker and brings back every persistent session of the store. Close ends it.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	if cfg.Partition == "" {
		cfg.Partition = "aws"
	}
	b := &Broker{
		store:   cfg.Store,
		limits:  cfg.Limits,
		log:     cfg.Log,
		journal: cfg.Journal,
		arn:     "arn:" + cfg.Partition + ":iot:" + cfg.Region + ":" + cfg.Account + ":",
		routes:  topic.NewTree[*subscription](),
		seed:    maphash.MakeSeed(),
		alarms:  newAlarms(),
		groups:  groups{m: map[string]*Group{}},
		quit:    make(chan struct{}),
		direct:  &Group{},
	}
	b.throttles = newThrottles(&b.limits.Rates)
	b.data = newDataThrottles(&b.limits.Data)
	for i := range b.shards {
		b.shards[i].m = map[string]*holder{}
	}
	if err := errors.Join(b.countRetained(ctx), b.restore(ctx)); err != nil {
		b.alarms.close()
		return nil, err
	}
	return b, nil
}

// Limits are the broker's limits; they do not change.
func (b *Broker) Limits() *Limits { return &b.limits }

// Connections is how many connections are open.
func (b *Broker) Connections() int { return int(b.connections.Load()) }

// Counts gives the live counters.
func (b *Broker) Counts() *Counts { return &b.counts }

// Close kicks every connection (server shutting down), and waits for what the broker started. Persistent sessions
// stay in the store. Doors should stop accepting first.
func (b *Broker) Close() {
	if b.closing.Swap(true) {
		return
	}
	b.kickAll(Cause{Reason: ServerInitiated, Code: codeServerShuttingDown, Text: "the server is shutting down"})
	close(b.quit)
	b.alarms.close()
	b.work.close()
}

// MQTT 5 reason codes that the broker itself decides on (MQTT 5, 2.4).
const (
	codeUnspecified          = 0x80
	codeServerShuttingDown   = 0x8B
	codeSessionTakenOver     = 0x8E
	codeAdministrativeAction = 0x98
)

// commit makes a batch durable and waits for it.
func (b *Broker) commit(sb *store.Batch) error {
	if sb.Empty() {
		return nil
	}
	return b.store.Commit(sb).Wait()
}

func errShuttingDown() error {
	return fault.New(fault.Unavailable, "the server is shutting down").WithRemedy("reconnect when it is back")
}

func millis(t time.Time) int64 { return t.UnixMilli() }
