package gateway

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// replayConn is a socket as net/http has it. It gives back what the first look has read, carries what an upgrade needs,
// and says in AWS's shape what net/http refuses by itself.
type replayConn struct {
	net.Conn
	cork    *corkConn // under TLS, nil without
	peer    *Peer
	gateway *Gateway
	first   []byte
}

// Read implements net.Conn.
func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *replayConn) Write(p []byte) (int, error) {
	if status, words, ok := ownAnswer(p); ok {
		if _, err := c.Conn.Write(c.refuse(status, words)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// ownErrorHeaders is how net/http ends the header of an answer that it gives before any handler is asked: to a request
// that it cannot read. No answer of a handler looks like this: it has a date.
var ownErrorHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// ownAnswer takes apart an answer that net/http gives by itself: "400 Bad Request: …" in its status line and body, in one
// write. SDKs cannot read it.
func ownAnswer(p []byte) (status int, words string, ok bool) {
	const version = "HTTP/1.1 "
	if len(p) < len(version)+4 || p[len(version)] < '4' || !bytes.HasPrefix(p, []byte(version)) {
		return 0, "", false
	}
	line, body, ok := bytes.Cut(p, ownErrorHeaders)
	if !ok || bytes.IndexByte(line, '\n') >= 0 {
		return 0, "", false
	}
	if _, err := fmt.Sscanf(string(line[len(version):]), "%3d", &status); err != nil {
		return 0, "", false
	}
	words = strings.TrimSpace(strings.TrimPrefix(string(body), fmt.Sprint(status)))
	return status, words, true
}

// refuse is the answer instead, which the journal knows by its request id.
func (c *replayConn) refuse(status int, words string) []byte {
	trace := uuid.NewString()
	err := fault.New(fault.Invalid, "the request is not HTTP as it should be: %s", words).
		WithRemedy("send HTTP/1.1 with a Host, at most 16 KiB of headers, and each odd byte of the path as %% and two hexadecimal digits")
	f := awsapi.DataKinds.FailureOf(err, trace)
	f.TraceID = trace
	e := journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: trace,
		Listener: string(c.peer.Listener), ServerName: c.peer.Domain,
	}
	e.Because(err)
	c.peer.Locate(&e)
	c.gateway.record(e)
	body := f.Body()
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nx-amzn-ErrorType: %s\r\nx-amzn-RequestId: %s\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), f.Name, trace, len(body), body)
}
