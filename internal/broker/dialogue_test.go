package broker

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// TestDialogues runs the files of testdata, each in a bubble of its own: hours pass in no time, and what is printed is
// all that a command has led to. Rewrite them with -rewrite and review them as text.
//
//	limits [aws] [queue=N] [bytes=N] [age=D] [refuse] [group=N] [subscriptions=N] [payload=N] [retained=N]      before the first client
//	        [perconn=N] [deliveries=N] [permember=N] [groupchanges=N] [pertopic=N]   rates
//	policy c=NAME                     lines "allow|deny ACTION RESOURCE [if CONDITION]"; a live client follows at once
//	connect c=NAME [id=ID] [v=3|5] [clean] [expiry=1h] [will=TOPIC [willpayload=P] [willqos=1] [willretain] [willdelay=D]]
//	        [room=N] [noack] [nostart]       a client acknowledges by itself, unless noack; room is what its link takes
//	start c=NAME                      what nostart left out
//	subscribe c=NAME filter=F|(F, …) [qos=1] [nl] [rap] [rh=N] [all]
//	unsubscribe c=NAME filter=F|(F, …)
//	publish c=NAME topic=T [qos=1] [payload=P] [retain] [expiry=SECONDS]    or one line of these each for a batch; [stop]
//	admit c=NAME [n=N]                the door asks whether so many messages are within the rates
//	ack c=NAME seq=N|(N, …)
//	room c=NAME n=N                   its link has room again
//	disconnect c=NAME [expiry=D]      DISCONNECT of the client
//	kill c=NAME                       the connection is lost
//	service s=NAME filter=F           a function in this process;  stop s=NAME
//	sleep D
//	hold | release | fail | heal      of the store
//	restart | crash | down D          of the broker, on the same store; down is a restart that takes D
//	queue c=ID [v=3|5] | docs | counts     look inside
func TestDialogues(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".txt") {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			d := &dialogue{
				t: t, store: mem.New(), limits: OpenLimits(), clients: map[string]*client{}, policies: map[string]*policy.Set{},
				services: map[string]*Service{}, said: map[string][]string{},
			}
			defer d.close()
			datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string { return d.run(td) })
		})
	})
}

// dialogue is one file: a broker on store/mem, and the clients that the file names.
type dialogue struct {
	t        *testing.T
	store    *mem.Store
	limits   Limits
	broker   *Broker
	clients  map[string]*client
	policies map[string]*policy.Set
	services map[string]*Service

	pending []operation // of the command that runs

	mu   sync.Mutex
	said map[string][]string // by who says it
}

// client is one connection of a dialogue.
type client struct {
	name   string
	caller *Caller
	conn   *Connection // the latest one, nil if there was none
	live   bool        // it has not ended
	link   *testLink
	noAck  bool
	acks   []uint64 // under link.mu: what it is about to acknowledge
	shared []sharedAck
}

type sharedAck struct {
	group *Group
	seq   uint64
}

func (d *dialogue) run(td *datadriven.TestData) string {
	if d.broker == nil && td.Cmd != "limits" {
		d.broker = openTest(d.t, d.store, d.limits)
	}
	if do, ok := commands[td.Cmd]; ok {
		do(d, td)
	} else {
		td.Fatalf(d.t, "unknown command %q", td.Cmd)
	}
	d.settle()
	for _, op := range d.pending {
		select {
		case <-op.done:
		default:
			d.say(op.who, "waits")
		}
	}
	d.pending = nil
	return d.report()
}

// operation is something that may have to wait for the store.
type operation struct {
	who  string
	done chan struct{}
}

// settle waits until nothing moves any more, and lets the clients do what clients do.
func (d *dialogue) settle() {
	for {
		synctest.Wait()
		if !d.react() {
			return
		}
	}
}

// react closes what was kicked and sends acknowledgements.
func (d *dialogue) react() (moved bool) {
	for _, name := range d.names() {
		c := d.clients[name]
		c.link.mu.Lock()
		kicks, acks, shared := c.link.kicks, c.acks, c.shared
		c.link.kicks, c.acks, c.shared = nil, nil, nil
		c.link.mu.Unlock()
		if !c.live {
			continue
		}
		for _, k := range kicks {
			moved, c.live = true, false
			d.say(name, "kicked: %s %#02x %s", k.Reason, k.Code, k.Text)
			c.conn.Close(k)
		}
		if len(acks) > 0 {
			moved = true
			c.conn.Ack(acks)
		}
		for _, a := range shared {
			moved = true
			c.conn.AckShared(a.group, []uint64{a.seq})
		}
	}
	return moved
}

