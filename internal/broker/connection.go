package broker

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// Connection is the live half of a session: it is made by Connect, receives from Start on, and ends once, with Close,
// a takeover, or the broker's own end. What an ended connection completes later changes nothing.
type Connection struct {
	b        *Broker
	id       uint64 // unique in this broker, never 0
	session  *session
	caller   *Caller
	link     Link
	rate     *rate.Limiter // the session's, nil for none
	waits    atomic.Bool   // Ready will be called when the rate allows it
	expiry   time.Duration // how long the session outlives this connection; under the holder's shard
	will     atomic.Pointer[will]
	willKey  string // of the will's document, empty if there is none
	ended    bool   // under session.mu
	quiet    bool   // a service: no presence
	presence presence
	socket   Socket
	since    int64                   // when it came, in milliseconds since 1970
	direct   atomic.Pointer[directs] // nil until somebody waits for one
}

// ConnectRequest is what a door knows of a client that wants to connect.
type ConnectRequest struct {
	Caller     *Caller
	Protocol   byte // 3 (also for 3.1) or 5
	CleanStart bool
	// Expiry is how long the session outlives the connection; 0 ends it with it.
	Expiry time.Duration
	// Will is published when the connection ends without Disconnect; nil for none. It belongs to the broker.
	Will      *Message
	WillDelay time.Duration
	Link      Link
	// SourceIP and Thing are told in lifecycle events. Thing is the name of the thing that the principal is attached
	// to exclusively, else empty.
	SourceIP, Thing string
	Socket          Socket
}

// Connect opens the session of Caller.ClientID. A connection that the client id has is taken over: it is ended before
// Connect returns, without waiting for its goroutines. present reports a session that was there. Nothing is delivered
// before Start.
func (b *Broker) Connect(r ConnectRequest) (c *Connection, present bool, err error) {
	if b.closing.Load() {
		return nil, false, errShuttingDown()
	}
	if err := b.mayConnect(&r); err != nil {
		if fault.Is(err, fault.Denied) {
			b.tellRefused(&r)
		}
		return nil, false, err
	}
	if err := b.mayConnectNow(r.Caller.ClientID); err != nil {
		return nil, false, err
	}
	b.connections.Add(1)
	c = &Connection{b: b, caller: r.Caller, link: r.Link, expiry: min(r.Expiry, b.limits.SessionExpiryMax)}
	r.Caller.conn = c
	c.id = b.lastConn.Add(1)
	c.presence = presence{ip: r.SourceIP, thing: r.Thing}
	c.socket, c.since = r.Socket, millis(time.Now())
	old, discarded, returned, present := b.takeOver(c, &r)
	if old != nil {
		old.end(Cause{
			Reason: DuplicateClientID, Code: codeSessionTakenOver,
			Text: "another connection came with the same client id",
		}, false)
	}
	if b.closing.Load() { // Close may have kicked everybody before this connection was in the registry
		c.end(Cause{Reason: ServerInitiated, Code: codeServerShuttingDown, Text: "the server is shutting down"}, true)
		return nil, false, errShuttingDown()
	}
	if err := b.settle(c, discarded, returned); err != nil {
		c.will.Store(nil) // there was no connection
		if !present {
			none := time.Duration(0)
			c.SetExpiry(&none) // nor a session
		}
		c.end(Cause{Reason: ServerError, Text: err.Error()}, true)
		return nil, false, err
	}
	return c, present, nil
}

// mayConnect asks the policies for the connection and for its will.
func (b *Broker) mayConnect(r *ConnectRequest) error {
	c := r.Caller
	keys := map[string][]string{"iot:ConnectAttributes": connectAttributes(r)}
	if r.Will != nil {
		keys["iot:LastWillTopic"] = []string{b.arn + "topic/" + r.Will.Topic}
	}
	if d := b.decide(c, "iot:Connect", "client", c.ClientID, keys); !d.Allowed {
		return b.denied(c, d, "connect as", "iot:Connect", "client", c.ClientID, keys)
	}
	if r.Will == nil {
		return nil
	}
	name := r.Will.Topic
	if err := topic.CheckName(name, b.limits.Topic); err != nil {
		return err
	}
	if err := publishReserved(name); err != nil {
		return err
	}
	if len(r.Will.Payload) > b.limits.Payload {
		return fault.New(fault.TooLarge, "will payload of %d bytes is over the limit of %d", len(r.Will.Payload), b.limits.Payload)
	}
	if d := b.decide(c, "iot:Publish", "topic", name, nil); !d.Allowed {
		return b.denied(c, d, "publish the will to", "iot:Publish", "topic", name, nil)
	}
	if !r.Will.Retain {
		return nil
	}
	if d := b.decide(c, "iot:RetainPublish", "topic", name, nil); !d.Allowed {
		return b.denied(c, d, "retain the will on", "iot:RetainPublish", "topic", name, nil)
	}
	return nil
}

