package backend

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A batch has what came within a second, of one device type; what was typed around it is sent with it.
func TestBatch(t *testing.T) {
	for _, n := range []int{1, 2, 50} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.callback(Callback{Channel: ChannelBatch, Method: "GET", URL: "https://example.org/in?batch={batch}", LinePattern: "{device};{seqNumber};{data};"})
				other, err := w.CreateDeviceType(*NewDeviceType("other"))
				w.must(err)
				_, err = w.CreateDevice(w.Context(), Device{ID: "1", DeviceType: other.ID})
				w.must(err)
				want := ""
				for i := range n {
					m := w.uplink(fmt.Sprintf("%02x", i))
					want += fmt.Sprintf("4D3091%%3B%d%%3B%s%%3B", m.Seq, m.Data)
					w.send(Frame{Device: "1"}) // of another type
					w.after(time.Duration(800/n) * time.Millisecond)
				}
				w.after(time.Second)
				got := w.receiver.all()
				if len(got) != 1 {
					t.Fatalf("%d requests", len(got))
				}
				w.want("url", got[0].URL, "https://example.org/in?batch="+want)
				w.want("at", got[0].at.Sub(w.began), time.Second)
				list, _, err := w.Messages(w.Context(), dev, MessageQuery{}, Page{})
				w.must(err)
				for _, l := range list {
					w.want("arrow", l.Arrow, Green)
				}
			})
		})
	}
}

// A batch that fails is tried again as a batch; what came later is another one.
func TestBatchIsRetriedAsOne(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Channel: ChannelBatch, URL: "https://example.org/in", Body: "b={batch}", LinePattern: "{seqNumber},"})
		w.receiver.set(says(503, "Service Unavailable", ""))
		w.uplink("")
		w.uplink("")
		w.after(1500 * time.Millisecond)
		w.uplink("")
		w.after(time.Hour)
		w.want("requests", w.requests(), strings.Join([]string{
			"1s b=0%2C1%2C", "2.5s b=2%2C", "1m1s b=0%2C1%2C", "1m2.5s b=2%2C", "3m1s b=0%2C1%2C", "3m2.5s b=2%2C", "7m1s b=0%2C1%2C", "7m2.5s b=2%2C",
		}, "\n"))
		w.want("undelivered", w.docs(undeliveredBucket), 3)
	})
}

// What does not fit into one request goes with the next.
func TestBatchThatIsTooLong(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Channel: ChannelBatch, Method: "GET", URL: "https://example.org/?b={batch}", LinePattern: strings.Repeat("x", 6000) + "{seqNumber};"})
		for range 7 {
			w.uplink("")
		}
		w.after(2 * time.Second)
		seen := ""
		for _, r := range w.receiver.all() {
			if len(r.URL) > 16<<10 {
				t.Errorf("a URL of %d bytes", len(r.URL))
			}
			for line := range strings.SplitSeq(strings.TrimPrefix(r.URL, "https://example.org/?b="), "%3B") {
				seen += strings.Trim(line, "x")
			}
		}
		w.want("lines", seen, "0123456")
	})
}
