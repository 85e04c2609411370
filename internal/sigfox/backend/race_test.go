package backend

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// flaky fails every third delivery.
type flaky struct{ n atomic.Int64 }

func (f *flaky) Deliver(context.Context, *delivery.Request) delivery.Outcome {
	if f.n.Add(1)%3 == 0 {
		return delivery.Outcome{Status: 500, Info: "Internal Server Error", At: time.Now()}
	}
	return delivery.Outcome{Status: 200, Info: "OK", OK: true, At: time.Now()}
}

// Everything at the same time, and the end of the backend in the middle of it: nobody waits for anybody for ever, and the
// next backend pays what this one left. Run it with -race.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := mem.New()
	cfg := Config{Store: s, Sender: &flaky{}, Speed: 60_000, KeepMessages: 20}
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Start()
	w := &world{T: t, Backend: b}
	kind := *NewDeviceType("type")
	kind.DownlinkMode, kind.KeepAlive = DownlinkCallback, 1800
	made, err := b.CreateDeviceType(kind)
	w.must(err)
	w.kind = made
	for i := range 4 {
		_, err := b.CreateDevice(t.Context(), Device{ID: fmt.Sprintf("A%d", i), DeviceType: made.ID})
		w.must(err)
	}
	w.asked(Callback{})
	w.acknowledged()
	ctx := context.Background()
	var all sync.WaitGroup
	every := func(n int, do func(i int) error) {
		all.Go(func() {
			for i := range n {
				if err := do(i); err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Throttled) {
					t.Error(err)
				}
			}
		})
	}
	for i := range 4 {
		every(150, func(n int) error {
			_, err := b.Uplink(ctx, Frame{Device: fmt.Sprintf("A%d", i), Ack: n%5 == 0})
			return err
		})
	}
	every(60, func(i int) error {
		c, err := b.CreateCallback(ctx, Callback{DeviceType: made.ID, Channel: ChannelBatch, Subtype: 2, Enabled: true, URL: "https://example.org/?b={batch}", LinePattern: "{device};"}, "")
		if err != nil || i%2 == 0 {
			return err
		}
		return b.DeleteCallback(ctx, made.ID, c.ID)
	})
	every(40, func(i int) error {
		_, err := b.EditDeviceType(ctx, made.ID, func(d *DeviceType) error { d.KeepAlive = 1800 + i; return nil })
		return err
	})
	every(40, func(int) error {
		_, _, err := b.Messages(ctx, "A0", MessageQuery{}, Page{})
		return err
	})
	every(40, func(int) error { _, err := b.QueueDownlink(ctx, "A1", "0011223344556677", time.Time{}); return err })
	every(10, func(int) error {
		_, err := b.CreateDevice(ctx, Device{ID: "B", DeviceType: made.ID})
		if err == nil {
			_, err = b.Uplink(ctx, Frame{Device: "B"})
		}
		if err == nil {
			err = b.DeleteDevice(ctx, "B")
		}
		return err
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for range time.Tick(time.Millisecond) {
			if b.Counts().Uplinks.Load() > 300 {
				break
			}
		}
		b.Close()
	}()
	all.Wait()
	<-stopped
	cfg.Sender = instant{}
	again, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again.Start()
	settleCallbacks(t, again)
	again.Close()
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Errorf("%q, %v", problems, err)
	}
	w.must(s.Close())
}

// settleCallbacks waits until nothing is owed.
func settleCallbacks(t *testing.T, b *Backend) {
	t.Helper()
	began := time.Now()
	for range time.Tick(time.Millisecond) {
		if b.Counts().Pending.Load() == 0 {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("still owed: %d", b.Counts().Pending.Load())
		}
	}
}
