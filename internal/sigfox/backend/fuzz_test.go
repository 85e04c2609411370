package backend

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

// Whatever a callback answers, a downlink is 8 bytes or there is none, and there is a word for why.
func FuzzReadReply(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"4D3091":{"downlinkData":"deadbeefcafebabe"}}`, `{"4d3091":{"noData":true}}`, `{"4D3091":{"downlinkData":"00"}}`,
		`{"004d3091":{"downlinkData":"DEADBEEFCAFEBABE"},"1":2}`, `{"4D3091":{"downlinkData":5}}`, `{"4D3091":"x"}`, `{"4D3091":{"downlinkData":null}}`, `{"4D3091":{`,
	} {
		f.Add(200, "OK", []byte(s))
		f.Add(500, "Internal Server Error", []byte(s))
	}
	f.Add(0, "Timeout", []byte{})
	f.Fuzz(func(t *testing.T, status int, info string, answer []byte) {
		r := readReply(&delivery.Outcome{Status: status, Info: info, Answer: answer, OK: status/100 == 2}, dev)
		data, err := hex.DecodeString(r.data)
		switch {
		case r.verdict == Acked && (err != nil || len(data) != downlinkBytes || strings.ToLower(r.data) != r.data):
			t.Errorf("acknowledged %q", r.data)
		case r.verdict != Acked && (r.data != "" || r.detail == ""):
			t.Errorf("%+v", r)
		case r.verdict < 0 || r.verdict >= len(infoMessages) || r.verdict == Pending:
			t.Errorf("verdict %d", r.verdict)
		}
	})
}

// A direct downlink that is taken is 8 bytes, whatever the message.
func FuzzParseDirect(f *testing.F) {
	for _, s := range []string{DefaultDirect, "{time}{tapId}", "deadbeefcafebabe", "{rssi}", "{", "}", "{tapId}000{rssi}"} {
		f.Add(s, "437F", -128.5)
	}
	f.Fuzz(func(t *testing.T, text, station string, rssi float64) {
		d, err := parseDirect(text)
		if err != nil {
			return
		}
		got := d.render(&Message{Radio: Radio{Station: station, RSSI: &rssi}}, time.Unix(1<<33, 0))
		if data, err := hex.DecodeString(got); err != nil || len(data) != downlinkBytes {
			t.Errorf("%q renders as %q", text, got)
		}
	})
}

// An id that is taken is canonical, and taken again as it is.
func FuzzCanonicalID(f *testing.F) {
	for _, s := range []string{"4d3091", "004D3091", "0", "", "FFFFFFFF", "123456789", "-1", "4D3091\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := CanonicalID(text)
		if err != nil {
			return
		}
		again, err := CanonicalID(id)
		if err != nil || again != id || id[0] == '0' || len(deviceKey(id)) != 8 || !strings.EqualFold(strings.TrimLeft(text, "0"), id) {
			t.Errorf("%q is %q, and that is %q, %v", text, id, again, err)
		}
	})
}

// What is published for a device is queued or refused, never more.
func FuzzTakeDownlink(f *testing.F) {
	for _, s := range []string{`{"downlinkData":"0011223344556677"}`, `{"downlinkData":"0011223344556677","expires":60}`, `{"expires":1e400}`, `{"downlinkData":{}}`, ``} {
		f.Add("sigfox/downlink/4D3091", []byte(s))
	}
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		device, data, expires, err := readDownlink(topic, body)
		if err == nil && (device == topic || expires < 0) {
			t.Errorf("%q %q: %q %q %v", topic, body, device, data, expires)
		}
	})
}
