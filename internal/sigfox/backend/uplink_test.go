package backend

import (
	"context"
	"iter"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store"
)

// The seed: temp::float:32 and its body, from the frame to what is published, and the green arrow.
func TestUplinkThroughAWS(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		c := w.callback(Callback{
			Channel: ChannelAWS, PayloadConfig: "temp::float:32", RoleARN: "arn:aws:iam::123456789012:role/seed-crossAccountRole-1",
			Region: "eu-west-1", Topic: "sigfox",
			Body: "{\n\"device\" : \"{device}\",\n\"time\" : \"{time}\",\n\"temperature\" : \"{customData#temp}\"\n}",
		})
		w.want("external id", len(c.ExternalID), 36)
		m := w.send(Frame{Device: "004d3091", Data: unhex(t, "41C8CCCD"), Time: time.Unix(1491234567, 0)})
		l := w.show(m)
		got := w.receiver.all()
		if len(got) != 1 {
			t.Fatalf("%d requests", len(got))
		}
		w.want("body", got[0].Body, "{\n\"device\" : \"4D3091\",\n\"time\" : \"1491234567\",\n\"temperature\" : \"25.1\"\n}")
		w.want("target", *got[0].AWS, delivery.AWSTarget{
			RoleARN: c.RoleARN, ExternalID: c.ExternalID, Region: "eu-west-1", Topic: "sigfox", SessionName: "sigfox-" + c.ID,
		})
		w.want("arrow", l.Arrow, Green)
		w.want("data", l.Data, "41c8cccd")
		w.want("seq", l.Seq, 0)
		w.want("status", l.Results[0].Latest.Status, 200)
		w.want("attempts", l.Results[0].Attempts, 1)
		w.want("owed", w.docs(dueBucket), 0)

		short := w.show(w.uplink("41C800"))
		w.want("body", strings.Contains(w.receiver.bodies()[1], `"temperature" : "null"`), true)
		w.want("arrow", short.Arrow, Green)
		w.want("hint", short.Hints[0], "temp needs 4 bytes, this frame has 3")
		w.want("seq", short.Seq, 1)
	})
}

func TestFramesThatAreRefused(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		high := 4096
		for what, f := range map[string]Frame{
			"13 bytes":        {Device: dev, Data: make([]byte, 13)},
			"sequence number": {Device: dev, Seq: &high},
			"no id":           {Device: "XYZ"},
			"nine digits":     {Device: "0004D3091"},
			"not a number":    {Device: dev, OOB: &OOB{Temperature: math.NaN()}},
			"station":         {Device: dev, Radio: Radio{Station: "no"}},
			"101 stations":    {Device: dev, Radio: Radio{Receptions: make([]Reception, 101)}},
		} {
			if _, err := w.Uplink(w.Context(), f); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := w.Uplink(w.Context(), Frame{Device: "1"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown device: %v", err)
		}
		w.want("messages", w.docs(messagesBucket), 0)
		w.want("empty frame", w.show(w.uplink("")).Arrow, Grey)
		w.want("twelve bytes", w.show(w.uplink("000102030405060708090a0b")).Data, "000102030405060708090a0b")
	})
}

// Sequence numbers wrap after 4095; daily counts mark what is over 140.
func TestSequenceAndQuota(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		last := 4095
		w.send(Frame{Device: dev, Seq: &last})
		w.want("wrapped", w.uplink("").Seq, 0)
		for range 138 {
			w.want("quota", w.uplink("").OverQuota, false)
		}
		w.want("141st", w.uplink("").OverQuota, true)
		w.after(24 * time.Hour)
		w.want("next day", w.uplink("").OverQuota, false)
	})
}

func TestMessagesOfADeviceThatIsNotOK(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Body: "{data}"})
		_, err := w.EditDevice(w.Context(), dev, func(d *Device) error { d.State = DeviceOffContract; return nil })
		w.must(err)
		l := w.show(w.uplink("01"))
		w.want("arrow", l.Arrow, Grey)
		w.want("why", l.Withheld, "the device is off contract")
		w.want("requests", len(w.receiver.all()), 0)
	})
}

