package backend

import (
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
)

// DATA_ADVANCED comes 25 seconds later, also after a restart, with arrays and objects as JSON.
func TestDataAdvanced(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{
			Type: 1, Subtype: 6, ContentType: "application/json", PayloadConfig: "n::uint:8",
			Body: `{"n":{customData#n},"lqi":"{lqi}","q":{linkQuality},"lat":{fixedLat},"duplicates":{duplicates},"computedLocation":{computedLocation}}`,
		})
		_, err := w.EditDevice(w.Context(), dev, func(d *Device) error { d.Position = &Position{43.5, 1.5}; return nil })
		w.must(err)
		strength := -109.0
		w.send(Frame{Device: dev, Data: []byte{7}, Radio: Radio{
			RSSI: &strength, Receptions: []Reception{{"1AB3", -109, 3, 21.5}}, Location: &Location{43.5451, 1.4794, 4200, 2, 1},
		}})
		w.after(time.Second)
		w.send(Frame{Device: dev})
		w.restart()
		w.after(time.Minute)
		w.want("requests", w.requests(),
			`25s {"n":7,"lqi":"EXCELLENT","q":3,"lat":43.5,"duplicates":[{"bsId":"1AB3","rssi":-109,"nbRep":3,"snr":21.5}],"computedLocation":{"lat":43.5451,"lng":1.4794,"radius":4200,"source":2,"status":1}}`+"\n"+
				`26s {"n":null,"lqi":"NA","q":4,"lat":43.5,"duplicates":null,"computedLocation":null}`)
	})
}

func TestStatus(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Body: "data"})
		w.callback(Callback{Type: 1, Subtype: 0, Body: "status {temp} {batt} {seqNumber}"})
		l := w.show(w.send(Frame{Device: dev, OOB: &OOB{Temperature: 21.25, Battery: 3.3}}))
		w.want("requests", w.requests(), "0s status 21.25 3.30 0")
		w.want("arrow", l.Arrow, Green)
		w.want("seq", w.uplink("").Seq, 1)
	})
}

// A device that is silent for longer than its keep-alive is told of once, until it sends again.
func TestSilence(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(t *DeviceType) error { t.KeepAlive = 3600; return nil })
		w.must(err)
		w.callback(Callback{Type: 2, Body: "{severity} {info}"})
		w.uplink("")
		w.after(30 * time.Minute)
		w.uplink("")
		w.restart()
		w.after(89 * time.Minute)
		w.want("requests", w.requests(), "1h30m0s ERROR No message received since 2000-01-01T00:30:00Z")
		d, err := w.Device(w.Context(), dev)
		w.must(err)
		w.want("communication", d.ComState, ComKO)
		w.after(10 * time.Hour)
		w.want("told", len(w.receiver.all()), 1)
		w.uplink("")
		d, err = w.Device(w.Context(), dev)
		w.must(err)
		w.want("communication", d.ComState, ComOK)
		w.after(time.Hour)
		w.want("told", len(w.receiver.all()), 2)
	})
}

// A keep-alive that changes counts from the last message on, for devices that sent one before there was any, too.
func TestKeepAliveThatChanges(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		keepAlive := func(d time.Duration) {
			w.Helper()
			_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(t *DeviceType) error { t.KeepAlive = int(d / time.Second); return nil })
			w.must(err)
		}
		w.callback(Callback{Type: 2, Body: "{info}"})
		w.uplink("")
		w.after(10 * time.Minute)
		keepAlive(10 * time.Hour)
		keepAlive(2 * time.Hour)
		w.want("timers", w.docs(timersBucket), 2)
		w.after(3 * time.Hour)
		w.want("requests", w.requests(), "2h0m0s No message received since 2000-01-01T00:00:00Z")
		w.uplink("")
		keepAlive(0)
		w.after(24 * time.Hour)
		w.want("told", len(w.receiver.all()), 1)
		keepAlive(time.Hour) // which is over long since
		w.after(time.Second)
		w.want("told", len(w.receiver.all()), 2)
		w.want("timers", w.docs(timersBucket), 0)
	})
}

// An ERROR callback that fails is tried again and listed, though no message belongs to it.
func TestSilenceThatCannotBeTold(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(t *DeviceType) error { t.KeepAlive = 1800; return nil })
		w.must(err)
		w.callback(Callback{Type: 2, Body: "x"})
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.uplink("")
		w.after(time.Hour)
		w.want("requests", len(w.receiver.all()), 4)
		list, _, err := w.NotDelivered(w.Context(), UndeliveredQuery{DeviceType: w.kind.ID}, Page{})
		w.must(err)
		w.want("listed", len(list), 1)
		w.want("kind", list[0].Kind, "ERROR")
	})
}

// Where a device type has an alertEmail, the journal is told of a failing callback: at once, then once an hour, also over a
// restart.
func TestAlerts(t *testing.T) {
	var told []journal.Entry
	cfg := Config{Tell: func(e journal.Entry) { told = append(told, e) }}
	bubble(t, cfg, func(w *world) {
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.callback(Callback{URL: "https://user:secret@example.org/in"})
		w.uplink("")
		w.after(time.Hour)
		w.want("told without an address", len(told), 0)
		_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(t *DeviceType) error { t.AlertEmail = "ops@example.org"; return nil })
		w.must(err)
		w.uplink("")
		w.after(30 * time.Minute)
		w.restart()
		w.uplink("")
		w.after(29 * time.Minute)
		w.want("told", len(told), 1)
		w.uplink("")
		w.after(2 * time.Minute)
		w.want("told after an hour", len(told), 2)
		e := told[0]
		w.want("client", e.ClientID, dev)
		w.want("details", e.Details, "alert for ops@example.org")
		w.want("cause", e.Cause, "POST https://***@example.org/in: Internal Server Error")
	})
}
