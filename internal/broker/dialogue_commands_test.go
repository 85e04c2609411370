package broker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
)

type command func(*dialogue, *datadriven.TestData)

// commands are the verbs of a dialogue; see TestDialogues.
var commands = map[string]command{
	"limits":      (*dialogue).cmdLimits,
	"policy":      (*dialogue).cmdPolicy,
	"connect":     (*dialogue).cmdConnect,
	"start":       func(d *dialogue, td *datadriven.TestData) { d.client(td).conn.Start() },
	"subscribe":   (*dialogue).cmdSubscribe,
	"unsubscribe": (*dialogue).cmdUnsubscribe,
	"publish":     (*dialogue).cmdPublish,
	"ack":         (*dialogue).cmdAck,
	"admit":       (*dialogue).cmdAdmit,
	"room":        (*dialogue).cmdRoom,
	"disconnect":  (*dialogue).cmdDisconnect,
	"kill":        (*dialogue).cmdKill,
	"service":     (*dialogue).cmdService,
	"stop":        (*dialogue).cmdStop,
	"sleep":       (*dialogue).cmdSleep,
	"hold":        func(d *dialogue, _ *datadriven.TestData) { d.store.Hold() },
	"release":     func(d *dialogue, _ *datadriven.TestData) { d.store.Release() },
	"fail":        func(d *dialogue, _ *datadriven.TestData) { d.store.Fail(errors.New("disk full")) },
	"heal":        func(d *dialogue, _ *datadriven.TestData) { d.store.Fail(nil) },
	"restart":     (*dialogue).cmdRestart,
	"down":        (*dialogue).cmdDown,
	"crash":       (*dialogue).cmdCrash,
	"docs":        func(d *dialogue, _ *datadriven.TestData) { d.docs() },
	"counts":      (*dialogue).cmdCounts,
	"queue": func(d *dialogue, td *datadriven.TestData) {
		d.look(str(d.t, td, "c", ""), byte(num(d.t, td, "v", 5)))
	},
}

func (d *dialogue) cmdLimits(td *datadriven.TestData) {
	if td.HasArg("aws") {
		d.limits = AWSLimits()
	}
	d.limits.QueueMessages = num(d.t, td, "queue", d.limits.QueueMessages)
	d.limits.QueueBytes = int64(num(d.t, td, "bytes", int(d.limits.QueueBytes)))
	d.limits.QueueAge, d.limits.RefuseWhenFull = dur(d.t, td, "age"), td.HasArg("refuse")
	d.limits.GroupMessages = num(d.t, td, "group", d.limits.GroupMessages)
	d.limits.Subscriptions = num(d.t, td, "subscriptions", d.limits.Subscriptions)
	d.limits.RetainedMessages = num(d.t, td, "retained", d.limits.RetainedMessages)
	rates := &d.limits.Rates
	for name, rate := range map[string]*float64{
		"perconn": &rates.PublishesPerConn, "deliveries": &rates.Deliveries, "permember": &rates.GroupPerMember,
		"groupchanges": &rates.GroupChanges, "pertopic": &rates.RetainedPerTopic,
	} {
		*rate = float64(num(d.t, td, name, int(*rate)))
	}
	d.limits.Payload = num(d.t, td, "payload", d.limits.Payload)
}

func (d *dialogue) cmdPolicy(td *datadriven.TestData) {
	name := str(d.t, td, "c", "")
	set := compile(d.t, td.Input)
	d.policies[name] = set
	c := d.clients[name]
	if c == nil {
		return
	}
	c.caller.SetRights(set, varsOf(c.caller.ClientID))
	if c.conn != nil {
		c.conn.Refresh()
	}
}

