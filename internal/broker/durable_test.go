package broker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// openDisk opens a broker on a pebble store on a file system of the test.
func openDisk(t *testing.T, fs vfs.FS, dir string) (*Broker, *pebble.Store) {
	t.Helper()
	return openDiskWith(t, fs, dir, nil)
}

func openDiskWith(t *testing.T, fs vfs.FS, dir string, j *journal.Journal) (*Broker, *pebble.Store) {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: dir, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return openTestWith(t, s, OpenLimits(), j), s
}

func closeDisk(t *testing.T, b *Broker, s *pebble.Store) {
	t.Helper()
	b.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// promises are what the broker has acknowledged: to each session its filters and its messages, and the retained ones.
type promises struct {
	mu       sync.Mutex
	messages map[string][]string // by client id
	retained map[string]int      // topic to the newest number
}

func (p *promises) clone() *promises {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &promises{messages: map[string][]string{}, retained: maps.Clone(p.retained)}
	for id, m := range p.messages {
		c.messages[id] = slices.Clone(m)
	}
	return c
}

// TestNoAckBeforeDurable cuts the power while clients connect, subscribe and publish: what was acknowledged before the
// cut is there when the next broker opens what is left of the disk.
func TestNoAckBeforeDurable(t *testing.T) {
	t.Parallel()
	const clients, rounds = 4, 40
	fs := vfs.NewCrashableMem()
	b, s := openDisk(t, fs, "data")
	defer closeDisk(t, b, s)
	p := &promises{messages: map[string][]string{}, retained: map[string]int{}}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { makePromises(t, b, p, i, rounds) })
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		before := p.clone()
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
		checkPromises(t, left, before)
	}
	wg.Wait()
	before := p.clone()
	if len(before.messages[fmt.Sprint(clients-1)]) != rounds {
		t.Errorf("%d messages were promised, want %d", len(before.messages["0"]), rounds)
	}
	checkPromises(t, fs.CrashClone(vfs.CrashCloneCfg{}), before)
}

// makePromises is a client that subscribes, goes away, and publishes to itself and on a retained topic.
func makePromises(t *testing.T, b *Broker, p *promises, i, rounds int) {
	id := fmt.Sprint(i)
	by := anybody("publisher " + id)
	c, _, err := b.Connect(ConnectRequest{Caller: anybody(id), Protocol: 5, Link: newLink(), Expiry: time.Hour})
	if err != nil {
		t.Error(err)
		return
	}
	if res := c.Subscribe([]SubscribeRequest{{Filter: "to/" + id, QoS: 1}}, true); res[0].Err != nil {
		t.Error(res[0].Err)
		return
	}
	c.Close(Cause{Reason: ConnectionLost})
	for n := range rounds {
		payload := fmt.Sprint(n + 1)
		if err := publishOne(b, by, &Message{Topic: "to/" + id, Payload: []byte(payload), QoS: 1}); err != nil {
			t.Error(err)
			return
		}
		p.mu.Lock()
		p.messages[id] = append(p.messages[id], payload)
		p.mu.Unlock()
		if err := publishOne(b, by, &Message{Topic: "kept/" + id, Payload: []byte(payload), Retain: true}); err != nil {
			t.Error(err)
			return
		}
		p.mu.Lock()
		p.retained["kept/"+id] = n + 1
		p.mu.Unlock()
	}
}

func checkPromises(t *testing.T, fs vfs.FS, p *promises) {
	t.Helper()
	b, s := openDisk(t, fs, "data")
	defer closeDisk(t, b, s)
	for id, want := range p.messages {
		l := newLink()
		_, present := connect(t, b, ConnectRequest{Caller: anybody(id), Link: l, Expiry: time.Hour})
		if !present {
			t.Errorf("session %s was promised and is lost", id)
		}
		b.work.wg.Wait() // the drain
		got := l.take()
		if len(got) < len(want) {
			t.Errorf("%d messages were promised to %s, %d are left", len(want), id, len(got))
			continue
		}
		for i, payload := range want {
			if got[i].payload != payload {
				t.Errorf("message %d to %s is %q, want %q", i, id, got[i].payload, payload)
			}
		}
	}
	for name, want := range p.retained {
		var m Message
		var got int
		if found, err := b.retained(name, &m); err != nil || !found {
			t.Errorf("retained %s: found %v, %v", name, found, err)
		}
		if _, err := fmt.Sscan(string(m.Payload), &got); err != nil || got < want {
			t.Errorf("retained %s is %q, %d was promised", name, m.Payload, want)
		}
	}
}

// A store that fails in the middle of it all is told to the publisher, and nothing that failed was handed out of a queue.
func TestWhatFailedIsNotDelivered(t *testing.T) {
	t.Parallel()
	b, s := openDisk(t, vfs.NewMem(), "data")
	l := newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: l, Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("1"), QoS: 1}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the publisher is told %v, want that the store is unavailable", err)
	}
	if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("2")}); err != nil {
		t.Errorf("QoS 0 needs no store: %v", err)
	}
	if got := payloads(l.take()); got != "2" {
		t.Errorf("received %q", got)
	}
	if n := c.session.messages.Load(); n != 0 {
		t.Errorf("room for %d messages is taken", n)
	}
	b.Close()
}
