package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// sample is one run of pubsub: what its callbacks share.
type sample struct {
	w         *world
	o         pubsubOptions
	client    *mqttClient
	connected chan struct{} // closed when "Connected!" stands; messages of an old session wait for it

	unsubscribed bool // the session was lost; for the callbacks of the connection, which come one at a time

	mu       sync.Mutex
	received int
	all      chan struct{} // closed when count messages were received
}

func pubsub(ctx context.Context, w *world, o pubsubOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	cfg, err := o.connection(w)
	if err != nil {
		return err
	}
	s := &sample{w: w, o: o, connected: make(chan struct{}), all: make(chan struct{})}
	cfg.onMessage, cfg.onInterrupted, cfg.onResumed = s.message, s.interrupted, s.resumed
	cfg.afterMessage = s.acknowledged
	cfg.afterResumed = func() { s.resubscribe(ctx) }
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
	s.received++
}

// acknowledged ends the run with its last message, but not before that one's PUBACK is on its way: the server would send
// it again to the next run with this client id.
func (s *sample) acknowledged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.count != 0 && s.received >= s.o.count && !s.complete() {
		close(s.all)
	}
}

func (s *sample) interrupted(err error) { s.w.printf("Connection interrupted. error: %s\n", err) }

func (s *sample) resumed(present bool) {
	s.w.printf("Connection resumed. return_code: 0 session_present: %s\n", pythonBool(present))
	if !present {
		s.w.printf("Session did not persist. Resubscribing to existing topics...\n")
		s.unsubscribed = true
	}
}

// resubscribe makes the subscription anew where the session was lost. When the connection is lost over it too, the
// next one gets another try.
func (s *sample) resubscribe(ctx context.Context) {
	if !s.unsubscribed {
		return
	}
	<-s.connected // a connection may be lost before connectMQTT has returned it
	qos, err := s.client.Subscribe(ctx, s.o.topic, 1)
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Throttled) {
		s.w.printf("Server rejected resubscribe to topic: %s\n", s.o.topic)
		s.client.cancel(err)
	}
	if err != nil {
		return
	}
	s.unsubscribed = false
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
