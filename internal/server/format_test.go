package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// formats are stores as the first version that wrote each format left it when it was killed: a log to be replayed,
// sessions of both protocols with messages that wait, a shared subscription, retained messages, shared bodies, trims, a
// dropped queue, things, and access keys. From format 2 on there are blocks, one of them half trimmed in a table and one
// in the log. With THINGWIRE_WRITE_FORMAT=1 the test writes the last one anew, for a new format in a new folder.
var formats = []struct {
	dir   string
	first []string // messages that each session was sent, from format 2 on in one group; the first is trimmed
	later []string // the same in one group, after a restart
}{
	{"testdata/format1", formatMessages, []string{"three"}},
	{"testdata/format2", formatMessages, []string{"three", "four", "five"}},
}

var formatMessages = []string{"gone", "one", string(bytes.Repeat([]byte("shared "), 100))}

// A store of any format opens for ever, and nothing in it is lost.
func TestFormatsOpen(t *testing.T) {
	if os.Getenv("THINGWIRE_WRITE_FORMAT") != "" {
		writeFormat(t)
	}
	for _, format := range formats {
		t.Run(filepath.Base(format.dir), func(t *testing.T) {
			openFormat(t, format.dir, slices.Concat(format.first, format.later))
		})
	}
}

func openFormat(t *testing.T, from string, sent []string) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	s, err := pebble.Open(pebble.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	report := &CheckReport{DataDir: t.TempDir()} // without the sealing key, which was never kept
	if err := report.read(t.Context(), s); err != nil || len(report.Problems) > 0 {
		t.Errorf("%q, %v", report.Problems, err)
	}
	b := formatBroker(t, s)
	if n := b.StoredSessions(); n != 7 {
		t.Errorf("%d sessions", n)
	}
	for i := range 6 {
		got := &keeper{}
		c, present, err := b.Connect(broker.ConnectRequest{
			Caller: formatCaller(fmt.Sprint("c", i)), Protocol: []byte{3, 5}[i%2], Expiry: time.Hour, Link: got,
		})
		if err != nil || !present {
			t.Fatalf("session %d: present %v, %v", i, present, err)
		}
		c.Start()
		want := sent[1:]
		if i == 0 {
			want = sent[2:] // it had acknowledged one
		}
		got.await(t, want)
	}
	b.Close()
	if _, err := s.Get(t.Context(), "retained", "kept"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// formatExpiry is long: the store waits for years between its writing and a run of this test.
const formatExpiry = 90 * 365 * 24 * time.Hour

func formatCaller(id string) *broker.Caller {
	return broker.NewCaller("anonymous", id, policy.AllowAll(), &policy.Connection{ClientID: id, HasClientID: true})
}

func formatBroker(t *testing.T, s store.Store) *broker.Broker {
	t.Helper()
	limits := broker.OpenLimits()
	limits.SessionExpiryMax = formatExpiry
	b, err := broker.Open(t.Context(), broker.Config{Store: s, Limits: limits, Log: slog.New(slog.DiscardHandler), Account: DefaultAccount, Region: DefaultRegion})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeFormat makes the last of the stores that TestFormatsOpen reads.
func writeFormat(t *testing.T) {
	format := formats[len(formats)-1]
	dir := filepath.Join(t.TempDir(), "store")
	s, err := pebble.Open(pebble.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	formatThings(t, s)
	b := formatBroker(t, s)
	for i := range 8 {
		c, _, err := b.Connect(broker.ConnectRequest{
			Caller: formatCaller(fmt.Sprint("c", i)), Protocol: []byte{3, 5}[i%2], Expiry: formatExpiry, Link: &keeper{},
		})
		if err != nil {
			t.Fatal(err)
		}
		reqs := []broker.SubscribeRequest{{Filter: "all/+", QoS: 1, RetainAsPublished: i == 1}}
		if i == 6 {
			reqs = []broker.SubscribeRequest{{Filter: "$share/group/shared/#", QoS: 1}}
		}
		for _, res := range c.Subscribe(reqs, true) {
			if res.Err != nil {
				t.Fatal(res.Err)
			}
		}
		c.Close(broker.Cause{Reason: broker.ConnectionLost})
	}
	var all, shared []*broker.Message
	for _, payload := range format.first {
		all = append(all, &broker.Message{Topic: "all/x", Payload: []byte(payload), QoS: 1})
		shared = append(shared, &broker.Message{Topic: "shared/x", Payload: []byte(payload), QoS: 1})
	}
	formatPublish(t, b, all...)
	formatPublish(t, b, shared...)
	for id, err := range s.QueueIDs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		s.Trim(id, 1)
	}
	formatAcknowledge(t, b, format.first[1:])
	b.Close()
	if err := s.Close(); err != nil { // writes trims, and tables when it is opened again
		t.Fatal(err)
	}
	if s, err = pebble.Open(pebble.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	b = formatBroker(t, s)
	all = nil
	for _, payload := range format.later {
		all = append(all, &broker.Message{Topic: "all/x", Payload: []byte(payload), QoS: 1})
	}
	formatPublish(t, b, all...)
	formatPublish(t, b, &broker.Message{Topic: "kept", Payload: []byte("1"), QoS: 1, Retain: true, Props: &broker.Properties{
		HasPayloadFormat: true, PayloadFormat: 1, ContentType: "text/plain", ResponseTopic: "r", CorrelationData: []byte("c"),
		User: []broker.UserProperty{{Key: "k", Value: "v"}},
	}})
	c, _, err := b.Connect(broker.ConnectRequest{Caller: formatCaller("c7"), Protocol: 5, CleanStart: true, Link: &keeper{}})
	if err != nil {
		t.Fatal(err)
	}
	c.Close(broker.Cause{Reason: broker.ConnectionLost})
	b.Close()
	if err := errors.Join(os.RemoveAll(format.dir), s.Checkpoint(format.dir), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// formatAcknowledge lets the first session acknowledge the first of the messages that wait for it.
func formatAcknowledge(t *testing.T, b *broker.Broker, waiting []string) {
	t.Helper()
	got := &keeper{}
	c, _, err := b.Connect(broker.ConnectRequest{Caller: formatCaller("c0"), Protocol: 3, Expiry: formatExpiry, Link: got})
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	got.await(t, waiting)
	c.Ack([]uint64{1, 2})
	c.Close(broker.Cause{Reason: broker.ConnectionLost})
}

func formatThings(t *testing.T, s store.Store) {
	t.Helper()
	authority, err := registry.NewAuthority(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), registry.Config{Account: DefaultAccount, Region: DefaultRegion, Store: s, Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.CreateThing(t.Context(), registry.ThingSpec{Name: "lamp"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreatePolicy(t.Context(), "p", policy.AllowEverything(DefaultAccount, DefaultRegion)); err != nil {
		t.Fatal(err)
	}
	keys, err := iam.Open(t.Context(), iam.Config{Account: DefaultAccount, Store: s, Key: iam.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	if _, _, _, err := keys.FirstKey(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
}

// formatPublish publishes messages in one group.
func formatPublish(t *testing.T, b *broker.Broker, ms ...*broker.Message) {
	t.Helper()
	done := make(chan struct{})
	p := &broker.Batch{Done: func(*broker.Batch) { close(done) }}
	for _, m := range ms {
		d := p.Add()
		d.Topic, d.Payload, d.QoS, d.Retain, d.Props = m.Topic, m.Payload, m.QoS, m.Retain, m.Props
	}
	if !b.Publish(formatCaller("publisher"), p) {
		<-done
	}
	for _, err := range p.Results {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// keeper is a link that keeps payloads.
type keeper struct{ got lockedWords }

func (k *keeper) Deliver(ds []broker.Delivery, _ bool) (took int, flush bool) {
	for i := range ds {
		k.got.add(string(ds[i].Message.Payload))
	}
	return len(ds), false
}

func (k *keeper) Flush() bool { return false }

func (k *keeper) Kick(broker.Cause) {}

// await waits until that many messages came, and compares them.
func (k *keeper) await(t *testing.T, want []string) {
	t.Helper()
	if got := k.got.await(t.Context(), len(want)); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

// lockedWords are words that somebody waits for.
type lockedWords struct {
	mu    sync.Mutex
	words []string
	more  chan struct{}
}

func (l *lockedWords) add(word string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words = append(l.words, word)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

func (l *lockedWords) await(ctx context.Context, n int) []string {
	for {
		l.mu.Lock()
		words := slices.Clone(l.words)
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		if len(words) >= n {
			return words
		}
		select {
		case <-more:
		case <-ctx.Done():
			return words
		}
	}
}