func (d *dialogue) cmdConnect(td *datadriven.TestData) {
	c := d.client(td)
	if c.live {
		td.Fatalf(d.t, "%s is connected", c.name)
	}
	id := str(d.t, td, "id", c.name)
	c.caller = NewCaller("anonymous", id, d.policyOf(c.name), varsOf(id))
	c.noAck = td.HasArg("noack")
	c.link = newLink()
	c.link.room = num(d.t, td, "room", -1)
	c.link.took = func(r received) { d.received(c, r) }
	r := ConnectRequest{
		Caller: c.caller, Protocol: byte(num(d.t, td, "v", 5)), CleanStart: td.HasArg("clean"), Expiry: dur(d.t, td, "expiry"),
		Link: c.link, WillDelay: dur(d.t, td, "willdelay"),
	}
	if td.HasArg("will") {
		r.Will = &Message{
			Topic: str(d.t, td, "will", ""), Payload: []byte(str(d.t, td, "willpayload", "gone")),
			QoS: byte(num(d.t, td, "willqos", 0)), Retain: td.HasArg("willretain"),
			Expiry: uint32(num(d.t, td, "willexpiry", 0)),
		}
	}
	start := !td.HasArg("nostart")
	d.async(c.name, func(done chan struct{}) {
		defer close(done)
		conn, present, err := d.broker.Connect(r)
		if err != nil {
			d.say(c.name, "%s", refusal(err))
			return
		}
		c.conn, c.live = conn, true
		d.say(c.name, "connected%s", map[bool]string{true: ", session present"}[present])
		if start {
			conn.Start()
		}
	})
}

func (d *dialogue) cmdSubscribe(td *datadriven.TestData) {
	c := d.client(td)
	var reqs []SubscribeRequest
	for _, f := range vals(td, "filter") {
		reqs = append(reqs, SubscribeRequest{
			Filter: f, QoS: byte(num(d.t, td, "qos", 0)), NoLocal: td.HasArg("nl"), RetainAsPublished: td.HasArg("rap"),
			RetainHandling: byte(num(d.t, td, "rh", 0)),
		})
	}
	d.async(c.name, func(done chan struct{}) {
		defer close(done)
		results := c.conn.Subscribe(reqs, td.HasArg("all"))
		for i, r := range results {
			if r.Err != nil {
				d.say(c.name, "%s %s", reqs[i].Filter, refusal(r.Err))
				continue
			}
			d.say(c.name, "granted %s q%d", reqs[i].Filter, r.QoS)
		}
		c.conn.SendRetained(results)
	})
}

func (d *dialogue) cmdUnsubscribe(td *datadriven.TestData) {
	c := d.client(td)
	d.async(c.name, func(done chan struct{}) {
		defer close(done)
		if err := c.conn.Unsubscribe(vals(td, "filter")); err != nil {
			d.say(c.name, "%s", refusal(err))
			return
		}
		d.say(c.name, "unsubscribed")
	})
}

func (d *dialogue) cmdPublish(td *datadriven.TestData) {
	c := d.client(td)
	p := &Batch{StopAtRefusal: td.HasArg("stop")}
	done := make(chan struct{})
	p.Done = func(p *Batch) {
		defer close(done)
		for _, err := range p.Results {
			if err != nil {
				d.say(c.name, "%s", refusal(err))
			} else {
				d.say(c.name, "accepted")
			}
		}
	}
	if td.HasArg("topic") {
		d.message(p.Add(), td)
	}
	for line := range strings.Lines(td.Input) {
		_, args, err := datadriven.ParseLine("publish " + line)
		if err != nil {
			td.Fatalf(d.t, "%v", err)
		}
		d.message(p.Add(), &datadriven.TestData{Pos: td.Pos, Cmd: td.Cmd, CmdArgs: args})
	}
	d.pending = append(d.pending, operation{c.name, done})
	if d.broker.Publish(c.caller, p) {
		p.Done(p)
	}
}

func (d *dialogue) message(m *Message, td *datadriven.TestData) {
	m.Topic, m.QoS, m.Retain = str(d.t, td, "topic", ""), byte(num(d.t, td, "qos", 0)), td.HasArg("retain")
	m.Payload, m.Expiry = []byte(str(d.t, td, "payload", "")), uint32(num(d.t, td, "expiry", 0))
	if n := num(d.t, td, "size", 0); n > 0 {
		m.Payload = make([]byte, n)
	}
}

func (d *dialogue) cmdAck(td *datadriven.TestData) {
	var seqs []uint64
	for _, v := range vals(td, "seq") {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			td.Fatalf(d.t, "%v", err)
		}
		seqs = append(seqs, n)
	}
	d.client(td).conn.Ack(seqs)
}

