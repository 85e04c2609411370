package broker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/store/pebble"
)

// cutSeeds is how many workloads are cut: a few hundred, and as many as THINGWIRE_CRASH_SEEDS says for make crash.
func cutSeeds(t *testing.T) int {
	t.Helper()
	if n := os.Getenv("THINGWIRE_CRASH_SEEDS"); n != "" {
		seeds, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		return seeds
	}
	if testing.Short() {
		return 40
	}
	return 200
}

// TestCutAfterEveryOperation runs random workloads of connects, takeovers, subscribes, publishes, retained updates,
// acknowledgements and expiries, and cuts the power before each operation on the disk, with whatever part of the unsynced
// bytes. What was acknowledged by then is there afterwards, in its order; what is gone for good stays away.
// (Invariant NoAckBeforeDurable.)
func TestCutAfterEveryOperation(t *testing.T) {
	t.Parallel()
	seeds := cutSeeds(t)
	var all sync.WaitGroup
	next := make(chan uint64)
	for range 4 {
		all.Go(func() {
			for seed := range next {
				if !t.Failed() {
					newCutter(t, seed).run()
				}
			}
		})
	}
	for seed := range seeds {
		next <- uint64(seed)
	}
	close(next)
	all.Wait()
}

// acked is what clients know for certain, and what is in the balance while one of them waits for an answer.
type acked struct {
	sessions map[string]*ackedSession // by protocol and client id
	retained map[string]string

	limbo    map[string]bool // sessions that are being made or forgotten
	inFlight string          // the payload of the message that is being published
	topic    string          // and its topic, if it is to be retained
	filters  map[string]bool // of limbo subscriptions, as key and filter
}

// ackedSession is a session that a client was told of.
type ackedSession struct {
	messages []string // published to it and not acknowledged by the client
	done     []string // acknowledged by the client: they may come again
	filters  map[string]bool
}

func (a *acked) clone() *acked {
	c := &acked{
		sessions: map[string]*ackedSession{}, retained: maps.Clone(a.retained), limbo: maps.Clone(a.limbo),
		inFlight: a.inFlight, topic: a.topic, filters: maps.Clone(a.filters),
	}
	for key, s := range a.sessions {
		c.sessions[key] = &ackedSession{slices.Clone(s.messages), slices.Clone(s.done), maps.Clone(s.filters)}
	}
	return c
}

// cutter is one workload.
type cutter struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	disk *vfs.MemFS
	b    *Broker
	live map[string]*cutConn
	n    int

	mu   sync.Mutex
	luck *rand.Rand // of the cuts
	acks *acked
	cuts []cut
}

type cutConn struct {
	*Connection
	link *testLink
	seqs []uint64 // of its session's messages
}

// cut is a disk as it was after a power cut, and what had been acknowledged.
type cut struct {
	disk *vfs.MemFS
	acks *acked
}

func newCutter(t *testing.T, seed uint64) *cutter {
	return &cutter{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), luck: rand.New(rand.NewPCG(seed, 2)),
		disk: vfs.NewCrashableMem(), live: map[string]*cutConn{},
		acks: &acked{sessions: map[string]*ackedSession{}, retained: map[string]string{}, limbo: map[string]bool{}, filters: map[string]bool{}},
	}
}

// String is the cutter's name as an injector of errors. It makes none.
func (c *cutter) String() string { return "cutter" }

// MaybeError is called before each operation on the disk.
func (c *cutter) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		c.cut()
	}
	return nil
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	acks := c.acks.clone() // before the disk: what is acknowledged in between may be missing from it
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: c.luck.IntN(3) * 50, RNG: c.luck}
	c.cuts = append(c.cuts, cut{c.disk.CrashClone(cfg), acks})
}

// change is what a client learns, or begins to wait for.
func (c *cutter) change(fn func(a *acked)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(c.acks)
}

func (c *cutter) fatalf(format string, args ...any) {
	c.t.Errorf("seed %d: "+format, append([]any{c.seed}, args...)...)
}

const cutOperations = 10

func (c *cutter) run() {
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(c.disk, c)})
	if err != nil {
		c.fatalf("%v", err)
		return
	}
	c.b = openTest(c.t, s, OpenLimits())
	operations := []func(){c.connect, c.connect, c.subscribe, c.subscribe, c.publish, c.publish, c.publish, c.publish, c.acknowledge, c.leave, c.expire}
	c.connect()
	c.subscribe()
	for range cutOperations {
		operations[c.rng.IntN(len(operations))]()
		c.b.work.wg.Wait()
		c.check()
	}
	c.cut()
	c.check()
	closeDisk(c.t, c.b, s)
}

var (
	cutKeys   = []string{"3a", "5a", "5b"}
	cutTopics = []string{"x", "y"}
)

func (c *cutter) connect() {
	key := cutKeys[c.rng.IntN(len(cutKeys))]
	clean := c.rng.IntN(5) == 0
	var known bool
	c.change(func(a *acked) {
		if known = a.sessions[key] != nil; clean || !known {
			a.limbo[key] = true
		}
	})
	maps.DeleteFunc(c.live, func(other string, _ *cutConn) bool { return other[1:] == key[1:] }) // taken over
	link := newLink()
	conn, present := connect(c.t, c.b, ConnectRequest{
		Caller: anybody(key[1:]), Protocol: key[0] - '0', CleanStart: clean, Expiry: time.Hour, Link: link,
	})
	if present != (known && !clean) {
		c.fatalf("%s: session present is %v", key, present)
	}
	c.change(func(a *acked) {
		if !present {
			a.sessions[key] = &ackedSession{filters: map[string]bool{}}
		}
		delete(a.limbo, key)
	})
	c.live[key] = &cutConn{conn, link, nil}
}

