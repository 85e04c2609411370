package registry

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// Config is what a Registry needs. Store is required.
type Config struct {
	Account   string // twelve digits; "000000000000" when empty
	Region    string // "us-east-1" when empty
	Partition string // aws, aws-cn or aws-us-gov; taken from the region when empty

	Store     store.Store
	Authority *Authority // signs device certificates; without one, creating certificates is refused

	Now func() time.Time // time.Now when nil

	// KeysAhead is how many keys for CreateKeysAndCertificate are kept ready, once the first was asked for. They are made
	// while the process is idle. 0 makes each key when it is asked for.
	KeysAhead int

	// Events publishes an event on its $aws/… topic, once the change that it tells of is durable; the payload is its own.
	// It is called while names are locked: it must not wait, nor change the registry. Nil where nobody publishes.
	Events func(topic string, payload []byte)

	// Logging is told the logging options when there are some, and after each change, one call at a time. It must not wait.
	Logging func(*Logging)
	// LogEventTypes are the types of entries that there can be: levels for others are refused.
	LogEventTypes []string
}

// Registry is safe for concurrent use.
type Registry struct {
	cfg       Config
	arnPrefix string // up to and including the colon before the resource
	names     *nameLocks
	cache     *cache
	news      *news
	keys      *keysAhead
	events    atomic.Pointer[map[EventType]bool] // those that are on; nil when all are off
	unfollow  func()                             // the settings

	background context.Context // of the reads that no caller waits for; ends with Close
	cancel     context.CancelFunc
}

// Open starts a registry on a store. It starts a goroutine, and one more if keys are made ahead; Close ends them.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	if cfg.Store == nil {
		return nil, errors.New("registry: Config.Store is missing")
	}
	if err := checkFormat(ctx, cfg.Store); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Registry{
		cfg:       cfg,
		arnPrefix: "arn:" + cfg.Partition + ":iot:" + cfg.Region + ":" + cfg.Account + ":",
		names:     newNameLocks(),
		cache:     newCache(),
	}
	if err := r.indexAttributes(ctx); err != nil {
		return nil, err
	}
	if err := r.followSettings(ctx); err != nil {
		return nil, err
	}
	r.background, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.news = openNews(r)
	r.keys = openKeysAhead(cfg.KeysAhead, makeDeviceKey, processIdle)
	return r, nil
}

// Close ends the registry's watches and waits for its goroutines. The store stays open.
func (r *Registry) Close() {
	r.cancel()
	r.unfollow()
	r.news.Close()
	r.keys.Close()
}

func (c Config) withDefaults() Config {
	if c.Account == "" {
		c.Account = "000000000000"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Partition == "" {
		c.Partition = partitionOf(c.Region)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logging == nil {
		c.Logging = func(*Logging) {}
	}
	return c
}

// now is the time as documents keep it: UTC, in milliseconds, as AWS shows it.
func (r *Registry) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Millisecond) }
