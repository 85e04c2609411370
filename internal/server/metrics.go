package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
)

// meters are the metrics of one server, in a registry of their own. The rooms count with atomic integers and know
// nothing of Prometheus; most metrics are functions that read those when somebody asks. No label holds a client id, a
// topic or anything else that clients choose: each metric has a fixed number of series.
type meters struct {
	all     *prometheus.Registry
	group   prometheus.Histogram
	batches prometheus.Histogram
	foreign prometheus.Counter
	handler http.Handler
}

func newMeters() *meters {
	return &meters{
		all: prometheus.NewRegistry(),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "thingwire_store_commit_seconds",
			Help:    "How long a group of batches took from the moment when the store took it up until it was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16), // 0.1 ms to 3.3 s
		}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "thingwire_store_group_batches",
			Help:    "How many batches shared one sync of the store.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12), // to 2,048
		}),
		foreign: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thingwire_console_refused_total",
			Help: "Requests that the console refused because of their Host or Origin.",
		}),
	}
}

// observeGroup is told by the store what became durable together.
func (m *meters) observeGroup(batches int, took time.Duration) {
	m.batches.Observe(float64(batches))
	m.group.Observe(took.Seconds())
}

// openMetrics registers what the rooms count.
func (r *rooms) openMetrics(_ context.Context, log *slog.Logger) error {
	m := r.meters
	all := []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.group, m.batches, m.foreign,
		gauge("thingwire_store_degraded", "1 while the store cannot write and refuses what would have to be kept, else 0.", r.degraded),
	}
	all = append(all, brokerMetrics(r.broker, r.fox.subscriptions)...)
	all = append(all, gatewayMetrics(r.gateway.Counts())...)
	all = append(all, sigfoxMetrics(r.fox.backend.Counts())...)
	all = append(all, receiverMetrics(r.fox.receiver)...)
	for _, c := range all {
		if err := m.all.Register(c); err != nil {
			return err
		}
	}
	m.handler = promhttp.HandlerFor(m.all, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
	})
	return nil
}

// degraded is 1 while the store refuses.
func (r *rooms) degraded() float64 {
	if r.store.Degraded() != nil {
		return 1
	}
	return 0
}

// scrape answers /metrics.
func (r *rooms) scrape(w http.ResponseWriter, req *http.Request) { r.meters.handler.ServeHTTP(w, req) }

func brokerMetrics(b *broker.Broker, own func() int) []prometheus.Collector {
	n := b.Counts()
	const (
		publishes = "thingwire_publishes_total"
		asked     = "Messages that were published through any door, by result."
		dropped   = "thingwire_dropped_total"
		lost      = "Deliveries that were lost, by reason."
	)
	clientErrors := func() int64 {
		f := &n.RefusedFor
		return max(0, n.Refused.Load()-f.Auth.Load()-f.Server.Load()-f.Throttled.Load())
	}
	return []prometheus.Collector{
		counter(publishes, asked, "result", gateway.Succeeded.String(), n.Accepted.Load),
		counter(publishes, asked, "result", gateway.AuthFailed.String(), n.RefusedFor.Auth.Load),
		counter(publishes, asked, "result", gateway.ClientFailed.String(), clientErrors),
		counter(publishes, asked, "result", gateway.ServerFailed.String(), n.RefusedFor.Server.Load),
		counter(publishes, asked, "result", gateway.Throttled.String(), n.RefusedFor.Throttled.Load),
		counter("thingwire_deliveries_total", "Messages that were handed to subscribers.", "", "", n.Delivered.Load),
		counter(dropped, lost, "reason", "queue_full", n.DroppedQueueFull.Load),
		counter(dropped, lost, "reason", "throttled", n.DroppedThrottled.Load),
		counter(dropped, lost, "reason", "expired", n.DroppedExpired.Load),
		gauge("thingwire_sessions", "Persistent sessions, with and without a connection.", func() float64 { return float64(b.StoredSessions()) }),
		gauge("thingwire_subscriptions", "Subscriptions of all sessions.", func() float64 { return float64(b.Subscriptions() - own()) }),
	}
}

