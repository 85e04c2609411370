package receive

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxEndpoints bounds the endpoints, which are all in memory.
const maxEndpoints = 1000

// Config is what a Receiver needs. Store and Broker are required.
type Config struct {
	Account, Region string

	Store   store.Store
	Broker  *broker.Broker
	Journal *journal.Journal // nil for none
	Log     *slog.Logger     // nil discards

	// Origin is how callbacks of this server name it (delivery.Config.Origin): they are refused, because a server that
	// calls itself has been configured in a circle. Empty refuses none.
	Origin string
	Now    func() time.Time // time.Now when nil
}

// Receiver is all receiving endpoints. It is safe for concurrent use and has no goroutine.
type Receiver struct {
	cfg     Config
	editing sync.Mutex
	// endpoints are replaced as a whole when one changes.
	endpoints atomic.Pointer[map[string]*compiled]

	received, refused atomic.Int64
}

// Open reads the endpoints of a store.
func Open(ctx context.Context, cfg Config) (*Receiver, error) {
	if cfg.Store == nil || cfg.Broker == nil {
		return nil, fault.New(fault.Internal, "receiving endpoints need a store and a broker")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := checkFormat(ctx, cfg.Store); err != nil {
		return nil, err
	}
	r := &Receiver{cfg: cfg}
	all := map[string]*compiled{}
	for d, err := range cfg.Store.List(ctx, endpointsBucket, "", "", 0) {
		if err != nil {
			return nil, err
		}
		c, err := r.decode(d)
		if err != nil { // the others work all the same; thingwire check says it too
			cfg.Log.ErrorContext(ctx, "a receiving endpoint cannot be used", slog.String("endpoint", d.Key), slog.Any("err", err))
			continue
		}
		all[c.Name] = c
	}
	r.endpoints.Store(&all)
	return r, nil
}

func (r *Receiver) decode(d store.Doc) (*compiled, error) {
	e, err := documents.Decode[endpointDoc](endpointsBucket, d)
	if err != nil {
		return nil, err
	}
	if e.Name != d.Key || len(e.Secret) != secretSize {
		return nil, fault.New(fault.Internal, "document %q of %s is damaged", d.Key, endpointsBucket)
	}
	return r.compile(e.Endpoint, [secretSize]byte(e.Secret))
}

// Received and Refused are how many callbacks were taken and how many refused since the start.
func (r *Receiver) Received() int64 { return r.received.Load() }

// Refused is documented with Received.
func (r *Receiver) Refused() int64 { return r.refused.Load() }

func (r *Receiver) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Millisecond) }

// Create makes an endpoint. A secret that is empty is made; it is given back to be shown once.
func (r *Receiver) Create(ctx context.Context, e Endpoint, secret Secret) (*Endpoint, Secret, error) {
	if secret == "" {
		secret = newSecret()
	} else if err := secret.check(); err != nil {
		return nil, "", err
	}
	e.Created = r.now()
	c, err := r.compile(e, secret.hash())
	if err != nil {
		return nil, "", err
	}
	r.editing.Lock()
	defer r.editing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	all := *r.endpoints.Load()
	switch {
	case all[c.Name] != nil:
		return nil, "", fault.New(fault.Exists, "there is a receiving endpoint named %s already", c.Name).WithRemedy("choose another name, or delete it first")
	case len(all) >= maxEndpoints:
		return nil, "", fault.New(fault.Throttled, "there are %d receiving endpoints", len(all)).WithRemedy("delete one that is not used")
	}
	if err := r.put(c, documents.Absent); err != nil {
		return nil, "", err
	}
	out := c.Endpoint
	return &out, secret, nil
}

// put writes an endpoint and puts it in use. editing is held.
func (r *Receiver) put(c *compiled, when store.Condition) error {
	doc := endpointDoc{Endpoint: c.Endpoint, Secret: c.secret[:]}
	if err := documents.Commit(r.cfg.Store, documents.Put(endpointsBucket, c.Name, doc, when)); err != nil {
		return err
	}
	all := maps.Clone(*r.endpoints.Load())
	all[c.Name] = c
	r.endpoints.Store(&all)
	return nil
}

// Endpoint gives one by its name.
func (r *Receiver) Endpoint(name string) (*Endpoint, error) {
	c := (*r.endpoints.Load())[name]
	if c == nil {
		return nil, fault.New(fault.NotFound, "there is no receiving endpoint named %.80q", name).WithRemedy("see thingwire sigfox receiver list")
	}
	e := c.Endpoint
	return &e, nil
}

// Endpoints gives all of them by name.
func (r *Receiver) Endpoints() []Endpoint {
	var all []Endpoint
	for _, c := range *r.endpoints.Load() {
		all = append(all, c.Endpoint)
	}
	slices.SortFunc(all, func(a, b Endpoint) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Edit changes an endpoint; its name, secret and time of creation stay.
func (r *Receiver) Edit(ctx context.Context, name string, change func(*Endpoint) error) (*Endpoint, error) {
	r.editing.Lock()
	defer r.editing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, err := r.Endpoint(name)
	if err != nil {
		return nil, err
	}
	old := (*r.endpoints.Load())[name]
	e.Variables = maps.Clone(e.Variables)
	if err := change(e); err != nil {
		return nil, err
	}
	e.Name, e.Created = old.Name, old.Created
	c, err := r.compile(*e, old.secret)
	if err != nil {
		return nil, err
	}
	if err := r.put(c, store.Condition{}); err != nil {
		return nil, err
	}
	out := c.Endpoint
	return &out, nil
}

// Delete takes an endpoint away, and what waits for its devices.
func (r *Receiver) Delete(ctx context.Context, name string) error {
	r.editing.Lock()
	defer r.editing.Unlock()
	if _, err := r.Endpoint(name); err != nil {
		return err
	}
	ops := []store.DocOp{documents.Remove(endpointsBucket, name, store.Condition{})}
	for _, bucket := range []string{downlinksBucket, takenBucket} {
		for d, err := range r.cfg.Store.List(ctx, bucket, name+"/", "", 0) {
			if err != nil {
				return err
			}
			ops = append(ops, documents.Remove(bucket, strings.Clone(d.Key), store.Condition{}))
		}
	}
	if err := documents.Commit(r.cfg.Store, ops...); err != nil {
		return err
	}
	all := maps.Clone(*r.endpoints.Load())
	delete(all, name)
	r.endpoints.Store(&all)
	return nil
}
