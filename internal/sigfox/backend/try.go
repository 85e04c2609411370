package backend

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// Trial is what one delivery came to that was made to try a callback.
type Trial struct {
	Attempt
	Arrow    string `json:"arrow"`
	Downlink string `json:"downlink,omitempty"` // of a BIDIR callback: what its answer means, in words
	Data     string `json:"data,omitempty"`     // and the downlink itself, if there is one
}

// TryCallback makes one delivery of a callback, also of one that is disabled, as if the frame had come from a device, and says
// what it came to (reference, 8.3, the button "Test"). Nothing is kept, and nothing is tried again; the receiver cannot tell it
// from a message.
func (b *Backend) TryCallback(ctx context.Context, typeID, id string, f Frame) (*Trial, error) {
	f.Ack = true
	if err := f.check(); err != nil {
		return nil, err
	}
	device, err := CanonicalID(f.Device)
	if err != nil {
		return nil, err
	}
	c, _, err := b.loadCallback(ctx, typeID, id)
	if err != nil {
		return nil, err
	}
	k, err := compile(c)
	if err != nil {
		return nil, err
	}
	m := newMessage(&Device{ID: device, DeviceType: typeID}, &f, unborn(), time.Now())
	i := &item{callback: id, debt: debt{DeviceType: typeID, Device: device, Data: m.Data, Time: m.Time, Facts: k.sample(m)}}
	r, _, err := k.request([]*item{i})
	o := delivery.Outcome{At: b.now()}
	if err == nil {
		o = b.cfg.Sender.Deliver(ctx, r)
	} else {
		o.Info, o.Remedy = unsent(err)
	}
	t := &Trial{Attempt: *attemptOf(&o), Arrow: Red}
	if o.OK {
		t.Arrow = Green
	}
	if k.Kind() == template.Bidir {
		r := readReply(&o, device)
		t.Downlink, t.Data = infoMessages[r.verdict], r.data
		if r.detail != "" {
			t.Downlink += ": " + r.detail
		}
	}
	return t, nil
}

// sample are facts of the callback's kind.
func (k *compiled) sample(m *Message) facts {
	switch k.Kind() {
	case template.Status:
		m.OOB = &OOB{Temperature: 21.5, Battery: 3.3}
		return m.oobFacts()
	case template.DataAdvanced:
		return m.advancedFacts(&Device{})
	case template.Acknowledge:
		d := &Downlink{InfoCode: Acked, Info: infoMessages[Acked], DeviceType: m.DeviceType, Time: m.Time}
		return d.facts(m.Device)
	case template.Error:
		return silenceFacts(m.Device, m.DeviceType, m.Time, m.Time)
	}
	return m.dataFacts()
}
