package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// pubsubOptions are the flags of the tutorial's pubsub.py, by their names there.
type pubsubOptions struct {
	endpoint, cert, key, rootCA, clientID, topic, message string
	port                                                  uint16
	count                                                 int
	interval                                              time.Duration
}

func newPubsub(w *world) *cobra.Command {
	var o pubsubOptions
	cmd := &cobra.Command{
		Use:   "pubsub",
		Short: "Send messages and receive them back: pubsub.py of the AWS tutorial",
		Long: `Does what pubsub.py of the AWS tutorial "Connect a device to AWS IoT Core by using the AWS IoT Device SDK" does, with
its flags and its output: connects with a certificate, subscribes to a topic, sends messages to it, and ends when as
many came back. A message that is JSON is sent as it is, other text with its number behind it; an empty one only
receives. It works with AWS itself too.`,
		Example: `  thingwire thing create lamp --out certs
  thingwire pubsub --root-ca certs/root-CA.pem --cert certs/lamp.cert.pem --key certs/lamp.private.key --count 2
  thingwire pubsub ... --topic device/data --count 2 --message '{"timestamp":1601048303}'
  thingwire pubsub ... --topic 'device/+/details' --message "" --count 2`,
		Args: none,
	}
	f := cmd.Flags()
	f.StringVar(&o.endpoint, "endpoint", "localhost", "host name of the server, as in its certificate")
	f.Uint16Var(&o.port, "port", 8883, "port; 443 names MQTT by ALPN")
	f.StringVar(&o.cert, "cert", "", "file with the device's certificate (PEM)")
	f.StringVar(&o.key, "key", "", "file with the device's private key (PEM)")
	f.StringVar(&o.rootCA, "root-ca", "", "file with the CA that signed the server's certificate (PEM); else the system's CAs")
	f.StringVar(&o.clientID, "client-id", "", "client id (default test-UUID)")
	f.StringVar(&o.topic, "topic", "test/topic", "topic to subscribe to and to send to")
	f.StringVar(&o.message, "message", "Hello World!", "message to send; empty sends none")
	f.IntVar(&o.count, "count", 10, "messages to send and to receive; 0 goes on until stopped")
	f.DurationVar(&o.interval, "interval", time.Second, "pause between messages")
	absent := absentFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range absent {
			if cmd.Flags().Changed(name) {
				return usage("--%s: MQTT over WebSocket is not there yet; connect with --cert and --key", name)
			}
		}
		return pubsub(cmd.Context(), w, o)
	}
	return cmd
}

// absentFlags are flags of the sample that are known, so that using one says what is the matter.
func absentFlags(cmd *cobra.Command) []string {
	f := cmd.Flags()
	f.Bool("use-websocket", false, "")
	f.String("signing-region", "", "")
	f.String("proxy-host", "", "")
	f.Uint16("proxy-port", 0, "")
	names := []string{"use-websocket", "signing-region", "proxy-host", "proxy-port"}
	for _, name := range names {
		f.Lookup(name).Hidden = true
	}
	return names
}

func (o *pubsubOptions) check() error {
	switch {
	case o.count < 0:
		return usage("--count is %d; use 0 or more", o.count)
	case o.interval < 0:
		return usage("--interval is %s; use 0s or more", o.interval)
	case o.topic == "":
		return usage("--topic is empty")
	case o.message != "" && strings.ContainsAny(o.topic, "+#"):
		return usage("--topic %q has wildcards: nothing can be sent to it; say --message \"\" to receive only", o.topic)
	}
	return nil
}

// text is the message with that number. The tutorial's exercise 3 sends JSON as it is, the sample before it numbers
// its messages.
func (o *pubsubOptions) text(number int) string {
	if json.Valid([]byte(o.message)) {
		return o.message
	}
	return fmt.Sprintf("%s [%d]", o.message, number)
}

func (o *pubsubOptions) connection() (mqttConfig, error) {
	var rootPEM []byte
	certPEM, err := readPEM("cert", o.cert)
	if err != nil {
		return mqttConfig{}, err
	}
	keyPEM, err := readPEM("key", o.key)
	if err != nil {
		return mqttConfig{}, err
	}
	if o.rootCA != "" {
		if rootPEM, err = readPEM("root-ca", o.rootCA); err != nil {
			return mqttConfig{}, err
		}
	}
	t, err := newTarget(o.endpoint, strconv.Itoa(int(o.port)), certPEM, keyPEM, rootPEM)
	// The sample connects with clean_session=False, whose session AWS keeps for an hour. One of a random client id
	// would never be found again.
	cfg := mqttConfig{target: t, clientID: o.clientID, sessionExpiry: time.Hour}
	if cfg.clientID == "" {
		cfg.clientID, cfg.forget = "test-"+uuid.NewString(), true
	}
	return cfg, err
}