func (d *dialogue) cmdAdmit(td *datadriven.TestData) {
	c := d.client(td)
	for range num(d.t, td, "n", 1) {
		if err := c.conn.Admit(); err != nil {
			d.say(c.name, "%s", refusal(err))
		} else {
			d.say(c.name, "admitted")
		}
	}
}

func (d *dialogue) cmdRoom(td *datadriven.TestData) {
	c := d.client(td)
	c.link.mu.Lock()
	c.link.room = num(d.t, td, "n", -1)
	c.link.mu.Unlock()
	c.conn.Ready()
}

func (d *dialogue) cmdDisconnect(td *datadriven.TestData) {
	c := d.client(td)
	var expiry *time.Duration
	if td.HasArg("expiry") {
		e := dur(d.t, td, "expiry")
		expiry = &e
	}
	c.live = false
	c.conn.Disconnect(expiry)
	c.conn.Close(Cause{Reason: ClientInitiated})
}

func (d *dialogue) cmdKill(td *datadriven.TestData) {
	c := d.client(td)
	c.live = false
	c.conn.Close(Cause{Reason: ConnectionLost})
}

func (d *dialogue) cmdService(td *datadriven.TestData) {
	name := str(d.t, td, "s", "")
	var reqs []SubscribeRequest
	for _, f := range vals(td, "filter") {
		reqs = append(reqs, SubscribeRequest{Filter: f, QoS: byte(num(d.t, td, "qos", 1))})
	}
	by := NewCaller("service", "", d.policyOf(name), nil)
	s, results := d.broker.Serve(by, reqs, func(r Received) {
		d.say(name, "%s", received{
			topic: r.Message.Topic, payload: string(r.Message.Payload), qos: r.QoS, retain: r.Retain, expires: r.Message.Expires,
		})
	})
	d.services[name] = s
	for i, r := range results {
		if r.Err != nil {
			d.say(name, "%s %s", reqs[i].Filter, refusal(r.Err))
		}
	}
}

func (d *dialogue) cmdStop(td *datadriven.TestData) {
	name := str(d.t, td, "s", "")
	d.services[name].Close()
	delete(d.services, name)
}

func (d *dialogue) cmdSleep(td *datadriven.TestData) {
	v, err := time.ParseDuration(td.CmdArgs[0].Key)
	if err != nil {
		td.Fatalf(d.t, "%v", err)
	}
	time.Sleep(v)
}

// cmdRestart stops in order: the doors end their connections first.
func (d *dialogue) cmdRestart(*datadriven.TestData) {
	for _, name := range d.names() {
		if c := d.clients[name]; c.live {
			c.live = false
			c.conn.Close(Cause{Reason: ServerInitiated})
		}
	}
	d.settle()
	d.reopen()
}

// cmdDown is a restart with time between stop and start.
func (d *dialogue) cmdDown(td *datadriven.TestData) {
	for _, name := range d.names() {
		if c := d.clients[name]; c.live {
			c.live = false
			c.conn.Close(Cause{Reason: ServerInitiated})
		}
	}
	d.settle()
	d.broker.Close()
	d.cmdSleep(td)
	d.reopen()
}

// cmdCrash lets nothing end in order: connections just vanish, and what is not durable is lost.
func (d *dialogue) cmdCrash(*datadriven.TestData) {
	d.store.Fail(errors.New("power cut"))
	d.store.Release()
	synctest.Wait()
	d.broker.closing.Store(true) // no goodbye to anybody
	d.broker.alarms.close()
	d.broker.work.close()
	d.store.Fail(nil)
	d.reopen()
}

func (d *dialogue) cmdCounts(*datadriven.TestData) {
	c := d.broker.Counts()
	over := ""
	if n := c.DroppedThrottled.Load(); n > 0 {
		over = fmt.Sprintf(", throttled %d", n)
	}
	d.say("", "accepted %d, delivered %d, refused %d, dropped: queue full %d, expired %d%s", c.Accepted.Load(),
		c.Delivered.Load(), c.Refused.Load(), c.DroppedQueueFull.Load(), c.DroppedExpired.Load(), over)
}
