package backend

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// instant is a receiver that takes everything.
type instant struct{}

func (instant) Deliver(context.Context, *delivery.Request) delivery.Outcome {
	return delivery.Outcome{Status: 200, Info: "OK", OK: true, At: time.Now()}
}

// BenchmarkUplink is what the backend itself costs on a disk: each iteration is a frame, its commit, one delivery that
// succeeds, and the commit of its result; 16 radios send at the same time.
func BenchmarkUplink(b *testing.B) {
	s, err := pebble.Open(pebble.Options{Dir: filepath.Join(b.TempDir(), "store")})
	if err != nil {
		b.Fatal(err)
	}
	back, err := Open(b.Context(), Config{Store: s, Sender: instant{}})
	if err != nil {
		b.Fatal(err)
	}
	back.Start()
	const devices = 500
	kind, err := back.CreateDeviceType(*NewDeviceType("type"))
	if err != nil {
		b.Fatal(err)
	}
	for i := range devices {
		if _, err := back.CreateDevice(b.Context(), Device{ID: fmt.Sprintf("%X", i+1), DeviceType: kind.ID}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := back.CreateCallback(b.Context(), good(kind.ID), ""); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	data := []byte{0x41, 0xc8, 0xcc, 0xcd}
	b.SetParallelism(8) // per core
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f := Frame{Device: fmt.Sprintf("%X", n.Add(1)%devices+1), Data: data}
			if _, err := back.Uplink(b.Context(), f); err != nil {
				b.Error(err)
				return
			}
		}
	})
	for range time.Tick(time.Millisecond) {
		if back.Counts().Delivered.Load() >= int64(b.N) {
			break
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uplinks/s")
	back.Close()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
