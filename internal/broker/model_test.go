package broker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/store/mem"
	"github.com/thingwire/thingwire/internal/topic"
)

// TestBrokerAgainstLists does random things to a broker and to a model of plain lists and compares, step by step, what
// every client receives: its topic, QoS, RETAIN flag and number in the queue, in order. Time passes, servers restart in
// order or crash.
func TestBrokerAgainstLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, func(t *testing.T) {
			m := &model{
				rt: rt, t: t, store: mem.New(), sessions: map[string]*modelSession{}, live: map[string]*modelConn{},
				retained: map[string]modelMessage{},
			}
			m.broker = openTest(t, m.store, OpenLimits())
			defer func() {
				m.broker.Close()
				_ = m.store.Close()
			}()
			for range rapid.IntRange(10, 100).Draw(rt, "steps") {
				m.step()
				m.compare()
			}
		})
	})
}

// inBubble runs fn in a bubble and brings its panic out: rapid ends a failing attempt with one.
func inBubble(t *testing.T, fn func(*testing.T)) {
	var failure any
	synctest.Test(t, func(t *testing.T) {
		defer func() { failure = recover() }()
		fn(t)
	})
	if failure != nil {
		panic(failure)
	}
}

func (m *model) step() {
	do := rapid.SampledFrom([]func(*rapid.T){
		m.publish, m.publish, m.publish, m.publish, m.publish, m.subscribe, m.subscribe, m.subscribe, m.connect, m.connect,
		m.acknowledge, m.acknowledge, m.disconnect, m.disconnect, m.unsubscribe, m.wait, m.restart,
	}).Draw(m.rt, "step")
	if len(m.live) == 0 {
		do = m.connect
	}
	do(m.rt)
}

type model struct {
	rt       *rapid.T
	t        *testing.T
	store    *mem.Store
	broker   *Broker
	sessions map[string]*modelSession // stored ones, by protocol and client id
	live     map[string]*modelConn    // by client id
	retained map[string]modelMessage
	count    int
}

type modelMessage struct {
	topic, payload string
	qos            byte
	retain         bool
}

// modelSession is a session as a list of all it was ever to receive.
type modelSession struct {
	persistent bool
	expiry     time.Duration
	away       time.Time // zero while connected
	subs       map[string]SubscribeRequest
	queue      []modelMessage // number 1 is the first
	acked      map[int]bool
}

type modelConn struct {
	key     string
	session *modelSession
	conn    *Connection
	link    *testLink
	seqs    []uint64 // delivered on this connection and not acknowledged
	direct  []string // expected since the last comparison, without a number
	stored  []string // the same, with one
}

var (
	modelClients = []string{"a", "b", "c"}
	modelTopics  = []string{"x/1", "x/2", "y"}
	modelFilters = []string{"x/1", "x/2", "y", "x/+", "x/#", "#"}
)

func (m *model) connect(rt *rapid.T) {
	id := rapid.SampledFrom(modelClients).Draw(rt, "client")
	protocol := rapid.SampledFrom([]byte{3, 5}).Draw(rt, "protocol")
	clean := rapid.IntRange(0, 3).Draw(rt, "clean") == 0
	expiry := rapid.SampledFrom([]time.Duration{0, time.Hour, time.Hour}).Draw(rt, "expiry")
	key := string('0'+rune(protocol)) + id

	old := m.live[id]
	s := m.sessions[key]
	if s != nil && (clean || s.away.IsZero() && s.expiry == 0) {
		delete(m.sessions, key)
		s = nil
	}
	present := s != nil
	if s == nil {
		s = &modelSession{persistent: expiry > 0, subs: map[string]SubscribeRequest{}, acked: map[int]bool{}}
		if s.persistent {
			m.sessions[key] = s
		}
	}
	if old != nil && old.session != s {
		m.leave(old)
	}
	s.expiry, s.away = expiry, time.Time{}
	c := &modelConn{key: key, session: s, link: newLink()}
	var got bool
	c.conn, got = connect(m.t, m.broker, ConnectRequest{
		Caller: anybody(id), Protocol: protocol, CleanStart: clean, Expiry: expiry, Link: c.link,
	})
	if got != present {
		rt.Fatalf("session present is %v, want %v", got, present)
	}
	m.live[id] = c
	for i := range s.queue {
		if !s.acked[i+1] {
			c.stored = append(c.stored, s.show(i+1))
		}
	}
}