func (d *dialogue) names() []string {
	names := make([]string, 0, len(d.clients))
	for n := range d.clients {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (d *dialogue) say(who, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said[who] = append(d.said[who], fmt.Sprintf(format, args...))
}

// report prints what was said, speaker by speaker.
func (d *dialogue) report() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := make([]string, 0, len(d.said))
	for w := range d.said {
		who = append(who, w)
	}
	sort.Strings(who)
	var b strings.Builder
	for _, w := range who {
		for _, line := range d.said[w] {
			if w != "" {
				b.WriteString(w + ": ")
			}
			b.WriteString(line + "\n")
		}
	}
	clear(d.said)
	return b.String()
}

// async runs what may have to wait for the store; fn closes done. The dialogue says so if it does.
func (d *dialogue) async(who string, fn func(done chan struct{})) {
	op := operation{who, make(chan struct{})}
	d.pending = append(d.pending, op)
	go fn(op.done)
}

func (d *dialogue) client(td *datadriven.TestData) *client {
	name := str(d.t, td, "c", "")
	c := d.clients[name]
	if c == nil {
		c = &client{name: name, link: newLink()}
		c.caller = NewCaller("anonymous", name, d.policyOf(name), varsOf(name))
		d.clients[name] = c
	}
	return c
}

var someUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// received is called by the link.
func (d *dialogue) received(c *client, r received) {
	if r.group != nil && !c.noAck {
		c.shared = append(c.shared, sharedAck{r.group, r.seq})
	}
	if strings.HasPrefix(r.topic, "$aws/events/") {
		r.payload = someUUID.ReplaceAllString(r.payload, "UUID")
	}
	d.say(c.name, "%s", r)
	if r.seq != 0 && r.group == nil && !c.noAck {
		c.acks = append(c.acks, r.seq)
	}
}

// String is a delivery as dialogues show it: "x/1 hello q1 #7 retain".
func (r received) String() string {
	s := r.topic + " " + strconv.Quote(r.payload)
	if strings.HasPrefix(r.topic, "$aws/events/") {
		s = r.topic + " " + r.payload
	}
	if r.qos > 0 {
		s += " q1"
	}
	if r.seq > 0 {
		s += " #" + strconv.FormatUint(r.seq, 10)
	}
	if r.group != nil {
		s += " leased"
	}
	if r.retain {
		s += " retain"
	}
	if r.expires > 0 {
		left := (&Message{Expires: r.expires}).Remaining(millis(time.Now()))
		s += " expires in " + (time.Duration(left) * time.Second).String()
	}
	return s
}

func (d *dialogue) policyOf(name string) *policy.Set {
	if p := d.policies[name]; p != nil {
		return p
	}
	return policy.AllowAll()
}

func refusal(err error) string { return "refused (" + fault.KindOf(err).String() + "): " + err.Error() }

func (d *dialogue) close() {
	for _, s := range d.services {
		s.Close()
	}
	d.store.Fail(errors.New("the dialogue is over"))
	d.store.Release()
	if d.broker != nil {
		d.broker.Close()
	}
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
}

// reopen starts the next broker on the same store.
func (d *dialogue) reopen() {
	d.broker.Close()
	d.settle()
	clear(d.said) // nobody hears what a broker says that is gone
	for _, c := range d.clients {
		c.live = false
	}
	d.broker = openTest(d.t, d.store, d.limits)
}

func str(t testing.TB, td *datadriven.TestData, key, def string) string {
	td.MaybeScanArgs(t, key, &def)
	return def
}

func num(t testing.TB, td *datadriven.TestData, key string, def int) int {
	td.MaybeScanArgs(t, key, &def)
	return def
}

func dur(t testing.TB, td *datadriven.TestData, key string) time.Duration {
	s := str(t, td, key, "0s")
	v, err := time.ParseDuration(s)
	if err != nil {
		td.Fatalf(t, "%v", err)
	}
	return v
}

func vals(td *datadriven.TestData, key string) []string {
	a, _ := td.Arg(key)
	return a.Vals
}
