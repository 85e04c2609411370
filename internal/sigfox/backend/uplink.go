package backend

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// advancedAfter is when all receptions of a message are gathered (reference, section 2).
const advancedAfter = 25 * time.Second

// Uplink takes a message: when it returns, the message and the deliveries that it owes are durable, and the deliveries
// have begun or wait for their turn. It waits for none of them.
func (b *Backend) Uplink(ctx context.Context, f Frame) (*Message, error) {
	m, err := b.uplink(ctx, &f)
	if err != nil {
		b.counts.Refused.Add(1)
		return nil, err
	}
	b.counts.Uplinks.Add(1)
	return m, nil
}

func (b *Backend) uplink(ctx context.Context, f *Frame) (*Message, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	id, err := CanonicalID(f.Device)
	if err != nil {
		return nil, err
	}
	h, err := b.hot.hold(ctx, id)
	if err != nil {
		return nil, err
	}
	defer h.drop()
	m, p, err := b.accept(ctx, h, f)
	if err != nil {
		h.unlock()
		return nil, err
	}
	h.commits.Add(1)
	p.hand()
	h.unlock()
	err = p.wait()
	h.commits.Done()
	return m, err
}

// accept makes the commit of a message. The caller holds the device.
func (b *Backend) accept(ctx context.Context, h *held, f *Frame) (*Message, *posting, error) {
	d, _, err := b.loadDevice(ctx, h.id)
	if err != nil {
		return nil, nil, err
	}
	t, err := b.known.deviceType(ctx, d.DeviceType)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	m := newMessage(d, f, h.life, now)
	p := b.post(now)
	p.life = h.life
	if err := p.prune(ctx, h, b.cfg.KeepMessages); err != nil {
		return nil, nil, err
	}
	if m.Withheld == "" {
		p.fire(m, d, t, h)
	}
	if t.KeepAlive > 0 && h.life.Watch.IsZero() {
		p.watch(h, now.Add(b.silence(&t.DeviceType)))
	}
	p.put(messagesBucket, m.key(), m)
	p.put(livesBucket, deviceKey(d.ID), h.life)
	return m, p, nil
}

// newMessage numbers a frame.
func newMessage(d *Device, f *Frame, l *life, now time.Time) *Message {
	l.Number++
	l.Seq = (l.Seq + 1) % seqModulus
	if f.Seq != nil {
		l.Seq = *f.Seq
	}
	m := &Message{
		Device: d.ID, Number: l.Number, DeviceType: d.DeviceType, Time: stamp(f.Time, now), Data: hex.EncodeToString(f.Data),
		Seq: l.Seq, Ack: f.Ack, OOB: f.OOB, Radio: f.Radio, Withheld: d.withheld(),
	}
	l.today(now)
	if f.OOB == nil { // service frames are not counted
		l.Uplinks++
		m.OverQuota = l.Uplinks > dailyMessages
	}
	l.LastCom, l.Heard, l.LastLQI, l.Silent = m.Time, now.UTC(), m.LQI(), false
	return m
}

func stamp(t, now time.Time) time.Time {
	if t.IsZero() {
		t = now
	}
	return t.UTC().Truncate(time.Millisecond)
}

// fire owes a delivery to each callback that the message concerns, and answers its request for a downlink.
func (p *posting) fire(m *Message, d *Device, t *knownType, h *held) {
	if m.OOB != nil {
		for _, c := range t.firing(template.Status) {
			p.owe(c, m, m.oobFacts(), p.now)
		}
		return
	}
	data := m.dataFacts()
	for _, c := range slices.Concat(t.firing(template.Uplink), t.firing(template.Bidir)) {
		p.owe(c, m, data, p.now)
	}
	for _, c := range t.firing(template.DataAdvanced) {
		p.owe(c, m, m.advancedFacts(d), p.now.Add(p.b.scaled(advancedAfter)))
	}
	if m.Ack {
		p.answer(m, t, h)
	}
}

// pruneAtOnce is how many old messages one new one removes at most: more than one, so that a lower limit is reached.
const pruneAtOnce = 4

// prune removes what is beyond the limit of messages per device, with all that belongs to it.
func (p *posting) prune(ctx context.Context, h *held, keep int) error {
	for range pruneAtOnce {
		l := h.life
		if l.Number < l.Oldest+uint64(keep) {
			return nil
		}
		key := messageKey(h.id, l.Oldest)
		results, err := p.b.keys(ctx, resultsBucket, key+"/")
		if err != nil {
			return err
		}
		p.remove(resultsBucket, results...)
		p.remove(messagesBucket, key)
		p.remove(downlinksBucket, key)
		l.Oldest++
	}
	return nil
}

// Message gives one message of a device.
func (b *Backend) Message(ctx context.Context, device string, n uint64) (*Message, error) {
	id, err := CanonicalID(device)
	if err != nil {
		return nil, err
	}
	m, _, err := documents.Load[Message](ctx, b.cfg.Store, messagesBucket, messageKey(id, n))
	if fault.Is(err, fault.NotFound) {
		return nil, errNoMessage(id, n)
	}
	return m, err
}
