package backend

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// QueuedDownlink is what the next request of a device is answered with, in the modes DIRECT and CALLBACK. A device has one:
// a newer one takes its place.
type QueuedDownlink struct {
	Data    string    `json:"data"` // 16 hexadecimal digits
	Queued  time.Time `json:"queued"`
	Expires time.Time `json:"expires,omitzero"` // never when zero
}

func (q *QueuedDownlink) over(now time.Time) bool {
	return !q.Expires.IsZero() && !now.Before(q.Expires)
}

// checkDownlink takes exactly 8 bytes in hexadecimal digits.
func checkDownlink(text string) (string, error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != downlinkBytes {
		return "", bad("downlinkData", "%q is not 8 bytes", clip(text)).WithRemedy("write %d hexadecimal digits", 2*downlinkBytes)
	}
	return hex.EncodeToString(data), nil
}

// clip bounds a text that others wrote.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// QueueDownlink keeps the downlink that the device's next request gets. expires is when it is of no use any more; never
// when zero.
func (b *Backend) QueueDownlink(ctx context.Context, device, data string, expires time.Time) (*QueuedDownlink, error) {
	data, err := checkDownlink(data)
	if err != nil {
		return nil, err
	}
	b.editing.Lock()
	defer b.editing.Unlock()
	d, _, err := b.loadDevice(ctx, device)
	if err != nil {
		return nil, err
	}
	t, err := b.known.deviceType(ctx, d.DeviceType)
	if err != nil {
		return nil, err
	}
	if t.DownlinkMode != DownlinkDirect && t.DownlinkMode != DownlinkCallback {
		return nil, fault.New(fault.Invalid, "devices of type %q get no downlinks: its downlink mode is NONE", t.Name).
			WithRemedy("let the device type have another: thingwire sigfox device-type update %q --downlink-mode direct (or callback)", t.Name)
	}
	q := &QueuedDownlink{Data: data, Queued: b.now(), Expires: expires}
	return q, b.queue(ctx, d.ID, func(l *life) error { l.Queued = q; return nil })
}

// CancelDownlink takes back what is queued; fault.NotFound if nothing is.
func (b *Backend) CancelDownlink(ctx context.Context, device string) error {
	d, _, err := b.loadDevice(ctx, device)
	if err != nil {
		return err
	}
	return b.queue(ctx, d.ID, func(l *life) error {
		if l.Queued == nil {
			return fault.New(fault.NotFound, "nothing is queued for device %s", d.ID)
		}
		l.Queued = nil
		return nil
	})
}

// queue changes what waits for a device.
func (b *Backend) queue(ctx context.Context, id string, change func(*life) error) error {
	h, err := b.hot.hold(ctx, id)
	if err != nil {
		return err
	}
	defer h.drop()
	if err := change(h.life); err != nil {
		h.unlock()
		return err
	}
	p := b.post(time.Now())
	p.put(livesBucket, deviceKey(id), h.life)
	h.commits.Add(1)
	p.hand()
	h.unlock()
	err = p.durable()
	h.commits.Done()
	return err
}

// DownlinkTopic begins the topics that carry downlinks: the device's id follows.
const DownlinkTopic = "sigfox/downlink/"

// TakeDownlink queues what was published on DownlinkTopic and a device's id: {"downlinkData":"0011223344556677"}, with
// "expires" in seconds from now if it is not to wait for ever.
func (b *Backend) TakeDownlink(ctx context.Context, topic string, body []byte) error {
	device, data, expires, err := readDownlink(topic, body)
	if err != nil {
		return err
	}
	var at time.Time
	if expires > 0 {
		at = b.now().Add(expires)
	}
	_, err = b.QueueDownlink(ctx, device, data, at)
	return err
}

// maxExpiry bounds how long a downlink can wait, in seconds, so that a sum of times stays one.
const maxExpiry = 1e9

// readDownlink reads what was published; expires is 0 when it is not said.
func readDownlink(topic string, body []byte) (device, data string, expires time.Duration, err error) {
	device, ok := strings.CutPrefix(topic, DownlinkTopic)
	if !ok {
		return "", "", 0, fault.New(fault.Invalid, "%q is no topic of downlinks", topic)
	}
	var m struct {
		Data    *string  `json:"downlinkData"`
		Expires *float64 `json:"expires"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Data == nil {
		return "", "", 0, fault.New(fault.Invalid, "what was published on %s is no downlink", topic).WithRemedy(`publish {"downlinkData":"0011223344556677"}`)
	}
	if m.Expires != nil {
		if !(*m.Expires > 0 && *m.Expires < maxExpiry) {
			return "", "", 0, fault.New(fault.Invalid, "expires is %g", *m.Expires).WithRemedy("say after how many seconds the downlink is of no use")
		}
		expires = time.Duration(*m.Expires * float64(time.Second))
	}
	return device, *m.Data, expires, nil
}
