package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

// lastWords is how long the end of a connection may take once it has begun.
const lastWords = time.Second

// hurry bounds what is still written once the end has begun.
func (c *conn) hurry() {
	_ = c.raw.SetWriteDeadline(time.Now().Add(lastWords)) // a closed socket needs no hurry
}

// shut closes the socket; the reader notices.
func (c *conn) shut() { _ = c.raw.Close() } // nothing is left to lose

// hangUp ends the connection behind its last words. A socket that is closed with bytes it has not read is reset, and a
// reset may overtake what was sent: so this side only stops to write, and linger closes when the client has done so.
// It belongs to the writer.
func (c *conn) hangUp() {
	tcp, ok := c.raw.(*net.TCPConn)
	if !ok {
		c.shut()
		return
	}
	if tc, ok := c.net.(*tls.Conn); ok {
		_ = tc.CloseWrite() // a goodbye that is lost changes nothing
	}
	c.hungUp.Store(true)
	_ = tcp.SetReadDeadline(time.Now().Add(lastWords)) // linger ends at once then
	if tcp.CloseWrite() != nil {
		c.shut()
	}
}

// linger is the end of a connection that was hung up: it waits for the client to close, and takes nothing in.
func (c *conn) linger() {
	if !c.hungUp.Load() {
		return
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(lastWords)) // the copy ends at once then
	_, _ = io.Copy(io.Discard, c.raw)                    // its end is all that it is for
	c.shut()
}
