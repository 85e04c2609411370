package backend

import (
	"context"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
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
	due := l.Heard.Add(b.silence(&t.DeviceType))
	switch {
	case t.KeepAlive == 0:
		l.Watched = false
	case due.After(p.now):
		p.timer(due, silentTimer+deviceKey(d.ID))
		return p, nil
	default:
		l.Watched, l.Silent = false, true
		for _, c := range t.firing(template.Error) {
			p.oweTo(c, &debt{DeviceType: t.ID, Device: d.ID, Time: p.now.UTC().Truncate(time.Millisecond), Facts: facts{
				"device": d.ID, "deviceTypeId": t.ID, "time": strconv.FormatInt(p.now.Unix(), 10), "severity": "ERROR",
				"info": "No message received since " + l.LastCom.UTC().Format(time.RFC3339),
			}}, p.now)
		}
	}
	p.put(livesBucket, deviceKey(d.ID), l)
	return p, nil
}
