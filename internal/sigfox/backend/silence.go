package backend

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store"
)

// listen looks at a device that has a keep-alive: one that sent something meanwhile is looked at again when it may be
// silent for too long, of one that did not the ERROR callbacks are told (reference, 4.3). A device that was told of is
// looked at again from its next message on.
func (b *Backend) listen(ctx context.Context, timer, id string) error {
	h, err := b.hot.hold(ctx, id)
	if err != nil {
		return err
	}
	defer h.drop()
	p, err := b.listening(ctx, timer, h)
	if err != nil {
		h.unlock()
		return err
	}
	h.commits.Add(1)
	p.hand()
	h.unlock()
	err = p.wait()
	h.commits.Done()
	return err
}

// silence is how long a device may say nothing.
func (b *Backend) silence(t *DeviceType) time.Duration {
	return b.scaled(time.Duration(t.KeepAlive) * time.Second)
}

// listening makes the commit. The caller holds the device.
func (b *Backend) listening(ctx context.Context, timer string, h *held) (*posting, error) {
	p := b.post(time.Now())
	p.remove(timersBucket, timer)
	d, _, err := b.loadDevice(ctx, h.id)
	if fault.Is(err, fault.NotFound) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := b.known.deviceType(ctx, d.DeviceType)
	if err != nil {
		return nil, err
	}
	l := h.life
	if text, _, _ := strings.Cut(timer, "/"); text != timeKey(l.Watch) {
		return p, nil // another timer has taken its place
	}
	due := l.Heard.Add(b.silence(&t.DeviceType))
	l.Watch = time.Time{}
	switch {
	case t.KeepAlive == 0:
	case due.After(p.now):
		p.watch(h, due)
	default:
		l.Silent = true
		for _, c := range t.firing(template.Error) {
			p.oweTo(c, &debt{DeviceType: t.ID, Device: d.ID, Time: p.now.UTC().Truncate(time.Millisecond), Facts: silenceFacts(d.ID, t.ID, p.now, l.LastCom)}, p.now)
		}
	}
	p.put(livesBucket, deviceKey(d.ID), l)
	return p, nil
}

// silenceFacts are those of ERROR (reference, 4.3).
func silenceFacts(device, typeID string, now, last time.Time) facts {
	return facts{
		"device": device, "deviceTypeId": typeID, "time": strconv.FormatInt(now.Unix(), 10), "severity": "ERROR",
		"info": "No message received since " + last.UTC().Format(time.RFC3339),
	}
}

// watch sets the timer that looks at a device's silence. The caller holds the device, and writes its life.
func (p *posting) watch(h *held, due time.Time) {
	h.life.Watch = due.UTC().Truncate(time.Millisecond)
	p.timer(h.life.Watch, silentTimer+deviceKey(h.id))
}

// rewatchAtOnce is how many devices are in use at the same time while their timers are set anew.
const rewatchAtOnce = 256

// rewatch sets the timers of a device type's devices anew, after its keep-alive has changed.
func (b *Backend) rewatch(ctx context.Context, t *DeviceType) error {
	keys, err := b.keys(ctx, typeDevicesBucket, t.ID+"/")
	if err != nil {
		return err
	}
	for some := range slices.Chunk(keys, rewatchAtOnce) {
		if err := b.rewatchSome(ctx, t, some); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) rewatchSome(ctx context.Context, t *DeviceType, keys []string) error {
	var last *store.Ticket // commits become durable in their order
	now := time.Now()
	for _, key := range keys {
		h, err := b.hot.hold(ctx, strings.TrimLeft(key[len(t.ID)+1:], "0"))
		if err != nil {
			return err
		}
		defer h.drop() // when its commit was answered
		if l := h.life; t.KeepAlive > 0 && !l.Heard.IsZero() && !l.Silent {
			due := l.Heard.Add(b.silence(t))
			if due.Before(now) {
				due = now
			}
			p := b.post(now)
			p.watch(h, due)
			p.put(livesBucket, deviceKey(h.id), l)
			p.hand()
			last = p.ticket
		}
		h.unlock()
	}
	if last == nil {
		return nil
	}
	err := last.Wait()
	b.clock.expect(now) // it finds what is due first
	return err
}