// anyone is a client that is connected, nil if there is none.
func (c *cutter) anyone() (key string, conn *cutConn) {
	if len(c.live) == 0 {
		return "", nil
	}
	keys := slices.Sorted(maps.Keys(c.live))
	key = keys[c.rng.IntN(len(keys))]
	return key, c.live[key]
}

func (c *cutter) subscribe() {
	key, conn := c.anyone()
	if conn == nil {
		return
	}
	filter := cutTopics[c.rng.IntN(len(cutTopics))]
	c.change(func(a *acked) { a.filters[key+filter] = true })
	if res := conn.Subscribe([]SubscribeRequest{{Filter: filter, QoS: 1}}, false); res[0].Err != nil {
		c.fatalf("%v", res[0].Err)
	}
	c.change(func(a *acked) {
		delete(a.filters, key+filter)
		a.sessions[key].filters[filter] = true
	})
}

func (c *cutter) publish() {
	c.n++
	name, payload := cutTopics[c.rng.IntN(len(cutTopics))], fmt.Sprint(c.n)
	retain := c.rng.IntN(3) == 0
	c.change(func(a *acked) {
		a.inFlight = payload
		if retain {
			a.topic = name
		}
	})
	if err := publishOne(c.b, anybody("publisher"), &Message{Topic: name, Payload: []byte(payload), QoS: 1, Retain: retain}); err != nil {
		c.fatalf("%v", err)
	}
	c.change(func(a *acked) {
		a.inFlight, a.topic = "", ""
		if retain {
			a.retained[name] = payload
		}
		for _, s := range a.sessions {
			if s.filters[name] {
				s.messages = append(s.messages, payload)
			}
		}
	})
}

// acknowledge takes what has come and acknowledges some of it, in order.
func (c *cutter) acknowledge() {
	key, conn := c.anyone()
	if conn == nil {
		return
	}
	for _, r := range conn.link.take() {
		conn.seqs = append(conn.seqs, r.seq)
	}
	n := c.rng.IntN(len(conn.seqs) + 1)
	c.change(func(a *acked) {
		s := a.sessions[key]
		s.done = append(s.done, s.messages[:n]...)
		s.messages = s.messages[n:]
	})
	conn.Ack(conn.seqs[:n])
	conn.seqs = conn.seqs[n:]
}

func (c *cutter) leave() {
	if key, conn := c.anyone(); conn != nil {
		delete(c.live, key)
		conn.Close(Cause{Reason: ConnectionLost})
	}
}

// expire lets the time of a session be over whose client is away.
func (c *cutter) expire() {
	for _, key := range cutKeys {
		sh := c.b.shard(key[1:])
		sh.mu.Lock()
		h := sh.m[key[1:]]
		var al *alarm
		if h != nil && h.stored[slot(key[0]-'0')] != nil {
			al = h.stored[slot(key[0]-'0')].gone
		}
		sh.mu.Unlock()
		if al == nil {
			continue
		}
		c.change(func(a *acked) {
			a.limbo[key] = true
			delete(a.sessions, key)
		})
		c.b.alarms.cancel(al)
		al.call()
		c.b.work.wg.Wait()
		c.change(func(a *acked) { delete(a.limbo, key) })
		return
	}
}

// check opens the disk of each cut.
func (c *cutter) check() {
	c.mu.Lock()
	cuts := c.cuts
	c.cuts = nil
	c.mu.Unlock()
	for i := range cuts {
		if !c.t.Failed() {
			c.checkCut(cuts[i])
		}
	}
}

func (c *cutter) checkCut(x cut) {
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: x.disk})
	if err != nil {
		c.fatalf("%v", err)
		return
	}
	b := openTest(c.t, s, OpenLimits())
	defer closeDisk(c.t, b, s)
	for name, payload := range x.acks.retained {
		var m Message
		if found, err := b.retained(name, &m); err != nil || !found || string(m.Payload) != payload && (x.acks.topic != name || string(m.Payload) != x.acks.inFlight) {
			c.fatalf("retained on %s is %q, %q was acknowledged: %v", name, m.Payload, payload, err)
		}
	}
	for _, key := range cutKeys {
		if !x.acks.limbo[key] {
			c.checkSession(b, x.acks, key)
		}
	}
}

func (c *cutter) checkSession(b *Broker, a *acked, key string) {
	want := a.sessions[key]
	link := newLink()
	conn, present := connect(c.t, b, ConnectRequest{Caller: anybody(key[1:]), Protocol: key[0] - '0', Expiry: time.Hour, Link: link})
	if present != (want != nil) {
		c.fatalf("%s: session present is %v", key, present)
		return
	}
	if want == nil {
		return
	}
	b.work.wg.Wait() // the drain
	got := strings.Fields(payloads(link.take()))
	got = slices.DeleteFunc(got, func(p string) bool { return p == "probe" }) // of the session that was checked before
	again := len(got)
	for i, p := range got {
		if !slices.Contains(want.done, p) {
			again = i
			break
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(got[again:]), func(p string) bool { return p == a.inFlight })
	if !slices.Equal(fresh, want.messages) || !slices.Equal(got[:again], want.done[len(want.done)-again:]) {
		c.fatalf("%s received %q, want %q, perhaps with some of %q before and %q", key, got, want.messages, want.done, a.inFlight)
	}
	for _, name := range cutTopics {
		if a.filters[key+name] {
			continue
		}
		if err := publishOne(b, anybody("publisher"), &Message{Topic: name, Payload: []byte("probe"), QoS: 1}); err != nil {
			c.fatalf("%v", err)
		}
		if got := payloads(link.take()); (got == "probe") != want.filters[name] {
			c.fatalf("%s: of %s it received %q, subscribed is %v", key, name, got, want.filters[name])
		}
	}
	conn.Close(Cause{Reason: ConnectionLost})
}
