package broker

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store/mem"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// nullLink takes everything and remembers the newest number.
type nullLink struct {
	conn *Connection
	mu   sync.Mutex
	seqs []uint64
}

func (l *nullLink) Deliver(ds []Delivery, _ bool) (int, bool) {
	if ds[0].Seq != 0 {
		l.mu.Lock()
		for i := range ds {
			l.seqs = append(l.seqs, ds[i].Seq)
		}
		l.mu.Unlock()
	}
	return len(ds), false
}

func (l *nullLink) Flush() bool { return false }
func (l *nullLink) Kick(Cause)  {}

// ack acknowledges what was delivered.
func (l *nullLink) ack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn.Ack(l.seqs)
	l.seqs = l.seqs[:0]
}

// stage is a publisher and its receivers.
type stage struct {
	b     *Broker
	by    *Caller
	links []*nullLink
	p     *Batch
	done  chan struct{}
}

func newStage(tb testing.TB, receivers int, persistent bool) *stage {
	tb.Helper()
	st := mem.New()
	s := &stage{b: openTest(tb, st, OpenLimits()), by: anybody("p"), done: make(chan struct{}, 1)}
	tb.Cleanup(func() {
		s.b.Close()
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	s.p = &Batch{Done: func(*Batch) { s.done <- struct{}{} }}
	for i := range receivers {
		l := &nullLink{}
		r := ConnectRequest{Caller: anybody(fmt.Sprint(i)), Link: l}
		if persistent {
			r.Expiry = time.Hour
		}
		l.conn, _ = connect(tb, s.b, r)
		subscribe(tb, l.conn, SubscribeRequest{Filter: "bench/+", QoS: 1})
		s.links = append(s.links, l)
	}
	return s
}

// publish publishes a batch of n messages and waits until it is done.
func (s *stage) publish(n int, qos byte, payload []byte) {
	s.p.Reset()
	for range n {
		m := s.p.Add()
		m.Topic, m.Payload, m.QoS = "bench/1", payload, qos
	}
	if !s.b.Publish(s.by, s.p) {
		<-s.done
	}
}

func (s *stage) ack() {
	for _, l := range s.links {
		l.ack()
	}
}

// A message that no store has to keep costs no memory, however many clean sessions receive it: what links make of it is
// theirs.
func TestPublishToCleanSessionsDoesNotAllocate(t *testing.T) {
	payload := make([]byte, 100)
	for _, receivers := range []int{0, 1, 100} {
		for _, qos := range []byte{0, 1} {
			s := newStage(t, receivers, false)
			for range 4 {
				s.publish(10, qos, payload)
			}
			if n := testing.AllocsPerRun(100, func() { s.publish(10, qos, payload) }); n != 0 {
				t.Errorf("QoS %d to %d receivers: %v allocations per batch of 10", qos, receivers, n)
			}
		}
	}
}

// QoS 0 to persistent sessions needs no store either.
func TestPublishQoS0ToPersistentSessionsDoesNotAllocate(t *testing.T) {
	s := newStage(t, 100, true)
	payload := make([]byte, 100)
	for range 4 {
		s.publish(10, 0, payload)
	}
	if n := testing.AllocsPerRun(100, func() { s.publish(10, 0, payload) }); n != 0 {
		t.Errorf("%v allocations per batch of 10", n)
	}
}

// Another topic each time costs the matching and the ARN for each of two questions, the publisher's and the receiver's, and
// no memory that stays: one route is the scratch of all.
func TestPublishToANewTopicAllocatesTwoARNs(t *testing.T) {
	s := newStage(t, 1, false)
	topics := make([]string, 1000)
	for i := range topics {
		topics[i] = fmt.Sprintf("bench/%d", i)
	}
	i := 0
	publish := func() {
		s.p.Reset()
		s.p.Add().Topic = topics[i%len(topics)]
		i++
		s.b.Publish(s.by, s.p)
	}
	for range 100 {
		publish()
	}
	if n := testing.AllocsPerRun(500, publish); n > 2 {
		t.Errorf("%v allocations per message, want 2", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	payload := make([]byte, 100)
	for _, persistent := range []bool{false, true} {
		for _, receivers := range []int{0, 1, 100} {
			for _, qos := range []byte{0, 1} {
				for _, batch := range []int{1, 50} {
					kind := map[bool]string{true: "persistent", false: "clean"}[persistent]
					b.Run(fmt.Sprintf("%s/receivers=%d/qos=%d/batch=%d", kind, receivers, qos, batch), func(b *testing.B) {
						s := newStage(b, receivers, persistent)
						b.ReportAllocs()
						for n := 0; n < b.N; n += batch { // an operation is a message
							s.publish(batch, qos, payload)
							if persistent && qos > 0 {
								s.ack()
							}
						}
					})
				}
			}
		}
	}
}

// BenchmarkResume is a client that comes back to 10,000 messages.
func BenchmarkResume(b *testing.B) {
	const waiting = 10_000
	s := newStage(b, 1, true)
	s.links[0].conn.Close(Cause{})
	payload := make([]byte, 100)
	for range waiting / 50 {
		s.publish(50, 1, payload)
	}
	b.ReportAllocs()
	for b.Loop() {
		l := &nullLink{}
		l.conn, _ = connect(b, s.b, ConnectRequest{Caller: anybody("0"), Link: l, Expiry: time.Hour})
		s.b.work.wg.Wait()
		if len(l.seqs) != waiting {
			b.Fatalf("%d messages came", len(l.seqs))
		}
		l.conn.Close(Cause{})
	}
}

// BenchmarkConnect is a clean client that connects, subscribes and goes.
func BenchmarkConnect(b *testing.B) {
	s := newStage(b, 0, false)
	l := &nullLink{}
	reqs := []SubscribeRequest{{Filter: "a/b"}}
	b.ReportAllocs()
	for b.Loop() {
		c, _ := connect(b, s.b, ConnectRequest{Caller: anybody("c"), Link: l})
		c.Subscribe(reqs, true)
		c.Close(Cause{})
	}
}

// BenchmarkRetainedMemory is what a retained message costs in memory while it is on disk: bytes of heap and of pebble's own
// memory per topic, with 100-byte payloads. THINGWIRE_RETAINED sets how many there are; 100,000 if it does not.
func BenchmarkRetainedMemory(b *testing.B) {
	topics := 100_000
	if n, err := strconv.Atoi(os.Getenv("THINGWIRE_RETAINED")); err == nil {
		topics = n
	}
	for range b.N {
		b.StopTimer()
		before := residentBytes(b)
		s, err := pebble.Open(pebble.Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		br := openTest(b, s, OpenLimits())
		b.StartTimer()
		retainMany(b, br, topics)
		b.StopTimer()
		var m Message
		if found, err := br.retained(retainedTopic(topics-1), &m); err != nil || !found || len(m.Payload) != 100 {
			b.Fatalf("the last one: found %v, %v", found, err)
		}
		after := residentBytes(b)
		b.ReportMetric(float64(max(0, after-before))/float64(topics), "B/topic")
		b.ReportMetric(float64(max(0, after-before))/(1<<20), "MiB")
		br.Close()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func retainedTopic(i int) string { return fmt.Sprintf("site/%d/device/%d/state", i%100, i) }

// retainMany publishes so many retained messages, 500 in each batch.
func retainMany(b *testing.B, br *Broker, topics int) {
	b.Helper()
	by, done := anybody("p"), make(chan struct{}, 1)
	p := &Batch{Done: func(*Batch) { done <- struct{}{} }}
	payload := make([]byte, 100)
	for at := 0; at < topics; {
		p.Reset()
		for range min(500, topics-at) {
			m := p.Add()
			m.Topic, m.Payload, m.Retain = retainedTopic(at), payload, true
			at++
		}
		if !br.Publish(by, p) {
			<-done
		}
		for _, err := range p.Results {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// residentBytes is what the process holds: the heap that is in use, and the memory that pebble takes beside it.
func residentBytes(tb testing.TB) int64 {
	tb.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("the memory of the process is read from /proc")
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		tb.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
