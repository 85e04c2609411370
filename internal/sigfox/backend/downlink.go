package backend

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// dailyDownlinks is how many downlinks a device gets in a day (reference, section 10).
const dailyDownlinks = 4

// The budget of a downlink, from the uplink that asks for it (reference, section 10).
const (
	answerWithin = 10 * time.Second // a callback's answer counts
	emittedAfter = 20 * time.Second // the device has it
	settledAfter = 25 * time.Second // its fate is told
)

// Codes of ACKNOWLEDGE (reference, section 10).
const (
	Acked                = 0
	NoAnswer             = 1
	InvalidPayload       = 2
	OverrunError         = 3
	NetworkError         = 4
	Pending              = 5
	NoDownlinkContract   = 6
	TooManyRequests      = 7
	InvalidConfiguration = 8
)

var infoMessages = [...]string{
	"Acked", "No answer", "Invalid payload", "Overrun error", "Network error", "Pending", "No downlink contract", "Too many requests", "Invalid configuration",
}

// Downlink is what became of a message's request for a downlink.
type Downlink struct {
	InfoCode int    `json:"infoCode"` // Pending until it is settled
	Info     string `json:"infoMessage"`
	Detail   string `json:"detail,omitempty"` // why, in words
	Data     string `json:"data,omitempty"`   // 16 hexadecimal digits, once they are decided
	Source   string `json:"source,omitempty"` // DIRECT, CALLBACK, QUEUE
	Verdict  int    `json:"verdict"`          // what InfoCode becomes; Pending while a callback is asked
	Overuse  bool   `json:"downlinkOverusage,omitempty"`

	DeviceType string    `json:"deviceTypeId"`
	Time       time.Time `json:"time"`  // of the message
	Asked      time.Time `json:"asked"` // when the message came
}

// Where a downlink came from.
const (
	sourceDirect   = "DIRECT"
	sourceCallback = "CALLBACK"
	sourceQueue    = "QUEUE"
)

// Arrow is the colour of the downward arrow.
func (d *Downlink) Arrow() string {
	switch d.InfoCode {
	case Pending:
		return Amber
	case Acked:
		return Green
	}
	return Red
}

// verdict decides what is told when the downlink is settled.
func (d *Downlink) verdict(code int, detail string) { d.Verdict, d.Detail = code, detail }

// answer decides about a message's request as far as that can be done at once. The caller holds the device.
func (p *posting) answer(m *Message, t *knownType, h *held) {
	d := &Downlink{InfoCode: Pending, Info: infoMessages[Pending], Verdict: Pending, DeviceType: m.DeviceType, Time: m.Time, Asked: p.now.UTC()}
	p.decide(d, m, t, h.life)
	p.put(downlinksBucket, m.key(), d)
	p.timer(p.now.Add(p.b.scaled(settledAfter)), settleTimer+m.key())
}

func (p *posting) decide(d *Downlink, m *Message, t *knownType, l *life) {
	if t.DownlinkMode == DownlinkNone || t.DownlinkMode == DownlinkManaged {
		d.verdict(NoDownlinkContract, "the device type's downlink mode is NONE")
		return
	}
	if l.Downlinks >= dailyDownlinks {
		d.Overuse = true
		d.verdict(TooManyRequests, "the device got its 4 downlinks of the day")
		return
	}
	switch {
	case l.Queued != nil && !l.Queued.over(p.now):
		d.Data, d.Source = l.Queued.Data, sourceQueue
		d.verdict(Acked, "")
		l.Queued = nil
		l.Downlinks++
	case t.DownlinkMode == DownlinkDirect && t.direct != nil:
		d.Data, d.Source = t.direct.render(m, p.now), sourceDirect
		d.verdict(Acked, "")
		l.Downlinks++
	case t.DownlinkMode == DownlinkDirect:
		d.verdict(InvalidConfiguration, "the device type's downlink data cannot be read")
	case t.DownlinkHook == "" || t.callback(t.DownlinkHook) == nil:
		d.verdict(InvalidConfiguration, "no enabled BIDIR callback is selected for downlinks")
	default:
		d.Source = sourceCallback
	}
}

// downlink reads one with its revision.
func (b *Backend) downlink(ctx context.Context, key string) (*Downlink, uint64, error) {
	return documents.Load[Downlink](ctx, b.cfg.Store, downlinksBucket, key)
}

// Downlink gives what became of a message's request; fault.NotFound if it made none.
func (b *Backend) Downlink(ctx context.Context, device string, n uint64) (*Downlink, error) {
	d, _, err := b.downlink(ctx, messageKey(device, n))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "message %d of device %s asked for no downlink", n, device)
	}
	return d, err
}

// AwaitDownlink waits until the device would have its downlink and gives it: 16 hexadecimal digits, or "" for none. The
// message is one that Uplink has just answered.
func (b *Backend) AwaitDownlink(ctx context.Context, m *Message) (string, error) {
	d, err := b.Downlink(ctx, m.Device, m.Number)
	if err != nil {
		return "", err
	}
	at := time.NewTimer(time.Until(d.Asked.Add(b.scaled(emittedAfter))))
	defer at.Stop()
	select {
	case <-at.C:
	case <-ctx.Done():
		return "", ctx.Err()
	case <-b.ctx.Done():
		return "", fault.New(fault.Unavailable, "the server is stopping")
	}
	if d, err = b.Downlink(ctx, m.Device, m.Number); err != nil || d.Verdict != Acked {
		return "", err
	}
	return d.Data, nil
}

// settle tells the fate of a downlink: to its document, the ACKNOWLEDGE callbacks, and whoever listens.
func (b *Backend) settle(ctx context.Context, timer, key string) error {
	d, rev, err := b.downlink(ctx, key)
	if fault.Is(err, fault.NotFound) || err == nil && d.InfoCode != Pending {
		return b.commit(documents.Remove(timersBucket, timer, always)) // its message is not kept any more
	}
	if err != nil {
		return err
	}
	if d.Verdict == Pending {
		d.verdict(OverrunError, "the callback did not answer within 10 seconds")
	}
	d.InfoCode, d.Info = d.Verdict, infoMessages[d.Verdict]
	device, n := splitMessageKey(key)
	p := b.post(time.Now())
	p.batch.Docs = append(p.batch.Docs, documents.Put(downlinksBucket, key, d, documents.AtRev(rev)), documents.Remove(timersBucket, timer, always))
	if t, err := b.known.deviceType(ctx, d.DeviceType); err == nil {
		for _, c := range t.firing(template.Acknowledge) {
			p.oweTo(c, &debt{DeviceType: d.DeviceType, Device: device, Number: n, Time: d.Time, Facts: d.facts(device)}, p.now)
		}
	}
	p.hand()
	err = p.durable()
	p.follow(err)
	if fault.Is(err, fault.Conflict) {
		return b.settle(ctx, timer, key) // an answer was written at this very moment
	}
	if err == nil {
		b.counts.settled(d)
		b.announce(device, d)
	}
	return err
}
