package server

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/policy"
)

// families scrapes s and parses what it says.
func families(t *testing.T, s *Server) map[string]*dto.MetricFamily {
	t.Helper()
	status, body, _ := ask(t, browser(t, s), "GET", "http://"+s.Addr("metrics")+"/metrics", nil)
	if status != 200 {
		t.Fatal(status, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// series are the values of our counters and gauges, by name or name{label}.
func series(t *testing.T, s *Server) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for name, family := range families(t, s) {
		for _, m := range family.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += "{" + l.GetValue() + "}"
			}
			switch {
			case m.GetCounter() != nil:
				all[key] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				all[key] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				all[key] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// Every series of ours is there from the first scrape on, so that rates have a zero to start from; labels are one per
// metric and come from a fixed set.
func TestMetricsAreThereBeforeAnythingHappens(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	ours := map[string]int{}
	for name, family := range families(t, s) {
		if strings.HasPrefix(name, "thingwire_") {
			ours[name] = len(family.GetMetric())
			continue
		}
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is not one of ours", name)
		}
	}
	for name, n := range map[string]int{
		"thingwire_publishes_total": 5, "thingwire_connects_total": 5, "thingwire_websockets_total": 5, "thingwire_subscribes_total": 5, "thingwire_unsubscribes_total": 5,
		"thingwire_disconnects_total": 12, "thingwire_dropped_total": 4, "thingwire_tls_handshakes_total": 2,
		"thingwire_deliveries_total": 1, "thingwire_strangers_total": 1, "thingwire_received_bytes_total": 1, "thingwire_sent_bytes_total": 1,
		"thingwire_publishes_discarded_total": 1, "thingwire_connections": 1, "thingwire_sessions": 1, "thingwire_subscriptions": 1,
		"thingwire_sigfox_uplinks_total": 2, "thingwire_sigfox_deliveries_total": 2, "thingwire_sigfox_retries_total": 1, "thingwire_sigfox_undelivered_total": 2,
		"thingwire_sigfox_downlinks_total": 2, "thingwire_sigfox_pending": 1, "thingwire_sigfox_received_total": 2,
		"thingwire_console_refused_total": 1, "thingwire_store_degraded": 1, "thingwire_store_commit_seconds": 1, "thingwire_store_group_batches": 1,
	} {
		if ours[name] != n {
			t.Errorf("%s has %d series, want %d", name, ours[name], n)
		}
		delete(ours, name)
	}
	if len(ours) > 0 {
		t.Errorf("metrics that this test and docs/operations.md do not know: %v", ours)
	}
}

func TestMetricsFollowTheRooms(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	b := &broker.Batch{Messages: make([]broker.Message, 3)}
	for i, topic := range []string{"a/b", "a/+", "$aws/x"} {
		b.Messages[i].Topic = topic
	}
	s.rooms.broker.Publish(broker.NewCaller("test", "", policy.AllowAll(), nil), b)
	s.rooms.broker.Publish(broker.NewCaller("nobody", "", policy.Compile(), &policy.Connection{}), &broker.Batch{Messages: []broker.Message{{Topic: "a/b"}}})
	s.rooms.meters.observeGroup(3, 2*time.Millisecond)
	got := series(t, s)
	for name, want := range map[string]float64{
		"thingwire_publishes_total{success}":      1,
		"thingwire_publishes_total{client_error}": float64(s.rooms.broker.Counts().Refused.Load()) - got["thingwire_publishes_total{auth_error}"],
		"thingwire_publishes_total{server_error}": 0,
		"thingwire_store_commit_seconds":          1,
		"thingwire_store_group_batches":           1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if got["thingwire_publishes_total{auth_error}"] < 1 {
		t.Error("a denied publish is not counted as one")
	}
}

// On a data directory the store tells how its groups went.
func TestMetricsOfTheStore(t *testing.T) {
	cfg := quiet(t)
	cfg.Listen.Metrics = "127.0.0.1:0"
	s, admin := begin(t, cfg)
	if _, err := admin.Provision(t.Context(), NewThing{Name: "lamp", Policy: PolicyThingScoped}); err != nil {
		t.Fatal(err)
	}
	if got := series(t, s); got["thingwire_store_commit_seconds"] < 1 || got["thingwire_store_group_batches"] < 1 {
		t.Error(got)
	}
}

func BenchmarkScrape(b *testing.B) {
	cfg := Default()
	cfg.InMemory = true
	s, err := New(b.Context(), cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.rooms.meters.all.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
