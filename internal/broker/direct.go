package broker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/topic"
)

// ErrUnconfirmed labels the refusal of a direct message whose receiver did not send PUBACK in time.
var ErrUnconfirmed error = unconfirmedError{}

type unconfirmedError struct{}

func (unconfirmedError) Error() string { return "CONFIRMATION_TIMEOUT" }

// Label implements fault.Label.
func (unconfirmedError) Label() {}

// SendTo sends a message to one connected client, whether it subscribes or not, for a caller who may
// (iot:SendDirectMessage on client/…, with iot:Topic). The receiver must be allowed iot:Receive on the topic. The message is
// seen by nobody else: it is not routed, queued or retained. Topic, Payload and Props are the caller's again when SendTo
// returns.
//
// With confirm it is sent at QoS 1, and SendTo waits for PUBACK until ctx ends: fault.Unavailable around ErrUnconfirmed.
// Otherwise it is sent at QoS 0, and a client that does not take it is not noticed. A client who is not connected is
// fault.NotFound.
func (b *Broker) SendTo(ctx context.Context, by *Caller, clientID string, m *Message, confirm bool) error {
	if err := b.maySendTo(by, clientID, m); err != nil {
		return err
	}
	c, s := b.find(clientID)
	if c == nil || c.session.live.Load() != c { // the other one waits for its CONNACK
		return errNotConnected(clientID, s)
	}
	if d := b.decide(c.caller, "iot:Receive", "topic", m.Topic, nil); !d.Allowed {
		return fault.New(fault.Denied, "client %q is not allowed to receive on %q: %s", clientID, m.Topic,
			b.explain(c.caller, "iot:Receive", "topic", m.Topic, nil)).
			WithRemedy("allow iot:Receive on topic/ and this topic in a policy of the receiver")
	}
	m.ID, m.Time, m.QoS = b.lastID.Add(1), millis(time.Now()), 0
	if !confirm {
		return c.handDirect(Delivery{Message: m})
	}
	return c.confirmed(ctx, m)
}

// maySendTo checks the message and asks the sender's policies.
func (b *Broker) maySendTo(by *Caller, clientID string, m *Message) error {
	if b.closing.Load() {
		return errShuttingDown()
	}
	if err := topic.CheckName(m.Topic, b.limits.Topic); err != nil {
		return err
	}
	if strings.HasPrefix(m.Topic, "$") && !by.system {
		return fault.New(fault.Invalid, "topic %q is reserved: a message on it would pass for one of the service", m.Topic).
			WithRemedy("use a topic that does not begin with $")
	}
	keys := map[string][]string{"iot:Topic": {m.Topic}}
	if err := b.mayAsk(by, "send a direct message to", "iot:SendDirectMessage", "client", clientID, keys); err != nil {
		return err
	}
	if len(m.Payload) > b.limits.Payload {
		return fault.New(fault.TooLarge, "payload of %d bytes is over the limit of %d", len(m.Payload), b.limits.Payload)
	}
	return allowCall(b.data.direct, "SendDirectMessage")
}

// handDirect puts the message into the connection's outbox, where one that somebody waits for may find no room.
func (c *Connection) handDirect(d Delivery) error {
	took, flush := c.deliver([]Delivery{d}, false)
	if flush {
		c.link.Flush()
	}
	if took == 0 {
		return fault.New(fault.Throttled, "client %q does not read: too much waits for it already", c.caller.ClientID).
			WithRemedy("try again when it has caught up")
	}
	c.b.counts.Delivered.Add(1)
	return nil
}

// confirmed sends the message at QoS 1 and waits for its PUBACK. It travels as a delivery of a group of its own, so that
// links tell of its PUBACK as of any other that is not of the session's queue.
func (c *Connection) confirmed(ctx context.Context, m *Message) error {
	m.QoS = 1
	ds := c.directly()
	seq, done := ds.expect()
	defer ds.forget(seq)
	if c.session.live.Load() != c { // whoever ended it may have looked before there was somebody to tell
		return errWentAway(c.caller.ClientID)
	}
	if err := c.handDirect(Delivery{Message: m, QoS: 1, Seq: seq, Group: c.b.direct}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, ctx.Err(), "whoever sent the direct message went away before it was confirmed").
			WithRemedy("give the call more time for an answer")
	}
	return fault.Wrap(fault.Unavailable, ErrUnconfirmed, "client %q did not acknowledge the message in time; it may have it", c.caller.ClientID).
		WithRemedy("look at the client's acknowledgements, or use a longer timeout (up to 15 s)")
}

func errWentAway(clientID string) error {
	return fault.New(fault.NotFound, "client %q disconnected before it acknowledged the message; it may have it", clientID).
		WithRemedy("send it again when the client is back")
}

// directs are the direct messages of a connection that somebody waits for.
type directs struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan<- error
}

// directly gives the connection's directs, made on first use.
func (c *Connection) directly() *directs {
	if ds := c.direct.Load(); ds != nil {
		return ds
	}
	c.direct.CompareAndSwap(nil, &directs{waiting: map[uint64]chan<- error{}})
	return c.direct.Load()
}

// expect begins to wait. done has room, so that nobody waits to tell.
func (ds *directs) expect() (seq uint64, done <-chan error) {
	ch := make(chan error, 1)
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.last++
	ds.waiting[ds.last] = ch
	return ds.last, ch
}

func (ds *directs) forget(seq uint64) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	delete(ds.waiting, seq)
}

// settle tells those who wait for the given messages how it went.
func (ds *directs) settle(seqs []uint64, err error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, seq := range seqs {
		if ch, ok := ds.waiting[seq]; ok {
			delete(ds.waiting, seq)
			ch <- err
		}
	}
}

// settleDirect tells those who wait for direct messages of the connection.
func (c *Connection) settleDirect(seqs []uint64, err error) {
	if ds := c.direct.Load(); ds != nil {
		ds.settle(seqs, err)
	}
}

// endDirect tells all who wait that the client went.
func (c *Connection) endDirect() {
	ds := c.direct.Load()
	if ds == nil {
		return
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for seq, ch := range ds.waiting {
		delete(ds.waiting, seq)
		ch <- errWentAway(c.caller.ClientID)
	}
}

// SkipShared is AckShared for what is over without the client: it never took it. Who waits for a direct message is told.
func (c *Connection) SkipShared(g *Group, seqs []uint64) {
	if g == c.b.direct {
		c.settleDirect(seqs, fault.New(fault.TooLarge, "client %q does not take a message of this size, or never acknowledged it", c.caller.ClientID).
			WithRemedy("let it allow a larger Maximum Packet Size, or send less"))
		return
	}
	c.AckShared(g, seqs)
}
