package backend

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store"
)

// knownType is a device type with its callbacks, compiled. It is read-only.
type knownType struct {
	DeviceType
	display   payload.Config
	direct    *direct // of mode DIRECT
	callbacks []*compiled
}

// maxKnown bounds how many device types are kept compiled; when there are more all are forgotten.
const maxKnown = 1024

// known are the device types that were used, until something about them changes.
type known struct {
	b     *Backend
	stops []func()

	mu    sync.Mutex
	types map[string]*knownType
	// changes counts what was forgotten: what was read before a change is not kept after it.
	changes uint64
}

func openKnown(b *Backend) *known {
	k := &known{b: b, types: map[string]*knownType{}}
	for _, bucket := range []string{deviceTypesBucket, callbacksBucket} {
		k.stops = append(k.stops, b.cfg.Store.Watch(bucket, k.forget))
	}
	return k
}

// forget is called before whoever made the change hears that it is durable.
func (k *known) forget(c store.Change) {
	id, _, _ := strings.Cut(c.Key, "/")
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.types, id)
	k.changes++
}

func (k *known) close() {
	for _, stop := range k.stops {
		stop()
	}
}

// deviceType is a device type as it is now.
func (k *known) deviceType(ctx context.Context, id string) (*knownType, error) {
	k.mu.Lock()
	t, changes := k.types[id], k.changes
	k.mu.Unlock()
	if t != nil {
		return t, nil
	}
	t, err := k.b.compileType(ctx, id)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes == changes {
		if len(k.types) >= maxKnown {
			clear(k.types)
		}
		k.types[id] = t
	}
	return t, nil
}

// compileType reads a device type. A callback that cannot be compiled any more fires nothing, and check names it.
func (b *Backend) compileType(ctx context.Context, id string) (*knownType, error) {
	t, _, err := b.loadType(ctx, id)
	if err != nil {
		return nil, err
	}
	k := &knownType{DeviceType: *t}
	if t.PayloadType == PayloadCustom {
		if k.display, err = payload.Parse(t.PayloadConfig); err != nil {
			b.log.Error("sigfox: the payload configuration of a device type cannot be read", slog.String("type", id), slog.Any("err", err))
		}
	}
	if t.DownlinkMode == DownlinkDirect {
		if k.direct, err = parseDirect(t.DownlinkData); err != nil {
			b.log.Error("sigfox: the downlink of a device type cannot be read", slog.String("type", id), slog.Any("err", err))
		}
	}
	callbacks, _, err := list[Callback](ctx, b, callbacksBucket, id+"/", Page{Limit: template.MaxCallbacks})
	if err != nil {
		return nil, err
	}
	for i := range callbacks {
		c, err := compile(&callbacks[i])
		if err != nil {
			b.log.Error("sigfox: a callback cannot be used", slog.String("callback", callbacks[i].ID), slog.Any("err", err))
			continue
		}
		k.callbacks = append(k.callbacks, c)
	}
	return k, nil
}

// callback gives a callback by its id, nil if there is none or it is disabled.
func (t *knownType) callback(id string) *compiled {
	for _, c := range t.callbacks {
		if c.ID == id && c.Enabled {
			return c
		}
	}
	return nil
}

// firing are the enabled callbacks of a kind.
func (t *knownType) firing(kind template.Kind) (all []*compiled) {
	for _, c := range t.callbacks {
		if c.Enabled && c.Kind() == kind {
			all = append(all, c)
		}
	}
	return all
}

// callback is an enabled callback as it is now, nil if there is none.
func (b *Backend) callback(ctx context.Context, typeID, id string) (*compiled, error) {
	t, err := b.known.deviceType(ctx, typeID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // that it is not there is an answer
	}
	if err != nil {
		return nil, err
	}
	return t.callback(id), nil
}