// sample is one run of pubsub: what its callbacks share.
type sample struct {
	w         *world
	o         pubsubOptions
	client    *mqttClient
	connected chan struct{} // closed when "Connected!" stands; messages of an old session wait for it

	mu       sync.Mutex
	received int
	all      chan struct{} // closed when count messages were received
}

func pubsub(ctx context.Context, w *world, o pubsubOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	cfg, err := o.connection()
	if err != nil {
		return err
	}
	s := &sample{w: w, o: o, connected: make(chan struct{}), all: make(chan struct{})}
	cfg.onMessage, cfg.onInterrupted, cfg.onResumed = s.message, s.interrupted, func(present bool) { s.resumed(ctx, present) }
	w.printf("Connecting to %s with client ID '%s'...\n", o.endpoint, cfg.clientID)
	if s.client, err = connectMQTT(ctx, cfg); err != nil {
		return err
	}
	w.printf("Connected!\n")
	close(s.connected)
	if err := s.run(ctx); err != nil {
		s.client.Close()
		return err
	}
	w.printf("Disconnecting...\n")
	s.client.Close()
	w.printf("Disconnected!\n")
	return nil
}

func (s *sample) run(ctx context.Context) error {
	s.w.printf("Subscribing to topic '%s'...\n", s.o.topic)
	qos, err := s.client.Subscribe(ctx, s.o.topic, 1)
	if err != nil {
		return err
	}
	s.w.printf("Subscribed with %s\n", pythonQoS(qos))
	if s.o.message != "" {
		if err := s.send(ctx); err != nil {
			return s.stopped(ctx, err)
		}
	}
	if s.o.count != 0 && !s.complete() {
		s.w.printf("Waiting for all messages to be received...\n")
	}
	select {
	case <-s.all:
	case <-s.client.Failed():
		return s.client.Err()
	case <-ctx.Done():
		return s.stopped(ctx, context.Cause(ctx))
	}
	s.w.printf("%d message(s) received.\n", s.count())
	return nil
}

// stopped is the end by Ctrl-C: the right one where there is no other.
func (s *sample) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	s.w.printf("%d message(s) received.\n", s.count())
	if s.o.count == 0 {
		return nil
	}
	return fmt.Errorf("stopped after %d of %d messages", s.count(), s.o.count)
}

func (s *sample) send(ctx context.Context) error {
	if s.o.count == 0 {
		s.w.printf("Sending messages until program killed\n")
	} else {
		s.w.printf("Sending %d message(s)\n", s.o.count)
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for n := 1; s.o.count == 0 || n <= s.o.count; n++ {
		text := s.o.text(n)
		s.w.printf("Publishing message to topic '%s': %s\n", s.o.topic, text)
		if err := s.client.Publish(ctx, s.o.topic, []byte(text)); err != nil {
			return err
		}
		pause.Reset(s.o.interval)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.client.Failed():
			return s.client.Err()
		}
	}
	return nil
}

// message shows what its subscription brings. The session may hold subscriptions of an earlier run with the same
// client id; the SDK has no callback for those and shows nothing.
func (s *sample) message(topic string, payload []byte) {
	if !matches(s.o.topic, topic) {
		return
	}
	<-s.connected
	s.w.printf("Received message from topic '%s': %s\n", topic, pythonBytes(payload))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.received++; s.received == s.o.count {
		close(s.all)
	}
}

func (s *sample) interrupted(err error) { s.w.printf("Connection interrupted. error: %s\n", err) }

func (s *sample) resumed(ctx context.Context, present bool) {
	<-s.connected // a connection may be lost before connectMQTT has returned it
	s.w.printf("Connection resumed. return_code: 0 session_present: %s\n", pythonBool(present))
	if present {
		return
	}
	s.w.printf("Session did not persist. Resubscribing to existing topics...\n")
	qos, err := s.client.Subscribe(ctx, s.o.topic, 1)
	if err != nil {
		s.w.printf("Server rejected resubscribe to topic: %s\n", s.o.topic)
		s.client.cancel(err)
		return
	}
	s.w.printf("Resubscribe results: {'topics': [(%s, <%s: %d>)]}\n", pythonString(s.o.topic), pythonQoS(qos), qos)
}

func (s *sample) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

func (s *sample) complete() bool {
	select {
	case <-s.all:
		return true
	default:
		return false
	}
}

// matches reports whether a topic filter matches a topic as AWS does it: a/# does not match a.
func matches(filter, topic string) bool {
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		_, filter, _ = strings.Cut(rest, "/")
	}
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		want, moreWanted, deeperFilter := strings.Cut(filter, "/")
		level, rest, deeperTopic := strings.Cut(topic, "/")
		switch {
		case want == "#":
			return true
		case want != "+" && want != level, deeperFilter != deeperTopic:
			return false
		case !deeperFilter:
			return true
		}
		filter, topic = moreWanted, rest
	}
}