func gatewayMetrics(n *gateway.Counts) []prometheus.Collector {
	const (
		handshakes = "thingwire_tls_handshakes_total"
		met        = "TLS handshakes, by result."
		ends       = "thingwire_disconnects_total"
		ended      = "Connections that ended after their CONNECT was accepted, by the reason that lifecycle events give."
	)
	all := []prometheus.Collector{
		counter(handshakes, met, "result", "success", n.Handshakes.Load),
		counter(handshakes, met, "result", "failed", n.HandshakesFailed.Load),
		counter("thingwire_strangers_total", "Sockets that were closed before CONNECT: no certificate that is known and active, or no MQTT.", "", "", n.Strangers.Load),
		counter("thingwire_received_bytes_total", "Bytes of MQTT that came in, inside TLS.", "", "", n.ReceivedBytes.Load),
		counter("thingwire_sent_bytes_total", "Bytes of MQTT that went out, inside TLS.", "", "", n.SentBytes.Load),
		counter("thingwire_dropped_total", "Deliveries that were lost, by reason.", "reason", "connection", n.Dropped.Load),
		counter("thingwire_publishes_discarded_total", "Messages that were discarded at the door because of a rate, without an answer.", "", "", n.ThrottledPublishes.Load),
		gauge("thingwire_connections", "Clients that are connected.", func() float64 { return float64(n.Connected.Load()) }),
	}
	all = append(all, tally("thingwire_connects_total", "CONNECT packets, by result.", &n.Connects)...)
	all = append(all, tally("thingwire_websockets_total", "Upgrades to MQTT over WebSocket, by result.", &n.WebSockets)...)
	all = append(all, tally("thingwire_subscribes_total", "SUBSCRIBE requests that were granted, and filters that were refused, by result.", &n.Subscribes)...)
	all = append(all, tally("thingwire_unsubscribes_total", "UNSUBSCRIBE requests, by result.", &n.Unsubscribes)...)
	for i, reason := range gateway.DisconnectReasons {
		all = append(all, counter(ends, ended, "reason", strings.ToLower(string(reason)), n.Disconnects[i].Load))
	}
	return all
}

func receiverMetrics(r *receive.Receiver) []prometheus.Collector {
	const (
		received = "thingwire_sigfox_received_total"
		came     = "Callbacks that came to receiving endpoints, by result."
	)
	return []prometheus.Collector{
		counter(received, came, "result", "accepted", r.Received),
		counter(received, came, "result", "refused", r.Refused),
	}
}

func sigfoxMetrics(n *backend.Counts) []prometheus.Collector {
	const (
		uplinks    = "thingwire_sigfox_uplinks_total"
		came       = "Frames that came to the Sigfox backend, by result."
		deliveries = "thingwire_sigfox_deliveries_total"
		tried      = "Attempts to deliver Sigfox callbacks, by outcome."
		ended      = "thingwire_sigfox_undelivered_total"
		lost       = "Deliveries of Sigfox callbacks that were given up, by reason."
		downlinks  = "thingwire_sigfox_downlinks_total"
		fate       = "Downlinks that Sigfox devices asked for, by result."
	)
	return []prometheus.Collector{
		counter(uplinks, came, "result", "accepted", n.Uplinks.Load),
		counter(uplinks, came, "result", "refused", n.Refused.Load),
		counter(deliveries, tried, "outcome", "delivered", n.Delivered.Load),
		counter(deliveries, tried, "outcome", "failed", n.Failing.Load),
		counter("thingwire_sigfox_retries_total", "Deliveries of Sigfox callbacks that failed and were put off.", "", "", n.Retries.Load),
		counter(ended, lost, "reason", "retries_over", n.Undelivered.Load),
		counter(ended, lost, "reason", "callback_gone", n.GivenUp.Load),
		counter(downlinks, fate, "result", "sent", n.DownlinksSent.Load),
		counter(downlinks, fate, "result", "failed", n.DownlinksFailed.Load),
		gauge("thingwire_sigfox_pending", "Deliveries of Sigfox callbacks that are owed: on their way, or to be tried again.", func() float64 { return float64(n.Pending.Load()) }),
	}
}

func tally(name, help string, t *gateway.Tally) []prometheus.Collector {
	all := make([]prometheus.Collector, 0, len(t))
	for i := range t {
		all = append(all, counter(name, help, "result", gateway.Result(i).String(), t[i].Load))
	}
	return all
}

// counter is one series that is read from an atomic integer. An empty label is none.
func counter(name, help, label, value string, read func() int64) prometheus.Collector {
	opts := prometheus.CounterOpts{Name: name, Help: help}
	if label != "" {
		opts.ConstLabels = prometheus.Labels{label: value}
	}
	return prometheus.NewCounterFunc(opts, func() float64 { return float64(read()) })
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}
