package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
)

const (
	testAccount = "000000000000"
	testRegion  = "us-east-1"
)

// openTest opens a broker on a store. The test closes it.
func openTest(t testing.TB, s store.Store, limits Limits) *Broker {
	t.Helper()
	return openTestWith(t, s, limits, nil)
}

// openTestWith opens one that tells a journal.
func openTestWith(t testing.TB, s store.Store, limits Limits, j *journal.Journal) *Broker {
	t.Helper()
	b, err := Open(t.Context(), Config{
		Store: s, Limits: limits, Log: slog.New(slog.DiscardHandler), Journal: j, Account: testAccount, Region: testRegion,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// varsOf are the variables of a connection that nothing is known of but its client id.
func varsOf(clientID string) policy.Vars {
	return &policy.Connection{ClientID: clientID, HasClientID: clientID != ""}
}

// anybody is a caller that may do everything.
func anybody(clientID string) *Caller {
	return NewCaller("anonymous", clientID, policy.AllowAll(), varsOf(clientID))
}

// compile makes a policy set of lines "allow|deny ACTION RESOURCE [if CONDITION]", the resource without its ARN head.
func compile(t testing.TB, text string) *policy.Set {
	t.Helper()
	var statements []string
	for line := range strings.Lines(text) {
		line, condition, conditional := strings.Cut(strings.TrimSpace(line), " if ")
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("a policy line is allow|deny ACTION RESOURCE [if CONDITION], not %q", line)
		}
		s := fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q`, strings.ToUpper(f[0][:1])+f[0][1:], f[1],
			"arn:aws:iot:"+testRegion+":"+testAccount+":"+f[2])
		if conditional {
			s += `,"Condition":` + condition
		}
		statements = append(statements, s+"}")
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`), policy.IoT)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(policy.Source{Name: "p", Document: doc})
}

// received is a delivery as a link has copied it.
type received struct {
	topic, payload string
	qos            byte
	retain         bool
	seq            uint64
	expires        int64
	group          *Group
}

// testLink is a Link that copies what it is given.
type testLink struct {
	mu      sync.Mutex
	room    int // how many deliveries with a Seq it still takes, negative for any number
	got     []received
	kicks   []Cause
	flushes int
	asked   bool           // it told somebody to flush
	took    func(received) // if not nil: called under mu, instead of keeping got
}

func newLink() *testLink { return &testLink{room: -1} }

func (l *testLink) Deliver(ds []Delivery, _ bool) (took int, flush bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range ds {
		d := &ds[i]
		if d.Seq != 0 && l.room == 0 {
			break
		}
		if d.Seq != 0 && l.room > 0 {
			l.room--
		}
		r := received{
			topic: d.Message.Topic, payload: string(d.Message.Payload), qos: d.QoS, retain: d.Retain, seq: d.Seq,
			expires: d.Message.Expires, group: d.Group,
		}
		if l.took != nil {
			l.took(r)
		} else {
			l.got = append(l.got, r)
		}
		took++
	}
	flush = !l.asked
	l.asked = true
	return took, flush
}

func (l *testLink) Flush() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = false
	l.flushes++
	return false
}

func (l *testLink) Kick(c Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kicks = append(l.kicks, c)
}

// take gives what came since the last take.
func (l *testLink) take() []received {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// kicked gives the kicks since the last call.
func (l *testLink) kicked() []Cause {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kicks
	l.kicks = nil
	return k
}

func payloads(rs []received) string {
	s := make([]string, len(rs))
	for i := range rs {
		s[i] = rs[i].payload
	}
	return strings.Join(s, " ")
}

// publishOne publishes one message and waits until its batch is done.
func publishOne(b *Broker, by *Caller, m *Message) error {
	done := make(chan struct{})
	p := &Batch{Done: func(*Batch) { close(done) }}
	d := p.Add()
	d.Topic, d.Payload, d.QoS, d.Retain, d.Expiry, d.Props = m.Topic, m.Payload, m.QoS, m.Retain, m.Expiry, m.Props
	if !b.Publish(by, p) {
		<-done
	}
	return p.Results[0]
}

// connect opens and starts a connection.
func connect(t testing.TB, b *Broker, r ConnectRequest) (*Connection, bool) {
	t.Helper()
	if r.Protocol == 0 {
		r.Protocol = 5
	}
	c, present, err := b.Connect(r)
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	return c, present
}

// subscribe makes one subscription and its retained messages.
func subscribe(t testing.TB, c *Connection, r SubscribeRequest) {
	t.Helper()
	res := c.Subscribe([]SubscribeRequest{r}, false)
	if res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	c.SendRetained(res)
}
