package broker

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// Invariants of the design that live in this room, by their names there.

// TestDoorsAuthenticateBrokerAuthorises: a door that forgets to ask cannot publish, subscribe or connect, because the
// broker asks.
func TestDoorsAuthenticateBrokerAuthorises(t *testing.T) {
	t.Parallel()
	s := memStore(t)
	b := openTest(t, s, OpenLimits())
	defer b.Close()
	l := newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("watcher"), Link: l, Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	for name, nobody := range map[string]*Caller{
		"no policies": NewCaller("nobody", "nobody", nil, nil),
		"no match":    NewCaller("nobody", "nobody", compile(t, "allow iot:Publish topic/y"), nil),
	} {
		for _, m := range []*Message{
			{Topic: "x", Payload: []byte("q0")},
			{Topic: "x", Payload: []byte("q1"), QoS: 1},
			{Topic: "x", Payload: []byte("retained"), Retain: true},
			{Topic: "y", Payload: []byte("retained where it may publish"), Retain: true},
		} {
			if m.Topic == "y" && name == "no policies" {
				continue
			}
			if err := publishOne(b, nobody, m); !fault.Is(err, fault.Denied) {
				t.Errorf("%s: %s: %v, want it denied", name, m.Payload, err)
			}
		}
		if _, _, err := b.Connect(ConnectRequest{Caller: nobody, Protocol: 5, Link: newLink()}); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: connect: %v, want it denied", name, err)
		}
		service, results := b.Serve(nobody, []SubscribeRequest{{Filter: "#"}}, func(Received) { t.Errorf("%s: received", name) })
		if !fault.Is(results[0].Err, fault.Denied) {
			t.Errorf("%s: subscribe: %v, want it denied", name, results[0].Err)
		}
		service.Close()
	}
	if got := l.take(); len(got) > 0 {
		t.Errorf("received %v", got)
	}
	if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("allowed"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if got := payloads(l.take()); got != "allowed" {
		t.Errorf("received %q", got)
	}
	for d, err := range s.List(t.Context(), bucketRetained, "", "", 0) {
		t.Errorf("retained %v, %v", d.Key, err)
	}
}

