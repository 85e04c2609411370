package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/thingwire/thingwire/device/sensor"
	"github.com/thingwire/thingwire/internal/server"
)

type demoOptions struct {
	count         int
	interval      time.Duration
	sensor, topic string
}

func newDemo(w *world) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a server, a sensor that publishes, a subscriber that prints",
		Long: `Starts a server on a throw-away data directory, makes a thing with certificate and policy, and publishes what a
sensor of this machine measures as the AWS tutorial does, over MQTT with TLS in both directions. A second client
subscribes and prints each message as it arrives. Without a sensor under /sys a BME680 is simulated. Nothing is left
behind.`,
		Example: `  thingwire demo
  thingwire demo --count 5 --interval 200ms
  thingwire demo --sensor 'simulated:bme680?fail-every=3' --count 6`,
		Args: none,
	}
	f := cmd.Flags()
	f.IntVar(&o.count, "count", 0, "end after this many messages were received; 0 goes on until stopped")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "time between readings")
	f.StringVar(&o.sensor, "sensor", "", "sensor to read: iio:..., hwmon:..., thermal:..., exec:CMD, stdin or simulated:bme680 (default: one of this machine)")
	f.StringVar(&o.topic, "topic", "bme680/temperature", "topic to publish to")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), w, o) }
	return cmd
}

func (o *demoOptions) check() error {
	switch {
	case o.count < 0:
		return usage("--count is %d; use 0 or more", o.count)
	case o.interval <= 0:
		return usage("--interval is %s; use more than 0s", o.interval)
	case o.topic == "" || strings.ContainsAny(o.topic, "+#*?$"):
		return usage("--topic is %q; use a plain name such as bme680/temperature", o.topic)
	}
	return nil
}

func demo(ctx context.Context, w *world, o demoOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	from, origin, err := demoSensor(w, o.sensor)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	dir, err := os.MkdirTemp("", "thingwire-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := demoServer(ctx, w, dir)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return s.Run(serving) })
	err = demoClients(ctx, w, o, demoRun{admin: server.NewAdmin(dir), addr: s.Addr("mqtts"), from: from, origin: origin})
	stop()
	if err = errors.Join(err, group.Wait()); err == nil {
		w.printf("Stopped. Nothing is left behind.\n")
	}
	return err
}

// demoSensor opens what was asked for, else what this machine has, else a simulated one, and says which.
func demoSensor(w *world, spec string) (s sensor.Sensor, origin string, err error) {
	sys := w.sensors
	sys.Stdin = w.stdin
	if spec != "" {
		if s, err = sys.Open(spec); err != nil {
			return nil, "", usage("%s", err)
		}
	} else if s, err = sys.Discover(); err != nil {
		s, err = sys.Open("simulated:bme680")
		if err != nil {
			return nil, "", err
		}
		w.printf("Sensor:     this machine shows none under /sys, so a BME680 is simulated\n")
		return s, "BME680 temperature (simulated)", nil
	}
	w.printf("Sensor:     %s\n", s)
	if strings.HasPrefix(s.String(), "simulated:") {
		return s, "BME680 temperature (simulated)", nil
	}
	return s, s.String(), nil
}

// demoServer starts a server on free ports of this machine that only MQTT with certificates can use.
func demoServer(ctx context.Context, w *world, dir string) (*server.Server, error) {
	cfg := server.Default()
	cfg.DataDir = dir
	cfg.Listen = server.Listeners{MQTTS: "127.0.0.1:0", HTTPS: server.Off, API: server.Off, Shared: server.Off, Console: server.Off, MQTT: server.Off, Metrics: server.Off}
	log := slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := server.New(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		_ = s.Close() // the first error counts
		return nil, err
	}
	w.printf("Server:     mqtts on %s, data in %s until it stops\n", s.Addr("mqtts"), dir)
	return s, nil
}

// demoRun is what the two clients of the demo share.
type demoRun struct {
	admin  *server.Client
	addr   string
	from   sensor.Sensor
	origin string
}

// demoClients runs the sensor's loop and the subscriber until enough was received or ctx ends.
func demoClients(ctx context.Context, w *world, o demoOptions, r demoRun) error {
	defer r.admin.Close()
	device, err := r.connect(ctx, w, "demo-sensor", demoPolicy("iot:Publish", "topic/"+o.topic), func(string, []byte) {})
	if err != nil {
		return err
	}
	defer device.Close()
	enough := make(chan struct{})
	received := 0
	watcher, err := r.connect(ctx, w, "demo-subscriber", demoPolicy("iot:Subscribe", "topicfilter/"+o.topic, "iot:Receive", "topic/"+o.topic),
		func(topic string, payload []byte) {
			w.printf("%s %s\n", topic, printable(payload))
			if received++; received == o.count {
				close(enough)
			}
		})
	if err != nil {
		return err
	}
	defer watcher.Close()
	if _, err := watcher.Subscribe(ctx, o.topic, 1); err != nil {
		return err
	}
	w.printf("Subscriber: prints what arrives on %s\n", o.topic)
	return r.publishUntil(ctx, w, o, device, watcher, enough)
}

func (r *demoRun) publishUntil(ctx context.Context, w *world, o demoOptions, device, watcher *mqttClient, enough <-chan struct{}) error {
	looping, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		loop := sensorLoop{
			sensor: r.from, origin: r.origin, interval: o.interval,
			publish: func(ctx context.Context, payload []byte) error { return device.Publish(ctx, o.topic, payload) },
			failed:  func(err error) { w.errorf("the sensor gave no reading: %s\n", err) },
		}
		if err := loop.run(looping); looping.Err() == nil {
			stop()
			return err
		}
		return nil // it was told to stop
	})
	select {
	case <-enough:
	case <-watcher.Failed():
		stop()
		return errors.Join(watcher.Err(), group.Wait())
	case <-looping.Done():
	}
	stop()
	return group.Wait()
}

