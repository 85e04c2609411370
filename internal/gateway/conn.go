package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
	"github.com/thingwire/thingwire/internal/registry"
)

// conn is one MQTT connection. Its goroutine reads and parses; see the package comment for who writes.
type conn struct {
	gateway *Gateway
	raw     net.Conn   // the socket
	net     net.Conn   // raw, or TLS over it
	src     io.Reader  // what gives bytes of MQTT: net, or ws
	ws      *webSocket // nil without
	cork    *corkConn
	kind    Kind // the listener it came in by
	remote  netip.Addr
	domain  string // SNI

	identity    *registry.Identity // nil for anonymous
	fingerprint [32]byte

	version   mqtt.Version
	explain   bool // the client takes reason strings
	keepAlive time.Duration
	clientID  string
	caller    *broker.Caller
	session   *broker.Connection
	aliases   []string // inbound topic aliases, 1-based
	packet    mqtt.Publish
	acks      []uint16
	kept      kept
	rb        readBuffer
	in        inbox
	out       outbox
	iov       net.Buffers // the writer's
	sending   net.Buffers // the writer's, consumed by a write

	rights sync.Mutex // orders CONNECT and changes of the certificate's rights; for caller and session
	slow   []slowReceiver

	heard      atomic.Int64 // when the last packet came, in nanoseconds
	publishing atomic.Bool  // a batch is being committed
	paused     atomic.Bool  // the reader waits for a slow receiver
	cause      atomic.Pointer[broker.Cause]
	closed     chan struct{} // closed when the end has begun
	hungUp     atomic.Bool   // last words were sent: wait until the client has them
	alive      spoke         // its places on the wheel
	unacked    spoke
	endTrace   string        // the trace id that a v5 client was told at the end; under out.mu
	flow       *rate.Limiter // of inbound bytes, nil for none
}

func newConn(g *Gateway, raw, nc net.Conn) *conn {
	c := &conn{gateway: g, raw: raw, net: nc, src: nc, closed: make(chan struct{})}
	c.in.c = c
	c.alive.c, c.unacked.c, c.unacked.why = c, c, unacknowledged
	c.out.c = c
	c.out.run = c.out.write
	c.remote = addrOf(raw)
	if tc, ok := nc.(*tls.Conn); ok {
		c.domain = tc.ConnectionState().ServerName
	}
	return c
}

func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// serve runs the connection to its end. first is what was read before it was known to be MQTT.
func (c *conn) serve(first []byte) {
	c.rb.lend(len(first))
	c.rb.w = copy(c.rb.buf, first)
	defer c.end()
	if !c.open() {
		return
	}
	c.session.Start() // before the client has its CONNACK: who hears of it from the client may send to it
	c.out.begin()
	c.read()
}

// setCause notes why the connection ends; the first cause stays.
func (c *conn) setCause(cause broker.Cause) {
	if c.cause.CompareAndSwap(nil, &cause) {
		close(c.closed)
	}
}

// fail ends the connection for a cause: a v5 client is told.
func (c *conn) fail(cause broker.Cause) { c.out.Kick(cause) }

// end is the last thing that happens to a connection.
func (c *conn) end() {
	c.setCause(broker.Cause{Reason: broker.ConnectionLost, Text: "the connection was lost"})
	c.hurry()
	c.out.farewell()
	c.out.finish()
	if !c.hungUp.Load() {
		c.shut()
	}
	c.gateway.wheel.remove(c)
	cause := *c.cause.Load()
	if c.session != nil {
		c.in.mu.Lock() // a batch may be committing: what it acknowledges goes nowhere
		c.in.wait()
		c.in.unlock()
		c.session.Close(cause)
	}
	c.rb.free()
	c.gateway.noteClosed(c, cause)
	c.linger()
	c.leaveWaiting()
	c.gateway.forget(c)
}

// read is the loop: parse what there is, publish, make room, read.
func (c *conn) read() {
	for {
		c.in.mu.Lock()
		need, ok := c.parse()
		if ok {
			c.in.submit()
			c.makeRoom(need)
			c.in.takeSlow(c)
		}
		c.in.unlock()
		if !ok {
			return
		}
		c.pause()
		before := c.rb.w
		if err := c.rb.fill(c.src); err != nil {
			c.lost(err)
			return
		}
		if c.ws != nil && c.ws.full {
			c.rb.grow()
		}
		if c.cause.Load() != nil { // it was ended meanwhile: what comes now is too late
			return
		}
		c.heard.Store(c.gateway.now())
		c.gateway.counts.ReceivedBytes.Add(int64(c.rb.w - before))
		c.slowDown(c.rb.w - before)
	}
}

// lost notes how the socket ended.
func (c *conn) lost(err error) {
	if c.ws != nil && c.lostFrames(err) {
		return
	}
	text := "the connection was lost: " + err.Error()
	switch {
	case errors.Is(err, io.EOF):
		text = "the client closed the connection without DISCONNECT"
	case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		text = "the connection was closed by the server"
	}
	c.setCause(broker.Cause{Reason: broker.ConnectionLost, Text: text})
}

// makeRoom prepares the read buffer for the next read. Messages that wait to be published or committed keep the memory
// they alias.
func (c *conn) makeRoom(need int) {
	h := c.in.holder(c.rb.id)
	switch {
	case h == nil:
		c.rb.room(need)
	case !c.rb.roomy(need):
		h.lent = append(h.lent, c.rb.lend(need))
	}
}

