package gateway

import (
	"bytes"
	"fmt"
	"net"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// protocol is what a socket speaks.
type protocol uint8

const (
	protocolMQTT protocol = iota
	protocolHTTP
)

// firstLook tells MQTT from HTTP: by the negotiated ALPN name, else by the first bytes, which it gives back. What the
// listener does not speak is refused in words, in the protocol that the client seems to speak.
func (g *Gateway) firstLook(kind Kind, alpn string, nc net.Conn) (protocol, []byte, error) {
	switch alpn {
	case alpnMQTTCertificate:
		return protocolMQTT, nil, nil
	case alpnMQTTCustom:
		return 0, nil, fault.New(fault.Unsupported, "ALPN %q asks for a custom authorizer: Thingwire does not have them yet", alpn).
			WithRemedy("use a certificate with ALPN %q", alpnMQTTCertificate)
	}
	onlyHTTP := alpn != "" && kind != MQTTS || kind == API || kind == Console || kind == Metrics
	buf := make([]byte, 512)
	n, err := nc.Read(buf)
	if n == 0 {
		return 0, nil, &reasoned{journal.ReasonNoConnect, fmt.Errorf("nothing came: %w", err)}
	}
	first := buf[:n]
	isMQTT, isHTTP := first[0] == 0x10, looksLikeHTTP(first)
	switch {
	case isMQTT && (kind == MQTTS || kind == MQTT):
		return protocolMQTT, first, nil
	case isMQTT: // net/http would wait for the end of a line
		return 0, nil, fault.New(fault.Invalid, "MQTT without its ALPN name on listener %s", kind).
			WithRemedy("connect to the mqtts listener, or offer ALPN %q", alpnMQTTCertificate)
	case isHTTP && (kind == MQTTS || kind == MQTT):
		g.refuseHTTP(nc, kind, first)
		return 0, nil, fault.New(fault.Invalid, "HTTP on listener %s, which speaks MQTT", kind).
			WithRemedy("use the https or the api listener")
	case isHTTP, onlyHTTP:
		return protocolHTTP, first, nil
	}
	return 0, nil, &reasoned{journal.ReasonNoConnect, fault.New(fault.Invalid,
		"the first bytes (% x) are neither MQTT CONNECT nor HTTP", first[:min(n, 8)])}
}

// looksLikeHTTP reports whether bytes begin like a request line: a method in capitals.
func looksLikeHTTP(b []byte) bool {
	for i, c := range b {
		if c == ' ' {
			return i >= 3
		}
		if c < 'A' || c > 'Z' || i > 8 {
			return false
		}
	}
	return false
}

func (g *Gateway) refuseHTTP(nc net.Conn, kind Kind, first []byte) {
	text := "this is the " + string(kind) + " listener of Thingwire: it speaks MQTT. "
	if bytes.HasPrefix(first, []byte("GET "+mqttPath)) {
		text += "MQTT over WebSocket is on " + g.webSocketAddress() + ".\n"
	} else {
		text += "HTTP is on the https and api listeners (see endpoints.json).\n"
	}
	_, _ = fmt.Fprintf(nc, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", // the connection ends either way
		len(text), text)
}

// webSocketAddress says where MQTT over WebSocket is spoken.
func (g *Gateway) webSocketAddress() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, kind := range []Kind{API, Shared} {
		if port := g.ports[kind]; port != 0 {
			return fmt.Sprintf("the %s listener (wss, port %d)", kind, port)
		}
	}
	return "the api or the shared listener (wss), which this server has not opened"
}