func connectAttributes(r *ConnectRequest) []string {
	a := []string{}
	if r.Expiry > 0 {
		a = append(a, "PersistentConnect")
	}
	if r.Will != nil {
		a = append(a, "LastWill")
	}
	return a
}

// takeOver makes c the live connection of its client id, in one step, and finds or makes its session. It gives what is
// over by that: the connection that was there, the session that is not wanted, and the will that waited for its delay.
func (b *Broker) takeOver(c *Connection, r *ConnectRequest) (old *Connection, discarded *session, returned *waitingWill, present bool) {
	sh := b.shard(c.caller.ClientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	h := sh.get(c.caller.ClientID)
	old, h.live = h.live, c
	c.presence.version = b.versions.next(c.caller.ClientID, h.least())
	s := h.stored[slot(r.Protocol)]
	if s != nil && (r.CleanStart || s.owner != nil && s.owner.expiry == 0) {
		discarded, s = s, nil
		h.stored[slot(r.Protocol)] = nil
		if discarded.gone != nil {
			b.alarms.cancel(discarded.gone)
			discarded.gone = nil
		}
	}
	present = s != nil
	if s == nil {
		s = &session{
			clientID: c.caller.ClientID, protocol: r.Protocol, persistent: c.expiry > 0, identifier: uuid.NewString(),
			rate: NewLimiter(b.limits.Rates.PublishesPerConn),
		}
		if s.persistent {
			s.queue = store.NewQueueID()
			h.stored[slot(r.Protocol)] = s
		}
	}
	if s.gone != nil {
		b.alarms.cancel(s.gone)
		s.gone = nil
	}
	returned = b.takeWill(s) // the client came back before its delay had passed [MQTT-3.1.3-9]
	s.owner, s.expiry, s.left, s.version = c, c.expiry, 0, c.presence.version
	c.session, c.rate, c.presence.session = s, s.rate, s.identifier
	c.takeUp(r)
	return old, discarded, returned, present
}

// settle makes durable what CONNACK promises: the session and the will that are there, and those that are gone.
func (b *Broker) settle(c *Connection, discarded *session, returned *waitingWill) error {
	if discarded == nil && !c.session.persistent {
		return nil
	}
	var sb store.Batch
	if returned != nil {
		sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketWills, Key: returned.key, Delete: true})
	}
	if w := c.will.Load(); w != nil && w.key != "" {
		sb.Docs = append(sb.Docs, w.record(c.caller.Principal, time.Time{}))
	}
	if discarded != nil {
		b.unroute(discarded)
		b.publishLast(discarded)
		if err := b.forget(discarded, &sb); err != nil {
			return err
		}
	}
	return b.keepRecord(c.session, &sb).Wait()
}

// publishLast publishes the will that waited with a session that is over now (MQTT 5, 3.1.3.2.2).
func (b *Broker) publishLast(s *session) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	w := b.takeWill(s)
	sh.mu.Unlock()
	b.publishWaiting(w)
}

// Start lets the connection receive: call it when CONNACK is on its way. Stored messages follow.
func (c *Connection) Start() {
	s := c.session
	s.mu.Lock()
	if c.ended {
		s.mu.Unlock()
		return
	}
	s.live.Store(c)
	s.q.next = s.q.trimmed + 1
	s.q.draining, s.q.ahead = false, nil
	c.presence.told = !c.quiet
	s.mu.Unlock()
	if !c.quiet {
		c.tellConnected()
	}
	c.Refresh() // what this caller may receive is decided anew
	c.Ready()
}