// leave is the end of a connection, in the model.
func (m *model) leave(c *modelConn) {
	c.session.away = time.Now()
	if c.session.expiry == 0 && m.sessions[c.key] == c.session {
		delete(m.sessions, c.key)
	}
}

func (m *model) disconnect(rt *rapid.T) {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.live))).Draw(rt, "client")
	c := m.live[id]
	delete(m.live, id)
	m.leave(c)
	c.conn.Close(Cause{Reason: ConnectionLost})
}

func (m *model) any(rt *rapid.T) *modelConn {
	return m.live[rapid.SampledFrom(slices.Sorted(maps.Keys(m.live))).Draw(rt, "client")]
}

func (m *model) subscribe(rt *rapid.T) {
	c := m.any(rt)
	r := SubscribeRequest{
		Filter: rapid.SampledFrom(modelFilters).Draw(rt, "filter"), QoS: rapid.SampledFrom([]byte{0, 1, 1}).Draw(rt, "qos"),
		NoLocal: rapid.IntRange(0, 3).Draw(rt, "no local") == 0, RetainAsPublished: rapid.Bool().Draw(rt, "as published"),
	}
	c.session.subs[r.Filter] = r
	subscribe(m.t, c.conn, r)
	kept, ok := m.retained[r.Filter]
	if !ok {
		return
	}
	kept.retain = true
	kept.qos = min(kept.qos, r.QoS)
	if c.session.persistent && kept.qos > 0 {
		m.enqueue(c.session, kept)
	} else {
		c.direct = append(c.direct, kept.String())
	}
}

func (m *model) unsubscribe(rt *rapid.T) {
	c := m.any(rt)
	f := rapid.SampledFrom(modelFilters).Draw(rt, "filter")
	delete(c.session.subs, f)
	if err := c.conn.Unsubscribe([]string{f}); err != nil {
		rt.Fatal(err)
	}
}

// publish publishes a batch, in the broker's order: run by run of one topic, and in a run first for those who take
// RETAIN as 0.
func (m *model) publish(rt *rapid.T) {
	c := m.any(rt)
	done := make(chan struct{})
	p := &Batch{Done: func(*Batch) { close(done) }}
	var run []modelMessage
	for range rapid.IntRange(1, 4).Draw(rt, "messages") {
		m.count++
		msg := modelMessage{
			topic: rapid.SampledFrom(modelTopics).Draw(rt, "topic"), payload: strconv.Itoa(m.count),
			qos: rapid.SampledFrom([]byte{0, 1, 1}).Draw(rt, "qos"), retain: rapid.IntRange(0, 3).Draw(rt, "retain") == 0,
		}
		if msg.retain && rapid.IntRange(0, 3).Draw(rt, "empty") == 0 {
			msg.payload = ""
		}
		d := p.Add()
		d.Topic, d.Payload, d.QoS, d.Retain = msg.topic, []byte(msg.payload), msg.qos, msg.retain
		if len(run) > 0 && run[0].topic != msg.topic {
			m.deliver(c, run)
			run = nil
		}
		run = append(run, msg)
	}
	m.deliver(c, run)
	if !m.broker.Publish(c.conn.caller, p) {
		<-done
	}
	for i, err := range p.Results {
		if err != nil {
			rt.Fatalf("message %d: %v", i, err)
		}
	}
}

func (m *model) deliver(by *modelConn, run []modelMessage) {
	for _, msg := range run {
		if msg.retain && msg.payload == "" {
			delete(m.retained, msg.topic)
		} else if msg.retain {
			m.retained[msg.topic] = msg
		}
	}
	for _, s := range m.everybody() {
		for _, asPublished := range []bool{false, true} {
			for _, msg := range run {
				m.deliverTo(s, by, msg, asPublished)
			}
		}
	}
}

func (m *model) everybody() map[string]*modelSession {
	all := maps.Clone(m.sessions)
	for _, c := range m.live {
		all[c.key] = c.session
	}
	return all
}

