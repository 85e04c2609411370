package backend

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

// mode sets the device type's downlink mode.
func (w *world) mode(mode int, data string) {
	w.Helper()
	_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(t *DeviceType) error { t.DownlinkMode, t.DownlinkData = mode, data; return nil })
	w.must(err)
}

// acknowledged saves an ACKNOWLEDGE callback.
func (w *world) acknowledged() {
	w.callback(Callback{Type: 1, Subtype: 4, Body: "ack {device} {infoCode} {infoMessage} {downlinkAck} {downlinkOverusage}"})
}

// asked saves the BIDIR callback that is asked for downlinks.
func (w *world) asked(c Callback) *CallbackStatus {
	w.Helper()
	c.Subtype = 3
	if c.Body == "" && c.Channel == "" {
		c.Body = "bidir {ack} {longPolling}"
	}
	s := w.callback(c)
	w.must(w.SelectDownlink(w.Context(), w.kind.ID, s.ID))
	return s
}

func (w *world) ask() *Message {
	w.Helper()
	return w.send(Frame{Device: dev, Ack: true, Radio: Radio{Station: "437F", RSSI: &rssi}})
}

var rssi = -128.0

// The budget: the device has its downlink after 20 seconds, and its fate is told after 25.
func TestDirectDownlink(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		var told []string
		w.Backend.cfg.Acknowledged = func(device string, text []byte) { told = append(told, device+" "+string(text)) }
		w.mode(DownlinkDirect, "")
		w.acknowledged()
		m := w.ask()
		w.want("arrow", w.show(m).Downlink.Arrow, Amber)
		data, err := w.AwaitDownlink(w.Context(), m)
		w.must(err)
		w.want("after", time.Since(w.began), 20*time.Second)
		w.want("data", data, "0000437f0000ff80")
		w.after(6 * time.Second)
		w.want("requests", w.requests(), "25s ack 4D3091 0 Acked true false")
		w.want("arrow", w.show(m).Downlink.Arrow, Green)
		want := fmt.Sprintf(`4D3091 {"device":"4D3091","time":%d,"infoCode":0,"infoMessage":"Acked","downlinkAck":true,"downlinkOverusage":false,"downlinkData":"0000437f0000ff80"}`, m.Time.Unix())
		w.want("told", strings.Join(told, "\n"), want)
		w.want("timers", w.docs(timersBucket), 0)
	})
}

