package broker

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// TestNothingIsLostOrReordered lets publishers, subscribers, takeovers, full links and acknowledgements happen at once.
// A persistent session receives every message that was acknowledged to its publisher, and of each publisher in order,
// if one forgets about those that came before: what is not acknowledged comes again.
func TestNothingIsLostOrReordered(t *testing.T) {
	t.Parallel()
	t.Run("mem", func(t *testing.T) {
		t.Parallel()
		turmoil(t, mem.New())
	})
	t.Run("pebble", func(t *testing.T) {
		t.Parallel()
		s, err := pebble.Open(pebble.Options{Dir: t.TempDir(), Relaxed: true})
		if err != nil {
			t.Fatal(err)
		}
		turmoil(t, s)
	})
}

const (
	turmoilPublishers  = 4
	turmoilSubscribers = 4
	turmoilMessages    = 300
)

func turmoil(t *testing.T, s store.Store) {
	b := openTest(t, s, OpenLimits())
	subs := make([]*faithful, turmoilSubscribers)
	for i := range subs {
		subs[i] = newFaithful(t, b, fmt.Sprintf("s%d", i), i)
	}
	quit := make(chan struct{})
	var noise, publishers, subscribers sync.WaitGroup
	noise.Go(func() { churn(t, b, quit) })
	for i := range turmoilPublishers {
		publishers.Go(func() { publishAll(t, b, i) })
	}
	for _, f := range subs {
		subscribers.Go(f.run)
	}
	publishers.Wait()
	subscribers.Wait()
	close(quit)
	noise.Wait()
	for _, f := range subs {
		f.conn.Close(Cause{Reason: ConnectionLost})
	}
	b.work.wg.Wait()
	noZombies(t, b)
	b.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// publishAll publishes numbered messages in batches of changing size over two topics, each batch when the last is done.
func publishAll(t *testing.T, b *Broker, i int) {
	by := anybody(fmt.Sprintf("p%d", i))
	done := make(chan struct{}, 1)
	p := &Batch{Done: func(p *Batch) { done <- struct{}{} }}
	for n := 0; n < turmoilMessages; {
		p.Reset()
		for range min(1+n%7, turmoilMessages-n) {
			m := p.Add()
			m.Topic, m.QoS = fmt.Sprintf("t/%d", n/3%2), 1
			m.Payload = fmt.Appendf(m.Payload[:0], "p%d %d", i, n)
			n++
		}
		if !b.Publish(by, p) {
			<-done
		}
		for _, err := range p.Results {
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// churn makes other sessions come, subscribe and go, so that routes change all the time.
func churn(t *testing.T, b *Broker, quit chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-quit:
			return
		default:
		}
		r := ConnectRequest{Caller: anybody(fmt.Sprintf("n%d", n%3)), Protocol: 5, Link: newLink(), CleanStart: n%2 == 0}
		if n%4 > 1 {
			r.Expiry = time.Hour
		}
		c, _, err := b.Connect(r)
		if err != nil {
			t.Error(err)
			return
		}
		c.Start()
		c.Subscribe([]SubscribeRequest{{Filter: "t/#", QoS: 1}, {Filter: "$share/noise/t/+", QoS: 1}}, false)
		if n%5 == 0 {
			if err := c.Unsubscribe([]string{"t/#"}); err != nil {
				t.Error(err)
			}
		}
		if n%3 == 0 {
			none := time.Duration(0)
			c.Disconnect(&none)
			c.Close(Cause{Reason: ClientInitiated})
		}
	}
}

// faithful is a subscriber that acknowledges what it gets, in an order of its own, with a link that is often full, and
// comes back again and again.
type faithful struct {
	t    *testing.T
	b    *Broker
	id   string
	nth  int
	conn *Connection

	mu   sync.Mutex
	more sync.Cond
	room int
	got  []received
}

func newFaithful(t *testing.T, b *Broker, id string, nth int) *faithful {
	f := &faithful{t: t, b: b, id: id, nth: nth}
	f.more.L = &f.mu
	f.connect()
	res := f.conn.Subscribe([]SubscribeRequest{{Filter: []string{"t/#", "t/+", "+/+", "#"}[nth%4], QoS: 1}}, true)
	if res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	return f
}

// faithfulLink is the link of one connection of a subscriber.
type faithfulLink struct {
	f    *faithful
	over bool // under f.mu
}

func (l *faithfulLink) Deliver(ds []Delivery, _ bool) (took int, flush bool) {
	f := l.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.over {
		return len(ds), false
	}
	for _, d := range ds {
		if d.Seq != 0 && f.room == 0 {
			break
		}
		if took++; d.Seq == 0 {
			f.t.Errorf("%s: %s came without a number", f.id, d.Message.Payload)
			continue
		}
		f.room--
		f.got = append(f.got, received{payload: string(d.Message.Payload), seq: d.Seq})
	}
	f.more.Signal()
	return took, true
}

func (l *faithfulLink) Flush() bool { return false }

func (l *faithfulLink) Kick(Cause) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.over = true
}

// connect takes over from the connection before, if it was not closed.
func (f *faithful) connect() {
	f.mu.Lock()
	f.room, f.got = 10, nil
	f.mu.Unlock()
	c, _, err := f.b.Connect(ConnectRequest{
		Caller: anybody(f.id), Protocol: 5, Link: &faithfulLink{f: f}, Expiry: time.Hour,
	})
	if err != nil {
		f.t.Error(err)
		return
	}
	f.mu.Lock()
	f.room, f.got = 10, nil // nothing of the old connection counts
	f.mu.Unlock()
	f.conn = c
	c.Start()
}

func (f *faithful) take() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.got) == 0 {
		f.more.Wait()
	}
	got := f.got
	f.got = nil
	f.room = 10
	return got
}

// run receives until all messages of all publishers are there.
func (f *faithful) run() {
	seen := map[string]bool{}
	next := map[string]int{}
	last := uint64(0)
	for round := 1; len(seen) < turmoilPublishers*turmoilMessages; round++ {
		got := f.take()
		seqs := make([]uint64, 0, len(got))
		for _, r := range got {
			if last != 0 && r.seq <= last {
				f.t.Errorf("%s: number %d came after %d", f.id, r.seq, last)
			}
			last = r.seq
			f.check(r, seen, next)
			seqs = append(seqs, r.seq)
		}
		if round%3 == f.nth%3 { // out of order, and not all of them
			slices.Reverse(seqs)
			f.conn.Ack(seqs[:len(seqs)/2])
		} else {
			f.conn.Ack(seqs)
		}
		if round%20 == 5*f.nth {
			if f.nth%2 == 0 {
				f.conn.Close(Cause{Reason: ConnectionLost})
			}
			last = 0
			f.connect()
			continue
		}
		f.conn.Ready()
	}
}

// check wants messages that are new to be the next ones of their publisher.
func (f *faithful) check(r received, seen map[string]bool, next map[string]int) {
	if seen[r.payload] {
		return
	}
	seen[r.payload] = true
	var by string
	var n int
	if _, err := fmt.Sscanf(r.payload, "%s %d", &by, &n); err != nil {
		f.t.Error(err)
	}
	if n != next[by] {
		f.t.Errorf("%s: %q came, %s %d was next", f.id, r.payload, by, next[by])
	}
	next[by] = n + 1
}
