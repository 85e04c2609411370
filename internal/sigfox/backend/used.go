package backend

import (
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

// alertEvery is how often a callback that goes on failing is told of (reference, section 6).
const alertEvery = time.Hour

// What the journal has instead of the mail to a device type's alertEmail.
const (
	callbackEvent    = "Sigfox-Callback"
	reasonNotCalled  = "CALLBACK_FAILED"
	protocolCallback = "HTTP"
)

// used notes whether the last use of a callback failed, and tells of it where the device type has an alertEmail: the first
// time, then once an hour. Thingwire sends no mail: the journal has the entry, under the device's id.
func (b *Backend) used(l *lane, c *compiled, i *item, o *delivery.Outcome) {
	t, err := b.known.deviceType(b.ctx, c.DeviceType)
	if err != nil {
		return // it was deleted meanwhile
	}
	now := time.Now()
	l.mu.Lock()
	alert := !o.OK && t.AlertEmail != "" && now.Sub(l.state.Alerted) >= alertEvery
	if l.state.Dead == o.OK || alert {
		l.state.Dead = !o.OK
		if alert {
			l.state.Alerted = now.UTC().Truncate(time.Millisecond)
		}
		p := b.post(now)
		p.put(callbackStatesBucket, l.callback, l.state)
		p.hand() // in the order of the changes; nobody waits for it: should it fail, the next use notes it again
	}
	l.mu.Unlock()
	if alert && b.cfg.Tell != nil {
		b.cfg.Tell(journal.Entry{
			EventType: callbackEvent, LogLevel: journal.LevelError, Status: journal.Failure, Protocol: protocolCallback, ClientID: i.Device,
			PrincipalID: c.ID, Reason: reasonNotCalled, Details: "alert for " + t.AlertEmail, Packet: c.Kind().String(),
			Cause: c.Definition() + ": " + o.Info, Remedy: o.Remedy,
		})
	}
}