// parse takes every whole packet of the buffer. need is the size of the packet that is not whole yet, 0 if it is not
// known. ok is false when the connection is to end. Under in.mu.
func (c *conn) parse() (need int, ok bool) {
	c.acks = c.acks[:0]
	for {
		if c.in.dead {
			return 0, false
		}
		f, n, err := mqtt.Next(c.rb.bytes(), c.gateway.limits.PacketSize)
		if err == nil && n == 0 {
			c.takeAcks()
			return mqtt.Need(c.rb.bytes()), true
		}
		if err == nil {
			c.rb.advance(n)
			err = c.dispatch(f)
		}
		if err != nil {
			c.takeAcks()
			c.in.submit() // what came before is published and acknowledged
			c.refuse(err, f)
			return 0, false
		}
	}
}

// errGoodbye is the error of a connection that ends as it should, or whose end has begun.
var errGoodbye = errors.New("the connection ends")

func (c *conn) refuse(err error, f mqtt.Frame) {
	if errors.Is(err, errGoodbye) {
		return
	}
	cause, ok := errors.AsType[broker.Cause](err)
	if !ok {
		cause = closeCause(err, opPublish)
	}
	if cause.Packet == "" {
		cause.Packet = f.Type().String()
	}
	c.fail(cause)
}

// dispatch acts on one packet. Under in.mu.
func (c *conn) dispatch(f mqtt.Frame) error {
	switch f.Type() {
	case mqtt.PUBLISH:
		return c.onPublish(f)
	case mqtt.PUBACK:
		return c.onPuback(f)
	case mqtt.PINGREQ:
		return c.onPing(f)
	case mqtt.SUBSCRIBE:
		return c.behindBatch(f, c.onSubscribe)
	case mqtt.UNSUBSCRIBE:
		return c.behindBatch(f, c.onUnsubscribe)
	case mqtt.DISCONNECT:
		return c.behindBatch(f, c.onDisconnect)
	case mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP:
		return clientError(mqtt.CodeProtocolError, "QoS 2 is not supported")
	case mqtt.CONNECT:
		return clientError(mqtt.CodeProtocolError, "a second CONNECT on one connection [MQTT-3.1.0-2]")
	case mqtt.CONNACK, mqtt.SUBACK, mqtt.UNSUBACK, mqtt.PINGRESP, mqtt.AUTH:
	}
	return clientError(mqtt.CodeProtocolError, "a client must not send "+f.Type().String())
}

// behindBatch runs fn when all that was published before is acknowledged. fn may wait for the store.
func (c *conn) behindBatch(f mqtt.Frame, fn func(mqtt.Frame) error) error {
	c.takeAcks()
	c.in.wait()
	if c.in.dead {
		return errGoodbye
	}
	c.in.unlock()
	defer c.in.mu.Lock()
	return fn(f)
}

func (c *conn) onPing(f mqtt.Frame) error {
	if _, err := mqtt.Decode(f, c.version, mqtt.FromClient); err != nil {
		return err
	}
	c.out.put(func(dst []byte) []byte { return mqtt.AppendPing(dst, c.version, &mqtt.Ping{Type: mqtt.PINGRESP}) })
	return nil
}

func (c *conn) onPuback(f mqtt.Frame) error {
	var a mqtt.Ack
	if err := mqtt.DecodeAck(f, c.version, &a); err != nil {
		return err
	}
	c.acks = append(c.acks, a.PacketID)
	return nil
}

// takeAcks acts on the PUBACKs of a read at once.
func (c *conn) takeAcks() {
	if len(c.acks) == 0 {
		return
	}
	c.kept.clear()
	c.out.acknowledged(c.acks, &c.kept)
	c.acks = c.acks[:0]
	c.kept.ack(c.session)
}

// onDisconnect is the client's goodbye. The will stays only with reason code 0x04.
func (c *conn) onDisconnect(f mqtt.Frame) error {
	var d mqtt.Disconnect
	if err := mqtt.DecodeDisconnect(f, c.version, mqtt.FromClient, &d); err != nil {
		return err
	}
	if err := c.checkUser(d.User); err != nil {
		return err
	}
	var expiry *time.Duration
	if d.HasSessionExpiry {
		if d.SessionExpiry > 0 && !c.session.Persistent() {
			return clientError(mqtt.CodeProtocolError, "DISCONNECT must not make a session persistent [MQTT-3.14.2-2]")
		}
		e := seconds(d.SessionExpiry)
		expiry = &e
	}
	if d.Code == mqtt.CodeDisconnectWithWill {
		c.setCause(broker.Cause{Reason: broker.ClientInitiated, Text: "the client sent DISCONNECT with will", Packet: "DISCONNECT"})
		c.session.SetExpiry(expiry)
		return errGoodbye
	}
	text := "the client sent DISCONNECT"
	if d.Code != mqtt.CodeSuccess {
		text += ": " + d.Code.String()
	}
	c.setCause(broker.Cause{Reason: broker.ClientInitiated, Text: text, Packet: "DISCONNECT"})
	c.session.Disconnect(expiry)
	return errGoodbye
}

func seconds(s uint32) time.Duration { return time.Duration(s) * time.Second }

// reasonString is text for a v5 client, empty when it does not want any (Request Problem Information 0) or its packets
// would become too large.
func (c *conn) reasonString(text, trace string) string {
	text += ":" + trace
	if !c.explain || len(text)+64 > c.out.maxSize {
		return ""
	}
	return text
}