func TestDirectDownlinkData(t *testing.T) {
	m := &Message{Radio: Radio{Station: "437f", RSSI: &rssi}}
	now := time.Unix(0x01020304, 0)
	for text, want := range map[string]string{
		"{tapId}0000{rssi}": "0000437f0000ff80", "{time}{tapId}": "010203040000437f", "DEADBEEFCAFEBABE": "deadbeefcafebabe", "{rssi}{rssi}{rssi}aabb": "ff80ff80ff80aabb",
	} {
		d, err := parseDirect(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := d.render(m, now); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "00", "{tapId}", "{tapId}{time}{rssi}", "{device}0000", "{tapId", "0", "{tapId}000{rssi}", "zz{tapId}0000", "{tapId}{time}{"} {
		if d, err := parseDirect(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
}

// What a callback may answer, and what becomes of it (reference, section 10).
func TestCallbackDownlink(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer delivery.Outcome
		late   time.Duration
		code   int
		data   string
		info   string // of the callback's status
	}{
		{"the data", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafebabe"}}`)}, 0, Acked, "deadbeefcafebabe", "OK"},
		{"lower case and zeros", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"004d3091":{"downlinkData":"DEADBEEFCAFEBABE"}}`)}, 0, Acked, "deadbeefcafebabe", "OK"},
		{"others too", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"1":{"downlinkData":"0000000000000000"},"4D3091":{"downlinkData":"deadbeefcafebabe","x":1},"extra":5}`)}, 0, Acked, "deadbeefcafebabe", "OK"},
		{"noData", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"noData":true}}`)}, 0, NoAnswer, "", "OK"},
		{"204", delivery.Outcome{Status: 204, Info: "No Content"}, 0, NoAnswer, "", "No Content"},
		{"empty", delivery.Outcome{Status: 200, Info: "OK"}, 0, NoAnswer, "", "OK"},
		{"not JSON", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`<html>`)}, 0, NoAnswer, "", "OK"},
		{"an array", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`[1]`)}, 0, NoAnswer, "", "OK"},
		{"null", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":null}`)}, 0, NoAnswer, "", "OK"},
		{"another device", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"1":{"downlinkData":"deadbeefcafebabe"}}`)}, 0, NoAnswer, "", "OK"},
		{"seven bytes", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafeba"}}`)}, 0, InvalidPayload, "", invalidDownlink},
		{"nine bytes", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafebabe00"}}`)}, 0, InvalidPayload, "", invalidDownlink},
		{"not hexadecimal", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafebabx"}}`)}, 0, InvalidPayload, "", invalidDownlink},
		{"a number", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":1}}`)}, 0, InvalidPayload, "", invalidDownlink},
		{"500", delivery.Outcome{Status: 500, Info: "Internal Server Error", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafebabe"}}`)}, 0, NetworkError, "", "Internal Server Error"},
		{"timeout", delivery.Outcome{Info: "Timeout"}, 10 * time.Second, OverrunError, "", "Timeout"},
		{"late", delivery.Outcome{Status: 200, Info: "OK", Answer: []byte(`{"4D3091":{"downlinkData":"deadbeefcafebabe"}}`)}, 11 * time.Second, OverrunError, "", "OK"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.mode(DownlinkCallback, "")
				w.asked(Callback{})
				w.acknowledged()
				w.receiver.set(hangs(row.late, says(row.answer.Status, row.answer.Info, string(row.answer.Answer))))
				m := w.ask()
				data, err := w.AwaitDownlink(w.Context(), m)
				w.must(err)
				w.want("data", data, row.data)
				w.receiver.set(says(200, "OK", ""))
				w.after(6 * time.Second)
				w.want("requests", w.requests(), "0s bidir true false\n25s ack 4D3091 "+fmt.Sprint(row.code, " ", infoMessages[row.code], " ", row.code == Acked, " false"))
				l := w.show(m)
				w.want("status", l.Results[0].Latest.Info, row.info)
				w.want("code", l.Downlink.InfoCode, row.code)
				w.want("counted", w.life().Downlinks, map[bool]int{true: 1}[row.code == Acked])
			})
		})
	}
}

func (w *world) life() *life {
	w.Helper()
	l, err := w.loadLife(w.Context(), dev)
	w.must(err)
	return l
}

// A callback's answer counts only where the device has asked.
func TestAnswerThatNobodyAskedFor(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.mode(DownlinkCallback, "")
		w.asked(Callback{})
		w.receiver.set(says(200, "OK", `{"4D3091":{"downlinkData":"deadbeefcafebabe"}}`))
		l := w.show(w.uplink(""))
		w.want("request", w.requests(), "0s bidir false false")
		w.want("downlink", l.Downlink == nil, true)
		w.want("counted", w.life().Downlinks, 0)
	})
}

// A batch of several devices has one answer for all of them. The batch gathers for a second, which the budget allows.
func TestBatchDownlink(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.mode(DownlinkCallback, "")
		_, err := w.CreateDevice(w.Context(), Device{ID: "1", DeviceType: w.kind.ID})
		w.must(err)
		w.asked(Callback{Channel: ChannelBatch, URL: "https://example.org/?b={batch}", Method: "GET", LinePattern: "{device};"})
		w.receiver.set(says(200, "OK", `{"4D3091":{"downlinkData":"deadbeefcafebabe"},"1":{"downlinkData":"0000000000000001"},"2":{}}`))
		m := w.ask()
		other := w.send(Frame{Device: "1", Ack: true})
		data, err := w.AwaitDownlink(w.Context(), m)
		w.must(err)
		w.want("data", data, "deadbeefcafebabe")
		w.want("other", w.show(other).Downlink.Data, "0000000000000001")
	})
}