func (m *model) deliverTo(s *modelSession, by *modelConn, msg modelMessage, asPublished bool) {
	own := false
	for _, key := range []string{"3" + by.key[1:], "5" + by.key[1:]} {
		own = own || m.sessions[key] == s || by.session == s
	}
	for f, sub := range s.subs {
		if !topic.Match(f, msg.topic) || sub.RetainAsPublished != asPublished || sub.NoLocal && own {
			continue
		}
		d := msg
		d.qos, d.retain = min(msg.qos, sub.QoS), msg.retain && asPublished
		if s.persistent && d.qos > 0 {
			m.enqueue(s, d)
			continue
		}
		for _, c := range m.live {
			if c.session == s {
				c.direct = append(c.direct, d.String())
			}
		}
	}
}

func (m *model) enqueue(s *modelSession, msg modelMessage) {
	s.queue = append(s.queue, msg)
	for _, c := range m.live {
		if c.session == s {
			c.stored = append(c.stored, s.show(len(s.queue)))
		}
	}
}

func (m *model) acknowledge(rt *rapid.T) {
	c := m.any(rt)
	if len(c.seqs) == 0 {
		return
	}
	seq := rapid.SampledFrom(c.seqs).Draw(rt, "number")
	if rapid.Bool().Draw(rt, "all before as well") {
		seq = 0
	}
	for _, s := range c.seqs {
		if seq == 0 || s == seq {
			c.session.acked[int(s)] = true
			c.conn.Ack([]uint64{s})
		}
	}
	c.seqs = slices.DeleteFunc(c.seqs, func(s uint64) bool { return c.session.acked[int(s)] })
}

func (m *model) wait(rt *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{time.Minute, 40 * time.Minute, 2 * time.Hour}).Draw(rt, "time"))
	m.expire()
}

// expire forgets the sessions whose time is over.
func (m *model) expire() {
	maps.DeleteFunc(m.sessions, func(_ string, s *modelSession) bool {
		return !s.away.IsZero() && time.Since(s.away) >= s.expiry
	})
}

// restart opens another broker on the same store. What was acknowledged out of order comes again.
func (m *model) restart(rt *rapid.T) {
	crash := rapid.Bool().Draw(rt, "crash")
	for _, id := range slices.Sorted(maps.Keys(m.live)) {
		m.leave(m.live[id])
		if !crash {
			m.live[id].conn.Close(Cause{Reason: ServerInitiated})
		}
	}
	m.live = map[string]*modelConn{}
	synctest.Wait()
	m.broker.Close()
	for _, s := range m.sessions {
		trimmed := 0
		for s.acked[trimmed+1] {
			trimmed++
		}
		maps.DeleteFunc(s.acked, func(seq int, _ bool) bool { return seq > trimmed })
	}
	m.broker = openTest(m.t, m.store, OpenLimits())
}

// compare is called after each step.
func (m *model) compare() {
	rt := m.rt
	synctest.Wait()
	for _, id := range slices.Sorted(maps.Keys(m.live)) {
		c := m.live[id]
		var direct, stored []string
		for _, r := range c.link.take() {
			msg := modelMessage{r.topic, r.payload, r.qos, r.retain}
			if r.seq == 0 {
				direct = append(direct, msg.String())
				continue
			}
			stored = append(stored, fmt.Sprintf("%d %s", r.seq, msg))
			c.seqs = append(c.seqs, r.seq)
		}
		slices.Sort(direct) // a filter's copy may come before or after another's
		slices.Sort(c.direct)
		if diff := cmp.Diff(c.direct, direct); diff != "" {
			rt.Fatalf("%s received (-want +got):\n%s", c.key, diff)
		}
		if diff := cmp.Diff(c.stored, stored); diff != "" {
			rt.Fatalf("%s received from its queue (-want +got):\n%s", c.key, diff)
		}
		c.direct, c.stored = nil, nil
	}
}

func (s *modelSession) show(seq int) string { return fmt.Sprintf("%d %s", seq, s.queue[seq-1]) }

func (m modelMessage) String() string {
	return fmt.Sprintf("%s %q %d %v", m.topic, m.payload, m.qos, m.retain)
}