// Retries come 1, 2 and 4 minutes later; then the delivery is listed, the callback is dead, and the arrow red.
func TestRetries(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		c := w.callback(Callback{Body: "{device} {seqNumber}", Headers: headers("X-Key", "{data}")})
		w.receiver.set(says(404, "Not Found", ""))
		m := w.uplink("ab")
		l := w.show(m)
		w.want("arrow", l.Arrow, Amber)
		w.want("next", l.Results[0].Next.Sub(m.Time), time.Minute)
		w.after(30 * time.Second)
		w.restart() // what is owed is on disk
		w.after(time.Hour)
		w.want("requests", w.requests(), "0s 4D3091 0\n1m0s 4D3091 0\n3m0s 4D3091 0\n7m0s 4D3091 0")
		l = w.show(m)
		w.want("arrow", l.Arrow, Red)
		r := l.Results[0]
		w.want("attempts", r.Attempts, 4)
		w.want("first", r.First.Time.Sub(w.began), 0*time.Second)
		w.want("latest", r.Latest.Time.Sub(w.began), 7*time.Minute)
		w.want("sent", r.Latest.Sent.Headers[0].Value, "ab")
		list, _, err := w.NotDelivered(w.Context(), UndeliveredQuery{Device: dev}, Page{})
		w.must(err)
		if len(list) != 1 || list[0].Status() != "404" || list[0].Latest.Info != "Not Found" || list[0].Parameters["data"] != "ab" {
			t.Errorf("not delivered: %+v", list)
		}
		s, err := w.Callback(w.Context(), w.kind.ID, c.ID)
		w.must(err)
		w.want("dead", s.Dead, true)
		w.want("enabled", s.Enabled, true)
		w.want("owed", s.Pending, 0)

		w.receiver.set(says(204, "No Content", ""))
		w.want("arrow", w.show(w.uplink("cd")).Arrow, Green)
		s, err = w.Callback(w.Context(), w.kind.ID, c.ID)
		w.must(err)
		w.want("dead", s.Dead, false)
	})
}

// A second success keeps what the first attempt was.
func TestRetryThatSucceeds(t *testing.T) {
	bubble(t, Config{Speed: 60}, func(w *world) {
		w.callback(Callback{})
		w.receiver.set(says(0, "Connection refused", ""))
		m := w.uplink("01")
		w.after(500 * time.Millisecond)
		w.receiver.set(says(200, "OK", ""))
		w.after(time.Second)
		r := w.show(m).Results[0]
		w.want("arrow", r.Arrow, Green)
		w.want("attempts", r.Attempts, 2)
		w.want("first", r.First.Info, "Connection refused")
		w.want("took", r.Latest.Time.Sub(r.First.Time), time.Second) // a minute at sixty times the speed
		w.want("undelivered", w.docs(undeliveredBucket), 0)
	})
}

func TestBodyThatIsNotJSON(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{ContentType: "application/json", Body: `{"a": {data}}`})
		l := w.show(w.uplink("ab"))
		w.want("requests", len(w.receiver.all()), 0)
		w.want("arrow", l.Arrow, Red)
		w.want("info", l.Results[0].Latest.Info, "JSON body could not be evaluated")
		w.want("owed", w.docs(dueBucket), 0)
		w.want("undelivered", w.docs(undeliveredBucket), 1)
	})
}

// What is owed to a callback that is deleted or disabled is given up.
func TestCallbackGoesAway(t *testing.T) {
	for what, away := range map[string]func(w *world, c *CallbackStatus) error{
		"deleted": func(w *world, c *CallbackStatus) error { return w.DeleteCallback(w.Context(), w.kind.ID, c.ID) },
		"disabled": func(w *world, c *CallbackStatus) error {
			_, err := w.EditCallback(w.Context(), w.kind.ID, c.ID, func(c *Callback) error { c.Enabled = false; return nil })
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				c := w.callback(Callback{})
				w.receiver.set(says(500, "Internal Server Error", ""))
				m := w.uplink("01")
				synctest.Wait()
				w.must(away(w, c))
				w.after(time.Minute)
				l := w.show(m)
				w.want("requests", len(w.receiver.all()), 1)
				w.want("arrow", l.Arrow, Red)
				w.want("of", l.Results[0].Kind+" "+l.Results[0].Definition, "DATA/UPLINK "+c.Definition())
				w.want("attempts", l.Results[0].Attempts, 1)
				w.want("owed", w.docs(dueBucket), 0)
				w.want("pending", w.Counts().Pending.Load(), int64(0))
			})
		})
	}
}

// An edited callback is used as it is by then.
func TestRetryUsesTheCallbackAsItIs(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		c := w.callback(Callback{Body: "old {data}"})
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.uplink("01")
		synctest.Wait()
		_, err := w.EditCallback(w.Context(), w.kind.ID, c.ID, func(c *Callback) error { c.Body = "new {data}"; return nil })
		w.must(err)
		w.receiver.set(says(200, "OK", ""))
		w.after(time.Minute)
		w.want("requests", w.requests(), "0s old 01\n1m0s new 01")
	})
}