// TestOneOwnerPerClientID: whoever connects last owns the client id, all others are told so once, and nothing that they
// do afterwards has an effect.
func TestOneOwnerPerClientID(t *testing.T) {
	t.Parallel()
	const contenders = 50
	b := openTest(t, memStore(t), OpenLimits())
	defer b.Close()
	first, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
	subscribe(t, first, SubscribeRequest{Filter: "x", QoS: 1})
	first.Close(Cause{})
	if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("1"), QoS: 1}); err != nil {
		t.Fatal(err)
	}

	links := make([]*testLink, contenders)
	conns := make([]*Connection, contenders)
	var wg sync.WaitGroup
	for i := range contenders {
		links[i] = newLink()
		wg.Go(func() {
			c, _, err := b.Connect(ConnectRequest{
				Caller: anybody("c"), Protocol: 3 + 2*byte(i%2), Link: links[i], Expiry: time.Hour, CleanStart: i%3 == 0,
			})
			if err != nil {
				t.Error(err)
				return
			}
			c.Start()
			c.Subscribe([]SubscribeRequest{{Filter: fmt.Sprintf("own/%d", i), QoS: 1}}, false)
			conns[i] = c
		})
	}
	wg.Wait()
	b.work.wg.Wait()

	sh := b.shard("c")
	sh.mu.Lock()
	owner := sh.m["c"].live
	sh.mu.Unlock()
	for i, c := range conns {
		kicks := links[i].kicked()
		if want := map[bool]int{true: 0, false: 1}[c == owner]; len(kicks) != want {
			t.Errorf("connection %d was kicked %d times, want %d", i, len(kicks), want)
		}
		for _, k := range kicks {
			if k.Reason != DuplicateClientID || k.Code != codeSessionTakenOver {
				t.Errorf("kicked with %v", k)
			}
		}
		if c != owner {
			c.Ack([]uint64{1, 2, 3})
			c.Ready()
			c.Start()
			c.Close(Cause{})
			c.Disconnect(new(time.Duration))
		}
		links[i].take()
	}
	subscribe(t, owner, SubscribeRequest{Filter: "last", QoS: 1})
	if err := publishOne(b, anybody("p"), &Message{Topic: "last", Payload: []byte("2"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for i, c := range conns {
		want := ""
		if c == owner {
			want = "2"
		}
		if got := payloads(links[i].take()); got != want {
			t.Errorf("connection %d received %q, want %q", i, got, want)
		}
	}
	noZombies(t, b)
}

// noZombies checks that every route leads to a session that is there, with the filter that it has.
func noZombies(t *testing.T, b *Broker) {
	t.Helper()
	want := 0
	for i := range b.shards {
		b.shards[i].mu.Lock()
		for id, h := range b.shards[i].m {
			sessions := map[*session]bool{h.stored[0]: true, h.stored[1]: true}
			if h.live != nil {
				sessions[h.live.session] = true
			}
			delete(sessions, nil)
			if len(sessions) == 0 {
				t.Errorf("client id %q is remembered for nothing", id)
			}
			for s := range sessions {
				s.mu.Lock()
				for _, sub := range s.subs {
					if !sub.filter.Shared() {
						want++
					}
				}
				s.mu.Unlock()
			}
		}
		b.shards[i].mu.Unlock()
	}
	b.groups.mu.Lock()
	want += len(b.groups.m)
	b.groups.mu.Unlock()
	if got := b.routes.Len(); got != want {
		t.Errorf("%d routes, the sessions have %d filters", got, want)
	}
}

// TestHopsEnd: a service that republishes what it receives to where it listens stops by itself.
func TestHopsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openTest(t, memStore(t), OpenLimits())
		defer b.Close()
		var received int
		var last error
		by := anybody("")
		service, _ := b.Serve(by, []SubscribeRequest{{Filter: "round/#", QoS: 1}}, func(r Received) {
			received++
			p := &Batch{}
			m := p.Add()
			m.Topic, m.Payload, m.QoS = r.Message.Topic, r.Message.Payload, r.QoS
			m.CausedBy(r.Message)
			if !b.Publish(by, p) {
				t.Error("a batch that needs no store waits for it")
			}
			last = p.Results[0]
		})
		defer service.Close()
		if err := publishOne(b, anybody("p"), &Message{Topic: "round/1", Payload: []byte("and round"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if received != maxHops+1 || !fault.Is(last, fault.Invalid) {
			t.Errorf("received %d times, the last publish gave %v; want %d times and a refusal", received, last, maxHops+1)
		}
	})
}

// TestHopsEndThroughTheStore: a circle that goes through retained messages and restarts ends as well, because what is
// stored remembers how it came about.
func TestHopsEndThroughTheStore(t *testing.T) {
	t.Parallel()
	s := memStore(t)
	if err := func() error {
		b := openTest(t, s, OpenLimits())
		defer b.Close()
		return publishOne(b, anybody("p"), &Message{Topic: "round", Payload: []byte("and round"), QoS: 1, Retain: true})
	}(); err != nil {
		t.Fatal(err)
	}
	var last error
	rounds := 0
	for ; last == nil && rounds < 2*maxHops; rounds++ {
		b := openTest(t, s, OpenLimits())
		republished := make(chan error, 1)
		service, _ := b.Serve(anybody(""), []SubscribeRequest{{Filter: "round", QoS: 1}}, func(r Received) {
			if !r.Retain {
				return // what it has just published itself
			}
			p := &Batch{Done: func(p *Batch) { republished <- p.Results[0] }}
			m := p.Add()
			m.Topic, m.Payload, m.QoS, m.Retain = r.Message.Topic, r.Message.Payload, r.QoS, true
			m.CausedBy(r.Message)
			if b.Publish(anybody(""), p) {
				republished <- p.Results[0]
			}
		})
		last = <-republished
		service.Close()
		b.Close()
	}
	if rounds != maxHops+1 || !fault.Is(last, fault.Invalid) {
		t.Errorf("%d rounds, the last one gave %v; want %d and a refusal", rounds, last, maxHops+1)
	}
}

// TestSubackAfterRoute: a publish that is sent after Subscribe has returned reaches the subscriber, from whatever cache
// its publisher lives; retained messages come after SendRetained is called, not before.
func TestSubackAfterRoute(t *testing.T) {
	t.Parallel()
	b := openTest(t, memStore(t), OpenLimits())
	defer b.Close()
	publishers := []*Caller{anybody("p0"), anybody("p1"), anybody("p2"), anybody("p3")}
	var wg sync.WaitGroup
	turn := make([]chan string, len(publishers))
	done := make(chan error)
	for i, by := range publishers {
		turn[i] = make(chan string)
		wg.Go(func() {
			for payload := range turn[i] {
				done <- publishOne(b, by, &Message{Topic: "a/b", Payload: []byte(payload), QoS: byte(i % 2)})
			}
		})
	}
	for round := range 200 {
		l := newLink()
		r := ConnectRequest{Caller: anybody("s"), Link: l, CleanStart: true}
		if round%2 == 0 {
			r.Expiry = time.Hour
		}
		c, _ := connect(t, b, r)
		filter := []string{"a/b", "a/+", "+/b", "#"}[round%4]
		if res := c.Subscribe([]SubscribeRequest{{Filter: filter, QoS: 1}}, true); res[0].Err != nil {
			t.Fatal(res[0].Err)
		}
		var want []string
		for i := range turn {
			payload := fmt.Sprintf("%d/%d", round, i)
			turn[i] <- payload
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			want = append(want, payload)
		}
		if diff := cmp.Diff(strings.Join(want, " "), payloads(l.take())); diff != "" {
			t.Fatalf("round %d: received (-want +got):\n%s", round, diff)
		}
	}
	for i := range turn {
		close(turn[i])
	}
	wg.Wait()

	l := newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("late"), Link: l})
	if err := publishOne(b, publishers[0], &Message{Topic: "r", Payload: []byte("kept"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	res := c.Subscribe([]SubscribeRequest{{Filter: "r", QoS: 1}}, true)
	if got := l.take(); len(got) > 0 {
		t.Errorf("received %v before SUBACK", got)
	}
	c.SendRetained(res)
	if got := payloads(l.take()); got != "kept" {
		t.Errorf("received %q after SUBACK", got)
	}
}

// TestEveryGoroutineIsWaitedFor: when Close returns, nothing that the broker has started is running, though drains and
// sessions that end were under way. TestMain looks for what is left.
func TestEveryGoroutineIsWaitedFor(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := mem.New()
		b := openTest(t, s, OpenLimits())
		var conns []*Connection
		for i := range 20 {
			c, _ := connect(t, b, ConnectRequest{Caller: anybody(fmt.Sprint(i)), Link: newLink(), Expiry: time.Hour})
			subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
			conns = append(conns, c)
		}
		var wg sync.WaitGroup
		for i, c := range conns {
			wg.Go(func() {
				expiry := time.Duration(i%2) * time.Hour
				c.Disconnect(&expiry)
				c.Close(Cause{Reason: ClientInitiated})
				n, _, err := b.Connect(ConnectRequest{Caller: anybody(fmt.Sprint(i)), Protocol: 5, Link: newLink(), Expiry: time.Hour})
				if err == nil {
					n.Start()
					n.Close(Cause{Reason: ConnectionLost})
				} else if !fault.Is(err, fault.Unavailable) {
					t.Error(err)
				}
			})
		}
		wg.Go(func() { _ = publishOne(b, anybody("p"), &Message{Topic: "x", QoS: 1}) })
		b.Close()
		wg.Wait()
		b.Close() // again: nothing happens
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if b.work.start(func() {}) {
			t.Fatal("something was started after Close")
		}
	}
}
