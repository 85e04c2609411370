package registry

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Settings are single documents in registry/meta that work without being read: they are followed.

// follow gives take what a settings document says now, if it is there, and from then on what it says after each change,
// also of another node; calls come one at a time. The store tells of a commit before it acknowledges it, so that whoever
// changed a setting finds it changed. take must not wait. stop ends it.
func follow[T any](ctx context.Context, s store.Store, key string, take func(*T)) (stop func(), err error) {
	var mu sync.Mutex
	var newest uint64
	hear := func(d store.Doc) error {
		mu.Lock()
		defer mu.Unlock()
		if d.Rev < newest {
			return nil // the first read was slower than a change
		}
		v := new(T)
		if err := json.Unmarshal(d.Value, v); err != nil {
			return fault.Wrap(fault.Internal, err, "document %q of %s cannot be read", d.Key, metaBucket)
		}
		newest = d.Rev
		take(v)
		return nil
	}
	stop = s.Watch(metaBucket, func(c store.Change) {
		if c.Key == key && !c.Deleted {
			_ = hear(c.Doc) // what cannot be read changes nothing; the next start refuses it
		}
	})
	d, err := s.Get(ctx, metaBucket, key)
	if fault.Is(err, fault.NotFound) {
		return stop, nil
	}
	if err == nil {
		err = hear(d)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// followSettings begins what Close ends.
func (r *Registry) followSettings(ctx context.Context) error {
	stopEvents, err := follow(ctx, r.cfg.Store, eventConfigurationsKey, r.turnEvents)
	if err != nil {
		return err
	}
	stopLogging, err := follow(ctx, r.cfg.Store, loggingKey, r.cfg.Logging)
	if err != nil {
		stopEvents()
		return err
	}
	r.unfollow = func() { stopEvents(); stopLogging() }
	return nil
}