// Refresh makes deliveries follow a change of the caller's policies.
func (c *Connection) Refresh() {
	c.session.mu.Lock()
	patterns := make([]string, 0, len(c.session.subs))
	for _, sub := range c.session.subs {
		patterns = append(patterns, sub.filter.Pattern)
	}
	c.session.mu.Unlock()
	for _, p := range patterns {
		c.b.routes.Touch(p)
	}
}

// Disconnect is the client's own goodbye: no will. expiry, if not nil, replaces the session's expiry (MQTT 5, 3.14.2.2.2).
func (c *Connection) Disconnect(expiry *time.Duration) {
	c.will.Store(nil)
	c.SetExpiry(expiry)
}

// Close ends the connection. The will is published unless Disconnect came before. It is safe to call it again.
func (c *Connection) Close(cause Cause) { c.end(cause, true) }

// end ends the connection once: it stops deliveries, lets go of the client id, publishes the will, and forgets or
// keeps the session. own tells that the door itself ends it and needs no kick.
func (c *Connection) end(cause Cause, own bool) {
	s := c.session
	s.mu.Lock()
	if c.ended {
		s.mu.Unlock()
		return
	}
	c.ended = true
	if !c.quiet {
		c.b.connections.Add(-1)
	}
	s.live.CompareAndSwap(c, nil)
	shared, told := slices.Clone(s.groups), c.presence.told
	s.mu.Unlock()
	for _, g := range shared {
		g.comeBack(c)
	}
	if !own {
		c.link.Kick(cause)
	}
	c.endDirect()
	f, w, waits := c.letGo(c.will.Swap(nil), cause, told)
	var over store.Batch
	c.willEnds(&over, w, waits)
	switch f {
	case sessionOver:
		c.b.unroute(s)
		if s.persistent {
			c.b.forgetLater(s)
		}
	case sessionStays:
		c.b.leave(s, &over)
		c.Refresh() // what this caller may not receive is kept for the next one, who may
	case sessionContinues:
		c.Refresh()
	case sessionDiscarded:
	}
	if f != sessionStays {
		c.b.remove(over.Docs, slog.String("change", "end of a will"), slog.String("client_id", s.clientID))
	}
	if told {
		c.tellDisconnected(cause)
	}
	if w != nil {
		c.b.publishWill(c.caller.detached(), w)
	}
}

// fate is what becomes of a session when a connection of it ends.
type fate uint8

const (
	sessionOver      fate = iota // it ends with the connection
	sessionStays                 // it waits for the client
	sessionContinues             // a newer connection has it
	sessionDiscarded             // a newer connection did not want it, and removes it
)

// letGo releases the client id and decides what becomes of the session and of the will (see leaveWill).
func (c *Connection) letGo(w *will, cause Cause, told bool) (f fate, now *will, waits *waitingWill) {
	b, s := c.b, c.session
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	h := sh.get(s.clientID)
	if h.live == c {
		h.live = nil
	}
	if told {
		b.departed.note(c.info(), cause)
	}
	defer sh.drop(s.clientID, h)
	f = sessionStays
	switch {
	case !s.persistent:
		f = sessionOver
	case h.stored[slot(s.protocol)] != s:
		f = sessionDiscarded
	case s.owner != c:
		f = sessionContinues
	case c.expiry == 0:
		h.stored[slot(s.protocol)] = nil
		f = sessionOver
	default:
		s.left = millis(time.Now())
		b.expireAfter(s, c.expiry)
	}
	now, waits = c.leaveWill(w, f)
	return f, now, waits
}

// Persistent reports whether the session outlives the connection.
func (c *Connection) Persistent() bool {
	sh := c.b.shard(c.session.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return c.expiry > 0
}

// SetExpiry replaces the session's expiry; nil leaves it. A connection that has ended has no say in it any more.
func (c *Connection) SetExpiry(expiry *time.Duration) {
	if expiry == nil {
		return
	}
	sh := c.b.shard(c.session.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c.session.owner != c || c.session.left != 0 {
		return
	}
	c.expiry = min(*expiry, c.b.limits.SessionExpiryMax)
	c.session.expiry = c.expiry
}
