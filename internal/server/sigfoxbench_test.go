package server

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// BenchmarkSigfoxThroughAWS is the whole way of an uplink: it is kept on disk, its AWS IoT callback is rendered, signed with
// the session of an assumed role, sent over HTTPS to this server's own data plane, verified, authorised and published, and
// what it came to is kept. The direct way hands frames to the backend, the other one to the private API on the admin socket.
func BenchmarkSigfoxThroughAWS(b *testing.B) {
	for _, way := range []string{"direct", "api"} {
		b.Run(way, func(b *testing.B) { benchmarkSigfox(b, way == "api") })
	}
}

func benchmarkSigfox(b *testing.B, api bool) {
	cfg := Default()
	cfg.DataDir = filepath.Join(b.TempDir(), "data")
	cfg.Listen = Listeners{MQTTS: Off, HTTPS: Off, API: "127.0.0.1:0", Shared: Off, Console: Off, MQTT: Off, Metrics: Off}
	s, err := New(b.Context(), cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	admin := NewAdmin(cfg.DataDir)
	defer func() {
		admin.Close()
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	fox := s.rooms.fox.backend
	kind, err := fox.CreateDeviceType(*backend.NewDeviceType("seed"))
	if err != nil {
		b.Fatal(err)
	}
	const devices = 100
	for i := range devices {
		if _, err := fox.CreateDevice(b.Context(), backend.Device{ID: fmt.Sprintf("%X", i+1), DeviceType: kind.ID}); err != nil {
			b.Fatal(err)
		}
	}
	draft, err := fox.CreateDraft(b.Context(), kind.ID)
	if err != nil {
		b.Fatal(err)
	}
	keys := s.rooms.guard.Keys()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + DefaultSigfoxAccount +
		`:root"},"Condition":{"StringEquals":{"sts:ExternalId":"` + draft.ExternalID + `"}}}}`
	role, err := keys.CreateRole(b.Context(), iam.NewRole{Name: "cross", Trust: trust})
	if err != nil {
		b.Fatal(err)
	}
	if err := keys.PutRolePolicy(b.Context(), "cross", "p", EverythingPolicy); err != nil {
		b.Fatal(err)
	}
	if _, err := fox.CreateCallback(b.Context(), backend.Callback{
		DeviceType: kind.ID, Channel: backend.ChannelAWS, Subtype: 2, Enabled: true, PayloadConfig: "temp::float:32", Region: "us-east-1", Topic: "sigfox",
		Body: `{"device":"{device}","time":"{time}","temperature":{customData#temp}}`, RoleARN: role.ARN,
	}, draft.ID); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	data := []byte{0x41, 0xc8, 0xcc, 0xcd}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := fmt.Sprintf("%X", n.Add(1)%devices+1)
			var err error
			if api {
				err = admin.Do(b.Context(), Call{Method: http.MethodPost, Path: SigfoxPath("devices", id, "uplinks"), In: &SigfoxUplink{Data: "41C8CCCD"}})
			} else {
				_, err = fox.Uplink(b.Context(), backend.Frame{Device: id, Data: data})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	taken := b.Elapsed()
	for range time.Tick(time.Millisecond) {
		if fox.Counts().Delivered.Load()+fox.Counts().Failing.Load() >= int64(b.N) {
			break
		}
	}
	b.StopTimer()
	if failed := fox.Counts().Failing.Load(); failed > 0 {
		b.Errorf("%d deliveries failed", failed)
	}
	b.ReportMetric(float64(b.N)/taken.Seconds(), "taken/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
}