func TestNoDownlink(t *testing.T) {
	for name, row := range map[string]struct {
		set  func(w *world)
		code int
	}{
		"mode NONE":     {func(w *world) { w.mode(DownlinkNone, "") }, NoDownlinkContract},
		"mode MANAGED":  {func(w *world) { w.mode(DownlinkManaged, "") }, NoDownlinkContract},
		"no callback":   {func(w *world) { w.mode(DownlinkCallback, "") }, InvalidConfiguration},
		"none selected": {func(w *world) { w.mode(DownlinkCallback, ""); w.callback(Callback{Subtype: 3, Body: "x"}) }, InvalidConfiguration},
		"selected is deleted": {func(w *world) {
			w.mode(DownlinkCallback, "")
			w.must(w.DeleteCallback(w.Context(), w.kind.ID, w.asked(Callback{}).ID))
		}, InvalidConfiguration},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				row.set(w)
				m := w.ask()
				data, err := w.AwaitDownlink(w.Context(), m)
				w.must(err)
				w.want("data", data, "")
				w.after(6 * time.Second)
				l := w.show(m)
				w.want("code", l.Downlink.InfoCode, row.code)
				w.want("arrow", l.Downlink.Arrow, Red)
			})
		})
	}
}

// The fifth downlink of a day is refused; the next day begins anew.
func TestDailyDownlinks(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.mode(DownlinkDirect, "")
		w.acknowledged()
		for range 5 {
			w.ask()
		}
		w.after(time.Minute)
		got := w.receiver.bodies()
		w.want("told", len(got), 5)
		w.want("fifth", strings.Count(strings.Join(got, "\n"), "ack 4D3091 7 Too many requests false true"), 1)
		w.after(24 * time.Hour)
		m := w.ask()
		w.after(time.Minute)
		w.want("next day", w.show(m).Downlink.InfoCode, Acked)
	})
}

// What is queued goes first, once, and the newest counts.
func TestQueuedDownlink(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		if _, err := w.QueueDownlink(w.Context(), dev, "0011223344556677", time.Time{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("with mode NONE: %v", err)
		}
		w.mode(DownlinkDirect, "{time}{time}")
		for _, text := range []string{"", "00", "001122334455667788", "001122334455667x"} {
			if _, err := w.QueueDownlink(w.Context(), dev, text, time.Time{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", text, err)
			}
		}
		_, err := w.QueueDownlink(w.Context(), dev, "0000000000000001", time.Time{})
		w.must(err)
		w.must(w.TakeDownlink(w.Context(), "sigfox/downlink/4d3091", []byte(`{"downlinkData":"0011223344556677"}`)))
		w.uplink("") // asks for nothing
		m := w.ask()
		w.want("data", w.show(m).Downlink.Data, "0011223344556677")
		w.want("source", w.show(m).Downlink.Source, sourceQueue)
		w.want("next", w.show(w.ask()).Downlink.Source, sourceDirect)

		w.must(w.TakeDownlink(w.Context(), "sigfox/downlink/4D3091", []byte(`{"downlinkData":"0011223344556677","expires":60}`)))
		w.after(time.Minute)
		w.want("expired", w.show(w.ask()).Downlink.Source, sourceDirect)
		w.must(w.CancelDownlink(w.Context(), dev))
		if err := w.CancelDownlink(w.Context(), dev); !fault.Is(err, fault.NotFound) {
			t.Errorf("a second time: %v", err)
		}
		for _, body := range []string{"", "[]", "{}", `{"downlinkData":5}`, `{"downlinkData":"00"}`, `{"downlinkData":"0011223344556677","expires":-1}`} {
			if err := w.TakeDownlink(w.Context(), "sigfox/downlink/"+dev, []byte(body)); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", body, err)
			}
		}
		if err := w.TakeDownlink(w.Context(), "sigfox/downlink/9", []byte(`{"downlinkData":"0011223344556677"}`)); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown device: %v", err)
		}
	})
}

// A downlink that was on its way when the server ended is settled after the next start.
func TestDownlinkSurvivesARestart(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.mode(DownlinkDirect, "")
		w.acknowledged()
		m := w.ask()
		w.Close()
		time.Sleep(time.Minute)
		w.open()
		synctest.Wait()
		w.want("requests", w.requests(), "1m0s ack 4D3091 0 Acked true false")
		w.want("code", w.show(m).Downlink.InfoCode, Acked)
	})
}
