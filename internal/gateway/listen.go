package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// Kind is what a listener speaks and whom it asks for a certificate (DESIGN, "Doors and identity").
type Kind string

// The listeners.
const (
	MQTTS   Kind = "mqtts"   // MQTT, certificate required
	HTTPS   Kind = "https"   // HTTPS by certificate or signature; MQTT by ALPN
	API     Kind = "api"     // HTTPS by signature; never asks for a certificate
	Shared  Kind = "shared"  // everything; asks for a certificate with the ALPN names that need one
	Console Kind = "console" // plain HTTP, loopback only
	MQTT    Kind = "mqtt"    // plain MQTT, anonymous
	Metrics Kind = "metrics" // plain HTTP for a scraper
)

// handshakeTimeout bounds TLS and the first look.
const handshakeTimeout = 10 * time.Second

// Listen opens a listener and serves it until Shutdown. addr is host:port; port 0 takes a free one. It answers the
// address it got.
func (g *Gateway) Listen(kind Kind, addr string) (net.Addr, error) {
	switch kind {
	case MQTTS, HTTPS, API, Shared, Console, MQTT, Metrics:
	default:
		return nil, fault.New(fault.Invalid, "there is no listener %q", kind)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "listener %s cannot open %s", kind, addr)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		_ = l.Close() // nobody knows it
		return nil, fault.New(fault.Unavailable, "the gateway is shutting down")
	}
	g.listeners = append(g.listeners, l)
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		g.ports[kind] = a.Port
	}
	g.accepting.Go(func() { g.accept(kind, l) })
	return l.Addr(), nil
}

// accept takes sockets until the listener is closed. When the system has none to give, it waits a little.
func (g *Gateway) accept(kind Kind, l net.Listener) {
	tc := g.tlsConfig(kind)
	for {
		raw, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			g.log.LogAttrs(context.Background(), slog.LevelError, "no socket can be accepted",
				slog.String("listener", string(kind)), slog.Any("err", err))
			<-time.NewTimer(50 * time.Millisecond).C
			continue
		}
		if !g.letIn(raw) {
			_ = raw.Close() // it was never used
			continue
		}
		g.serving.Go(func() { g.greet(kind, tc, raw) })
	}
}

// letIn counts a socket that is not authenticated yet; false when its address has too many, or at the end.
func (g *Gateway) letIn(raw net.Conn) bool {
	if !g.waiting.enter(raw, g.perAddress) {
		g.record(journal.Entry{
			EventType: journal.AuthNError, Status: journal.Failure, LogLevel: journal.LevelError,
			SourceIP: addrOf(raw).String(), Reason: journal.ReasonTooManySockets,
			Cause: "too many sockets of one address wait to be let in",
		})
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		g.waiting.leave(raw)
		return false
	}
	g.strangers[raw] = struct{}{}
	return true
}

// known ends a socket's time as a stranger.
func (g *Gateway) known(raw net.Conn) {
	g.mu.Lock()
	delete(g.strangers, raw)
	g.mu.Unlock()
	g.waiting.leave(raw)
}

// greet does the handshake and the first look, and hands the socket to MQTT or HTTP.
func (g *Gateway) greet(kind Kind, tc *tls.Config, raw net.Conn) {
	var state tls.ConnectionState
	c, first, err := g.meet(kind, tc, raw, &state)
	if err == nil && c == nil { // HTTP has it
		return
	}
	if err == nil && !g.serveConn(c, first) {
		err = errors.New("the gateway is shutting down")
	}
	g.known(raw)
	if err != nil {
		g.noteStranger(kind, raw, &state, err)
		_ = raw.Close() // it is refused
	}
}

// serveConn starts to serve a connection whose client is known, and makes it one that Shutdown waits for; false when the
// gateway is closing. The connection gets a goroutine of its own: one that did a handshake has a large stack.
func (g *Gateway) serveConn(c *conn, first []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	g.conns[c] = struct{}{}
	g.serving.Go(func() { c.serve(first) })
	return true
}

// meet finds out who and what a socket is. It gives no connection when HTTP took it.
func (g *Gateway) meet(kind Kind, tc *tls.Config, raw net.Conn, state *tls.ConnectionState) (c *conn, first []byte, err error) {
	deadline := time.Now().Add(handshakeTimeout)
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, nil, err
	}
	nc, cork := raw, (*corkConn)(nil)
	if tc != nil {
		cork = &corkConn{Conn: raw}
		if nc, *state, err = g.handshake(tc, cork, deadline); err != nil {
			return nil, nil, err
		}
	}
	c = newConn(g, raw, nc)
	c.cork, c.kind = cork, kind
	if kind == MQTTS { // nobody without a good certificate is waited for
		if err := c.authenticate(state); err != nil {
			return nil, nil, err
		}
	}
	speaks, first, err := g.firstLook(kind, state.NegotiatedProtocol, nc)
	if err != nil {
		return nil, nil, err
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	if speaks == protocolHTTP {
		g.known(raw)
		g.http.take(&replayConn{Conn: nc, cork: cork, gateway: g, peer: newPeer(kind, raw, state), first: first})
		return nil, nil, nil
	}
	if kind == MQTT || kind == MQTTS {
		return c, first, nil
	}
	return c, first, c.authenticate(state)
}

// handshake does TLS; only some compute at once, since each costs a core half a millisecond. Those who wait for their
// client do not count: a handful of silent sockets would keep everybody out.
func (g *Gateway) handshake(tc *tls.Config, raw *corkConn, deadline time.Time) (net.Conn, tls.ConnectionState, error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	raw.turns = g.handshakes
	g.handshakes <- struct{}{}
	defer func() {
		<-g.handshakes
		raw.turns = nil
	}()
	c := tls.Server(raw, tc)
	if err := c.HandshakeContext(ctx); err != nil {
		g.counts.HandshakesFailed.Add(1)
		return nil, tls.ConnectionState{}, &reasoned{journal.ReasonHandshake, fault.Wrap(fault.Unauthenticated, err, "TLS handshake failed")}
	}
	g.counts.Handshakes.Add(1)
	return c, c.ConnectionState(), nil
}

// authenticate identifies the client certificate.
func (c *conn) authenticate(state *tls.ConnectionState) (err error) {
	if len(state.PeerCertificates) == 0 {
		return fault.New(fault.Unauthenticated, "no client certificate").
			WithRemedy("connect with the certificate and key that `thingwire thing create` wrote")
	}
	c.identity, c.fingerprint, err = c.gateway.identify(state.PeerCertificates)
	return err
}

// waitingRoom counts the sockets of each address that are not authenticated yet.
type waitingRoom struct {
	mu sync.Mutex
	m  map[string]int
}

func (w *waitingRoom) enter(raw net.Conn, most int) bool {
	a := addrOf(raw)
	if !a.IsValid() || a.IsLoopback() {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m[a.String()] >= most {
		return false
	}
	w.m[a.String()]++
	return true
}

func (w *waitingRoom) leave(raw net.Conn) {
	a := addrOf(raw)
	if !a.IsValid() || a.IsLoopback() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m[a.String()]--; w.m[a.String()] <= 0 {
		delete(w.m, a.String())
	}
}
