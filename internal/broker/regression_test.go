package broker

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// memStore is a store in memory that ends with the test.
func memStore(t testing.TB) *mem.Store {
	s := mem.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lateStore is a store whose callbacks come late: what a commit did can be read, and nobody has been told yet.
type lateStore struct {
	*mem.Store
	late func()
}

func (s *lateStore) Commit(b *store.Batch) *store.Ticket {
	if then := b.Then; then != nil && s.late != nil {
		b.Then = func(err error) { s.late(); then(err) }
	}
	return s.Store.Commit(b)
}

// A drain can read an entry before the store's completion goroutine offers it. When the drain's limit cut a batch in two,
// the offer began with a message that was delivered already, was taken for one that has to wait for its turn, and the
// second half stayed in the store until the client came again.
func TestADrainThatIsFasterThanTheOfferLosesNothing(t *testing.T) {
	t.Parallel()
	s := &lateStore{Store: memStore(t)}
	b := openTest(t, s, OpenLimits())
	defer b.Close()
	l := newLink()
	l.room = 0
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: l, Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	by := anybody("p")
	for range drainEntries - 1 {
		if err := publishOne(b, by, &Message{Topic: "x", Payload: []byte("refused"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	s.late = func() { // the two messages are durable; the link has room; the drain takes what it can
		l.mu.Lock()
		l.room = -1
		l.mu.Unlock()
		c.Ready()
		b.work.wg.Wait()
	}
	done := make(chan struct{})
	p := &Batch{Done: func(*Batch) { close(done) }}
	for range 2 {
		m := p.Add()
		m.Topic, m.QoS = "x", 1
	}
	if !b.Publish(by, p) {
		<-done
	}
	b.work.wg.Wait()
	got := l.take()
	for i, r := range got {
		if r.seq != uint64(i+1) {
			t.Fatalf("number %d came as the %dth", r.seq, i+1)
		}
	}
	if len(got) != drainEntries+1 {
		t.Errorf("%d messages came, %d were published", len(got), drainEntries+1)
	}
}

// An alarm can ring in the moment when its client comes back. It found the session waiting again, for the next absence,
// and ended it at once.
func TestAnAlarmOfAnEarlierAbsenceEndsNothing(t *testing.T) {
	t.Parallel()
	b := openTest(t, memStore(t), OpenLimits())
	defer b.Close()
	for range 2 {
		c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
		old := c.session.gone
		c.Close(Cause{})
		b.expire(c.session, old) // it was taken from the heap just before it was cancelled
	}
	first := &alarm{}
	c, present := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
	b.expire(c.session, first)
	if !present || c.session.over {
		t.Error("the session was ended by an alarm that is not its own")
	}
}

// Between the moment when a connection is live and the moment when Start has made cached routes invalid, a publisher
// with a route from before handed messages to it without asking whether it may receive.
func TestAConnectionThatJustCameIsAskedForReceive(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]*policy.Set{
		"":     compile(t, "allow iot:Connect *\nallow iot:Subscribe *"),
		"zero": policy.AllowAll(),
	} {
		b := openTest(t, memStore(t), OpenLimits())
		c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
		subscribe(t, c, SubscribeRequest{Filter: "x"})
		c.Close(Cause{})
		by := anybody("p")
		for range 3 {
			if err := publishOne(b, by, &Message{Topic: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		l := newLink()
		c, _, err := b.Connect(ConnectRequest{Caller: NewCaller("c", "c", set, nil), Protocol: 5, Link: l, Expiry: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		c.session.live.Store(c) // the first step of Start
		if err := publishOne(b, by, &Message{Topic: "x", Payload: []byte("zero")}); err != nil {
			t.Fatal(err)
		}
		if got := payloads(l.take()); got != name {
			t.Errorf("received %q, want %q", got, name)
		}
		b.Close()
	}
}

// A door resets its batch in Done and publishes it again. The store was still on its way out of the commit then, and
// finished the ticket of a batch that had just begun. Each of the two commits of a Batch rests until the other is done.
func TestABatchIsUsedAgainWhileTheStoreLeavesIt(t *testing.T) {
	t.Parallel()
	b := openTest(t, memStore(t), OpenLimits())
	defer b.Close()
	l := newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: l, Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	by := anybody("p")
	const rounds = 1000
	again := make(chan struct{}, 1)
	p := &Batch{}
	p.Done = func(p *Batch) {
		if p.Results[0] != nil {
			t.Error(p.Results[0])
		}
		again <- struct{}{}
	}
	for i := range rounds {
		p.Reset()
		m := p.Add()
		m.Topic, m.QoS, m.Payload = "x", 1, fmt.Append(nil, i)
		if b.Publish(by, p) {
			t.Fatal("a message for a queue needs no store")
		}
		<-again
	}
	got := l.take()
	if len(got) != rounds {
		t.Fatalf("%d messages came, %d were published", len(got), rounds)
	}
	for i, r := range got {
		if r.payload != fmt.Sprint(i) || r.seq != uint64(i+1) {
			t.Fatalf("%q with number %d came as the %dth", r.payload, r.seq, i+1)
		}
	}
}

// A message in the store that is damaged is skipped and acknowledged: it holds up nobody.
func TestADamagedMessageIsSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memStore(t)
		b := openTest(t, s, OpenLimits())
		defer b.Close()
		c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
		subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
		c.Close(Cause{})
		bad := &store.Batch{Appends: []store.Append{{
			Queues: []store.QueueID{c.session.queue}, Body: []byte("rubbish"), Seqs: make([]uint64, 1),
		}}}
		if err := s.Commit(bad).Wait(); err != nil {
			t.Fatal(err)
		}
		if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("sound"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		l := newLink()
		c, _ = connect(t, b, ConnectRequest{Caller: anybody("c"), Link: l, Expiry: time.Hour})
		synctest.Wait()
		if got := payloads(l.take()); got != "sound" {
			t.Errorf("received %q", got)
		}
		c.Ack([]uint64{2})
		if c.session.q.trimmed != 2 {
			t.Errorf("the queue is trimmed up to %d, want 2", c.session.q.trimmed)
		}
	})
}

// Connections of one client id that come and go at once write the session's document in any order of their goroutines.
// The one that came last could be the one that knew least: after a restart a session that was there had gone long ago, or
// had the queue of another one.
func TestTheDocumentIsWhatTheRegistrySays(t *testing.T) {
	t.Parallel()
	s := memStore(t)
	b := openTest(t, s, OpenLimits())
	defer b.Close()
	for round := range 200 {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				c, _, err := b.Connect(ConnectRequest{
					Caller: anybody("c"), Protocol: 5, Link: newLink(), Expiry: time.Hour, CleanStart: (round+i)%3 == 0,
				})
				if err != nil {
					t.Error(err)
					return
				}
				c.Start()
				if i%2 == 0 {
					expiry := time.Duration(i/2) * time.Hour
					c.Disconnect(&expiry)
					c.Close(Cause{Reason: ClientInitiated})
				}
			})
		}
		wg.Wait()
		b.work.wg.Wait()
		if err := s.Commit(&store.Batch{}).Wait(); err != nil { // all that was handed over before is done
			t.Fatal(err)
		}
		checkDocument(t, b, s, round)
	}
}

func checkDocument(t *testing.T, b *Broker, s *mem.Store, round int) {
	t.Helper()
	want := b.shard("c").record(&session{clientID: "c", protocol: 5})
	d, err := s.Get(t.Context(), bucketSessions, "5/c")
	if want.Delete != fault.Is(err, fault.NotFound) || !want.Delete && string(d.Value) != string(want.Value) {
		t.Fatalf("round %d: the store has %s (%v), the registry says %s", round, d.Value, err, want.Value)
	}
}
