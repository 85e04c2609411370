package backend

import (
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

// A trial makes one delivery, says what it came to, and leaves nothing behind.
func TestTryCallback(t *testing.T) {
	for _, row := range []struct {
		name   string
		c      Callback
		status int
		answer string
		body   string
		arrow  string
		info   string
		down   string
	}{
		{"uplink", Callback{PayloadConfig: "n::uint:8", Body: "{device} {customData#n}"}, 200, "", "A1 7", Green, "OK", ""},
		{"it fails", Callback{Body: "{data}"}, 404, "", "07", Red, "OK", ""},
		{"not JSON", Callback{Body: "{\"a\":{data}}", ContentType: "application/json"}, 200, "", "", Red, "JSON body could not be evaluated", ""},
		{"downlink", Callback{Subtype: 3, Body: "{ack}"}, 200, `{"A1":{"downlinkData":"0011223344556677"}}`, "true", Green, "OK", "Acked"},
		{"no downlink", Callback{Subtype: 3, Body: "{ack}"}, 204, "", "true", Green, "OK", "No answer: the callback had nothing to send (204)"},
		{"status", Callback{Type: 1, Subtype: 0, Body: "{temp} {batt}"}, 200, "", "21.50 3.30", Green, "OK", ""},
		{"acknowledge", Callback{Type: 1, Subtype: 4, Body: "{infoCode} {infoMessage}"}, 200, "", "0 Acked", Green, "OK", ""},
		{"advanced", Callback{Type: 1, Subtype: 6, ContentType: "application/json", Body: `{"lqi":"{lqi}"}`}, 200, "", `{"lqi":"NA"}`, Green, "OK", ""},
		{"error", Callback{Type: 2, Body: "{severity}"}, 200, "", "ERROR", Green, "OK", ""},
		{"batch", Callback{Channel: ChannelBatch, URL: "https://example.org/", Body: "{batch}", LinePattern: "{data};", ContentType: "text/plain"}, 200, "", "07;", Green, "OK", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				c := w.callback(row.c)
				w.receiver.set(says(row.status, "OK", row.answer))
				got, err := w.TryCallback(w.Context(), w.kind.ID, c.ID, Frame{Device: "00a1", Data: []byte{7}})
				w.must(err)
				w.want("arrow", got.Arrow, row.arrow)
				w.want("info", got.Info, row.info)
				w.want("downlink", got.Downlink, row.down)
				if row.body != "" {
					w.want("body", got.Sent.Body, row.body)
				}
				for _, bucket := range []string{messagesBucket, dueBucket, resultsBucket, undeliveredBucket, callbackStatesBucket} {
					w.want(bucket, w.docs(bucket), 0)
				}
			})
		})
	}
	bubble(t, Config{}, func(w *world) {
		_, err := w.TryCallback(w.Context(), w.kind.ID, "none", Frame{Device: "1"})
		wantRefusal(t, "no callback", err, fault.NotFound, "")
		_, err = w.TryCallback(w.Context(), w.kind.ID, "none", Frame{Device: "x"})
		wantRefusal(t, "no device", err, fault.Invalid, "id")
	})
}
