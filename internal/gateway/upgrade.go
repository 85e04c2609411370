package gateway

import (
	"crypto/sha1" //nolint:gosec // RFC 6455, section 1.3 wants it; nothing secret is hashed
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
)

// mqttPath is where MQTT over WebSocket is spoken.
const mqttPath = "/mqtt"

// The sub-protocols. Clients of MQTT 3.1.1 offer the older name too, whatever it says.
const (
	protocolMQTTName = "mqtt"
	protocolMQTT31   = "mqttv3.1"
)

// maxWebSocketKey is more than the 172 characters of the AWS IoT Device SDK v1 for Python.
const maxWebSocketKey = 512

// overWebSocket answers the requests for MQTT over WebSocket, and hands all others on.
func (g *Gateway) overWebSocket(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != mqttPath || ListenerOf(r.Context()) == Metrics {
			next.ServeHTTP(w, r)
			return
		}
		g.upgrade(w, r)
	})
}

// upgrade makes an MQTT connection of an HTTP one. The answer is written by hand: the AWS IoT Device SDK v1 for Python
// looks for header names in lower case, in its first read, and cannot take extensions.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request) {
	trace := awsapi.Begin(w)
	if err := g.mayUpgrade(r, trace); err != nil {
		g.counts.WebSockets[AuthFailed].Add(1)
		f := awsapi.DataKinds.FailureOf(err, trace)
		f.TraceID = trace
		f.Write(w)
		return
	}
	protocol, err := g.checkUpgrade(r)
	if err != nil {
		g.refuseUpgrade(w, r, trace, err)
		return
	}
	signer, err := g.signerOf(r)
	if err != nil {
		g.refuseUpgrade(w, r, trace, err)
		return
	}
	g.switchProtocols(w, r, trace, protocol, signer)
}

// checkUpgrade holds a request against RFC 6455, section 4.2.1, and chooses the sub-protocol: the one that is offered,
// of several mqtt; empty when the client offers none.
func (g *Gateway) checkUpgrade(r *http.Request) (protocol string, err error) {
	switch {
	case ListenerOf(r.Context()) == HTTPS:
		return "", fault.New(fault.Invalid, "MQTT over WebSocket is not spoken on listener %s", HTTPS).
			WithRemedy("connect to %s; a device with a certificate speaks MQTT on the mqtts listener", g.webSocketAddress())
	case r.Method != http.MethodGet:
		return "", &httpError{
			http.StatusMethodNotAllowed, "MethodNotAllowedException", "Allow", http.MethodGet,
			badUpgrade("the method is %s, not GET", r.Method),
		}
	case !r.ProtoAtLeast(1, 1):
		return "", badUpgrade("the version of HTTP is %s, not 1.1", r.Proto)
	case r.ContentLength != 0:
		return "", badUpgrade("the request has a body")
	case !hasToken(r.Header, "Connection", "upgrade"):
		return "", badUpgrade("the header Connection does not say Upgrade")
	case !hasToken(r.Header, "Upgrade", "websocket"):
		return "", badUpgrade("the header Upgrade does not say websocket")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return "", &httpError{
			http.StatusUpgradeRequired, "InvalidRequestException", "Sec-WebSocket-Version", "13",
			badUpgrade("the header Sec-WebSocket-Version is not 13"),
		}
	}
	if k := r.Header["Sec-Websocket-Key"]; len(k) != 1 || k[0] == "" || len(k[0]) > maxWebSocketKey {
		return "", badUpgrade("there must be one header Sec-WebSocket-Key, of at most %d characters", maxWebSocketKey)
	}
	return chooseProtocol(r.Header)
}

func chooseProtocol(h http.Header) (string, error) {
	offered := tokens(h, "Sec-Websocket-Protocol")
	for _, p := range []string{protocolMQTTName, protocolMQTT31} {
		if slices.Contains(offered, p) {
			return p, nil
		}
	}
	if len(offered) > 0 {
		return "", badUpgrade("the client offers no sub-protocol (Sec-WebSocket-Protocol) that is known here: mqtt, mqttv3.1")
	}
	return "", nil
}

// tokens are the parts of a header that is a list.
func tokens(h http.Header, name string) (all []string) {
	for _, line := range h[name] {
		for token := range strings.SplitSeq(line, ",") {
			if token = strings.Trim(token, " \t"); token != "" {
				all = append(all, token)
			}
		}
	}
	return all
}

func hasToken(h http.Header, name, want string) bool {
	return slices.ContainsFunc(tokens(h, name), func(t string) bool { return strings.EqualFold(t, want) })
}

// signerOf verifies the signature of an upgrade, in its query or its header. One that is not signed is let through: its
// client may show at CONNECT who it is.
func (g *Gateway) signerOf(r *http.Request) (*iam.Identity, error) {
	if !awsapi.Signed(r) {
		return nil, nil //nolint:nilnil // nobody has signed, and nothing is wrong
	}
	if g.guard == nil {
		return nil, fault.New(fault.Unauthenticated, "this server has no access keys: no signature can be verified")
	}
	id, _, err := g.guard.Verify(r, awsapi.DataServices...)
	return id, err
}

// switchProtocols answers 101 and serves the connection as MQTT.
func (g *Gateway) switchProtocols(w http.ResponseWriter, r *http.Request, trace, protocol string, signer *iam.Identity) {
	raw := PeerOf(r.Context()).raw
	if signer == nil && !g.waiting.enter(raw, g.perAddress) {
		g.refuseUpgrade(w, r, trace, &reasoned{journal.ReasonTooManySockets, errTooManySockets})
		return
	}
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	nc, ok := hijacked.(*replayConn)
	if err != nil || !ok { // no connection of ours is like that
		if signer == nil {
			g.waiting.leave(raw)
		}
		g.refuseUpgrade(w, r, trace, fault.Wrap(fault.Internal, err, "the connection cannot be taken over"))
		return
	}
	before, _ := buffered.Peek(buffered.Reader.Buffered()) // that much is there
	c := newConn(g, raw, nc.Conn)
	c.cork, c.kind = nc.cork, nc.peer.Listener
	c.ws = newWebSocket(c, signer, lifeOf(signer, time.Now()), protocol, slices.Concat(before, nc.first))
	c.src = c.ws
	g.counts.WebSockets[Succeeded].Add(1) // before the client can look
	err = nc.answer(switching(r.Header.Get("Sec-WebSocket-Key"), protocol))
	if err != nil || !g.serveConn(c, nil) {
		c.leaveWaiting()
		_ = nc.Close() // the client is gone, or the gateway is closing
	}
}

// answer writes the last HTTP answer of a connection, in one write.
func (c *replayConn) answer(text []byte) error {
	if err := c.peer.raw.SetWriteDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := c.Conn.Write(text); err != nil {
		return err
	}
	return c.peer.raw.SetWriteDeadline(time.Time{})
}

// switching is the answer to an upgrade.
func switching(key, protocol string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	sum := sha1.Sum([]byte(key + guid))                 //nolint:gosec // see the import
	text := "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if protocol != "" {
		text += "sec-websocket-protocol: " + protocol + "\r\n"
	}
	return []byte(text + "\r\n")
}

// leaveWaiting ends the time of a socket without a signature in the waiting room, if this is one.
func (c *conn) leaveWaiting() {
	if c.ws != nil && c.ws.signer == nil {
		c.gateway.waiting.leave(c.raw)
	}
}
