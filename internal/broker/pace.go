package broker

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// A session has one quota of messages per second for what its client publishes, what it is sent, and what is queued for
// it while it is away (AWS IoT Core quotas, "publish requests per second per connection"). It is the session's, so a
// client does not gain by connecting anew. Only profile aws has it: elsewhere rate is nil, and that is all it costs.
//
// What is over it on the way out is met by kind: a message that nobody keeps is dropped, with an entry in the journal; one
// of a queue stays there and follows.

var (
	errOverConnectionRate = fault.New(fault.Throttled, "the connection publishes and receives more than its quota of messages per second: the message was discarded without PUBACK").
				WithRemedy("publish more slowly, subscribe to less, spread the load over connections, or run with --limits open")
	errOverAccountRate = fault.New(fault.Throttled, "the clients of this account publish more than its quota of messages per second: the message was discarded").
				WithRemedy("publish less, or run with --limits open")
)

// Admit takes an inbound message of the connection, or says over which quota it is: then it is to be discarded, and not
// acknowledged.
func (c *Connection) Admit() error {
	if c.rate != nil && !c.rate.Allow() {
		return errOverConnectionRate
	}
	return c.b.Admit()
}

// Admit takes an inbound message of a door without connections; see Connection.Admit.
func (b *Broker) Admit() error {
	if Allow(b.throttles.publishes) {
		return nil
	}
	return errOverAccountRate
}

// deliver gives the link what the rates allow. Like the link, it may refuse the tail of what a queue keeps, and calls Ready
// when it is time; it answers how many were taken and not dropped.
func (c *Connection) deliver(ds []Delivery, shared bool) (took int, flush bool) {
	if c.rate == nil {
		return c.link.Deliver(ds, shared)
	}
	return c.deliverPaced(ds, shared)
}

func (c *Connection) deliverPaced(ds []Delivery, shared bool) (took int, flush bool) {
	if ds[0].Seq == 0 {
		return c.deliverOrDrop(ds, shared)
	}
	n := 0
	for n < len(ds) && c.mayTake() {
		n++
	}
	if n == 0 {
		c.readyLater()
		return 0, false
	}
	took, flush = c.link.Deliver(ds[:n], shared)
	if took == n && n < len(ds) {
		c.readyLater()
	} // else the link itself calls Ready
	return took, flush
}

// deliverOrDrop discards what is over the rates.
func (c *Connection) deliverOrDrop(ds []Delivery, shared bool) (took int, flush bool) {
	n := 0
	for n < len(ds) && c.mayTake() {
		n++
	}
	for i := n; i < len(ds); i++ {
		c.b.noteOutThrottled(c, ds[i].Message.Topic)
	}
	if n == 0 {
		return 0, false
	}
	_, flush = c.link.Deliver(ds[:n], shared)
	return n, flush
}

// mayTake takes one message out of the rates.
func (c *Connection) mayTake() bool {
	return c.rate == nil || c.rate.Allow() && Allow(c.b.throttles.deliveries)
}

// overRate reports whether the next message would be over the rate.
func (c *Connection) overRate() bool { return c.rate != nil && c.rate.Tokens() < 1 }

// paceRound is how long a queue waits for its connection's rate, in messages: a wake for each would cost more.
const paceRound = 10

// readyLater calls Ready when the rate allows some messages more.
func (c *Connection) readyLater() {
	if c.waits.Swap(true) {
		return
	}
	c.b.alarms.set(&alarm{call: func() {
		c.waits.Store(false)
		c.Ready()
	}}, every(c.rate.Limit(), paceRound))
}

// every is the time in which a rate allows n.
func every(r rate.Limit, n int) time.Duration {
	return time.Duration(float64(n) * float64(time.Second) / float64(r))
}

// noteOutThrottled counts and records a message that was discarded because its receiver is over its rate.
func (b *Broker) noteOutThrottled(c *Connection, name string) {
	b.counts.DroppedThrottled.Add(1)
	b.record(journal.Entry{
		EventType: journal.PublishOut, Status: journal.Failure, LogLevel: journal.LevelError, Protocol: "MQTT",
		ClientID: c.caller.ClientID, PrincipalID: c.caller.Principal, TopicName: name, Packet: "PUBLISH",
		Reason: journal.ReasonThrottled,
		Cause:  "the connection publishes and receives more than its quota of messages per second: the message was dropped",
		Remedy: "subscribe to less, share the work ($share), use QoS 1 with a persistent session so that messages wait, or run with --limits open",
	})
}