// The newest messages of a device are kept, the others go with all that belongs to them.
func TestKeepLimit(t *testing.T) {
	bubble(t, Config{KeepMessages: 5}, func(w *world) {
		w.kind.DownlinkMode = DownlinkDirect
		_, err := w.EditDeviceType(w.Context(), w.kind.ID, func(d *DeviceType) error { d.DownlinkMode = DownlinkDirect; return nil })
		w.must(err)
		w.callback(Callback{Body: "{seqNumber}"})
		for range 12 {
			w.send(Frame{Device: dev, Ack: true})
			synctest.Wait()
		}
		for _, bucket := range []string{messagesBucket, resultsBucket, downlinksBucket} {
			w.want(bucket, w.docs(bucket), 5)
		}
		list, next, err := w.Messages(w.Context(), dev, MessageQuery{}, Page{Limit: 3})
		w.must(err)
		w.want("newest", list[0].Seq, 11)
		list, next, err = w.Messages(w.Context(), dev, MessageQuery{}, Page{Limit: 3, After: next})
		w.must(err)
		w.want("oldest", list[len(list)-1].Seq, 7)
		w.want("next", next, "")

		w.Close() // with a lower limit
		w.cfg.KeepMessages = 2
		w.open()
		w.uplink("")
		w.uplink("")
		w.after(time.Minute)
		w.want("messages", w.docs(messagesBucket), 2)
	})
}

// A retry whose message is not kept any more is made, and leaves nothing behind.
func TestRetryOutlivesItsMessage(t *testing.T) {
	bubble(t, Config{KeepMessages: 1}, func(w *world) {
		w.callback(Callback{Body: "{seqNumber}"})
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.uplink("")
		synctest.Wait()
		w.receiver.set(says(200, "OK", ""))
		w.uplink("")
		w.after(time.Minute)
		w.want("requests", w.requests(), "0s 0\n0s 1\n1m0s 0")
		w.want("results", w.docs(resultsBucket), 1)
	})
}

// A store that cannot write refuses the frame, and takes the next one when it is well.
func TestStoreThatCannotWrite(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Body: "{seqNumber}"})
		w.store.Fail(errDisk)
		if _, err := w.Uplink(w.Context(), Frame{Device: dev}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		w.want("requests", len(w.receiver.all()), 0)
		w.want("pending", w.Counts().Pending.Load(), int64(0))
		w.store.Fail(nil)
		w.want("arrow", w.show(w.uplink("")).Arrow, Green)
	})
}

// A delivery whose outcome cannot be kept stays owed, and is made again when the store is well.
func TestOutcomeThatCannotBeKept(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Body: "{seqNumber}"})
		w.receiver.set(hangs(time.Second, says(200, "OK", "")))
		m := w.uplink("")
		w.store.Fail(errDisk)
		w.after(2 * time.Second)
		w.store.Fail(nil)
		w.after(10 * time.Second)
		w.want("requests", w.requests(), "0s 0\n6s 0")
		w.want("arrow", w.show(m).Arrow, Green)
		w.want("owed", w.docs(dueBucket), 0)
	})
}

// blind is a store whose list of what was not delivered cannot be read.
type blind struct {
	store.Store
	seeing atomic.Bool
}

func (b *blind) List(ctx context.Context, bucket, prefix, after string, limit int) iter.Seq2[store.Doc, error] {
	if bucket == undeliveredBucket && !b.seeing.Load() {
		return func(yield func(store.Doc, error) bool) { yield(store.Doc{}, errDisk) }
	}
	return b.Store.List(ctx, bucket, prefix, after, limit)
}

// What is given up while the list of undelivered ones cannot be read takes no other line's place: it stays owed.
func TestUndeliveredThatCannotBeNumbered(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.callback(Callback{Body: "{data}"})
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.uplink("01")
		w.after(10 * time.Minute)
		w.want("listed", w.docs(undeliveredBucket), 1)
		s := &blind{Store: w.store}
		w.cfg.Store = s
		w.restart()
		w.uplink("02")
		w.after(8 * time.Minute)
		w.want("owed while it is blind", w.docs(dueBucket), 1)
		s.seeing.Store(true)
		w.after(10 * time.Second)
		w.want("owed", w.docs(dueBucket), 0)
		w.want("listed", w.docs(undeliveredBucket), 2)
	})
}