// connect makes a thing with a policy of its own and connects as that thing.
func (r *demoRun) connect(ctx context.Context, w *world, name, policy string, onMessage func(string, []byte)) (*mqttClient, error) {
	made, err := r.admin.Provision(ctx, server.NewThing{Name: name, Document: policy})
	if err != nil {
		return nil, err
	}
	w.printf("Thing:      %s, with certificate %s… and policy %s\n", name, made.CertificateID[:8], made.PolicyName)
	addr, err := netip.ParseAddrPort(r.addr)
	if err != nil {
		return nil, err
	}
	t, err := newTarget("localhost", addr.Port(), []byte(made.CertificatePEM), []byte(made.PrivateKeyPEM), []byte(made.RootPEM))
	if err != nil {
		return nil, err
	}
	t.Endpoint = addr.Addr().String() // localhost may mean another address than the one that is open; the name is the certificate's
	return connectMQTT(ctx, mqttConfig{
		target: t, clientID: name, sessionExpiry: time.Hour, forget: true,
		onMessage:     onMessage,
		onInterrupted: func(err error) { w.errorf("%s: connection interrupted: %s\n", name, err) },
		onResumed:     func(bool) { w.errorf("%s: connection resumed\n", name) },
		afterResumed:  func() {},
	})
}

// demoPolicy allows to connect as the thing that the certificate belongs to, and pairs of action and resource.
func demoPolicy(allowed ...string) string {
	type statement struct {
		Effect, Action, Resource string
	}
	const prefix = "arn:aws:iot:" + server.DefaultRegion + ":" + server.DefaultAccount + ":"
	statements := []statement{{"Allow", "iot:Connect", prefix + "client/${iot:Connection.Thing.ThingName}"}}
	for i := 0; i+1 < len(allowed); i += 2 {
		statements = append(statements, statement{"Allow", allowed[i], prefix + allowed[i+1]})
	}
	data, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements}) //nolint:errchkjson // texts always marshal
	return string(data)
}
