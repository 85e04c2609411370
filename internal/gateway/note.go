package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// What happens to connections goes to the journal, in AWS's words and ours, and nothing secret with it.

// record counts, and writes to the journal, if there is one.
func (g *Gateway) record(e journal.Entry) {
	g.counts.note(&e)
	if g.journal != nil {
		g.journal.Record(e)
	}
}

// entry is what every entry about a connection says.
func (c *conn) entry(event string) journal.Entry {
	e := journal.Entry{EventType: event, Protocol: "MQTT", ClientID: c.clientID, Listener: string(c.kind)}
	if c.remote.IsValid() {
		e.SourceIP = c.remote.String()
	}
	if a, ok := c.raw.RemoteAddr().(*net.TCPAddr); ok {
		e.SourcePort = uint16(a.Port)
	}
	switch {
	case c.caller != nil:
		e.PrincipalID = c.caller.Principal
	case c.identity != nil:
		e.PrincipalID = c.identity.CertificateID
	case c.ws != nil && c.ws.signer != nil:
		e.PrincipalID = awsapi.PrincipalOf(c.ws.signer)
	}
	if c.identity != nil {
		if t := c.identity.Thing(c.clientID); t != nil {
			e.ThingName = t.Name
		}
	}
	return e
}

func (g *Gateway) noteConnected(c *conn, clean bool, expiry time.Duration) {
	e := c.entry(journal.Connect)
	e.Status, e.LogLevel = journal.Success, journal.LevelInfo
	e.KeepAliveDuration, e.SessionExpiry = int(c.keepAlive/time.Second), int(expiry/time.Second)
	e.CleanSession = [2]string{"False", "True"}[btoi(clean)]
	g.record(e)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// noteRefused records a CONNECT that was not accepted.
func (g *Gateway) noteRefused(c *conn, cause broker.Cause, trace string) {
	e := describe(c.entry(journal.Connect), cause)
	e.LogLevel, e.Packet, e.TraceID = journal.LevelError, "CONNECT", trace
	g.record(e)
	g.log.LogAttrs(context.Background(), slog.LevelDebug, "connect refused", slog.String("client_id", c.clientID),
		slog.Any("from", c.remote), slog.String("cause", cause.Text))
}

// noteClosed records the end of a connection that was accepted.
func (g *Gateway) noteClosed(c *conn, cause broker.Cause) {
	e := describe(c.entry(journal.Disconnect), cause)
	e.LogLevel, e.TraceID = journal.LevelError, c.endTrace
	if cause.Reason == broker.ClientInitiated {
		e.Status, e.LogLevel = journal.Success, journal.LevelInfo
	}
	if c.session == nil {
		return // noteRefused or noteStranger has told
	}
	g.record(e)
	g.log.LogAttrs(context.Background(), slog.LevelDebug, "disconnected", slog.String("client_id", c.clientID),
		slog.Any("from", c.remote), slog.String("reason", string(cause.Reason)), slog.String("cause", cause.Text))
}

// describe fills in a cause.
func describe(e journal.Entry, cause broker.Cause) journal.Entry {
	e.Status, e.Cause = journal.Failure, cause.Text
	if cause.Err != nil {
		e = broker.Entry(e, cause.Err)
	}
	e.DisconnectReason, e.ReasonCode, e.Packet = string(cause.Reason), cause.Code, cause.Packet
	return e
}

// noteStranger records a socket that was closed before anybody knew who it was.
func (g *Gateway) noteStranger(kind Kind, raw net.Conn, state *tls.ConnectionState, err error) {
	e := journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Listener: string(kind),
		ServerName: state.ServerName,
	}
	if a := addrOf(raw); a.IsValid() {
		e.SourceIP = a.String()
	}
	if kind != MQTT {
		e.AuthType = "AWS_X509"
	}
	if len(state.PeerCertificates) > 0 { // whoever it is, this is the name he can be asked for by
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		e.PrincipalID = hex.EncodeToString(sum[:])
	}
	if r, ok := errors.AsType[*reasoned](err); ok {
		e.Reason = r.reason
	}
	g.record(broker.Entry(e, err))
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "connection refused", slog.String("listener", string(kind)),
		slog.String("from", raw.RemoteAddr().String()), slog.String("cause", err.Error()))
}

// noteRefusal records an operation that was refused while the connection goes on (MQTT 5).
func (c *conn) noteRefusal(event, packet, name string, code mqtt.Code, trace string, err error) {
	e := broker.Entry(c.entry(event), err)
	e.LogLevel, e.Packet, e.TopicName, e.ReasonCode, e.TraceID = journal.LevelError, packet, name, byte(code), trace
	c.gateway.record(e)
}

// noteSubscribed records a SUBSCRIBE or UNSUBSCRIBE that was accepted.
func (c *conn) noteSubscribed(event string, filters []string) {
	e := c.entry(event)
	e.Status, e.LogLevel, e.TopicName = journal.Success, journal.LevelInfo, strings.Join(filters, ",")
	c.gateway.record(e)
}

// noteThrottled records an inbound message that was discarded because of a rate.
func (c *conn) noteThrottled(name string, err error) {
	e := broker.Entry(c.entry(journal.PublishIn), err)
	e.LogLevel, e.Packet, e.TopicName = journal.LevelError, "PUBLISH", name
	c.gateway.record(e)
}

// noteDropped records deliveries that the connection did not get.
func (c *conn) noteDropped(name, reason, cause string) {
	e := c.entry(journal.PublishOut)
	e.Status, e.LogLevel, e.Packet, e.TopicName = journal.Failure, journal.LevelError, "PUBLISH", name
	e.Reason, e.Cause = reason, cause
	c.gateway.record(e)
}

// reasoned is an error with the journal's name for it.
type reasoned struct {
	reason string
	err    error
}

func (r *reasoned) Error() string { return r.err.Error() }
func (r *reasoned) Unwrap() error { return r.err }
