package device

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ProxyError says that a proxy did not connect us.
type ProxyError struct {
	Proxy  string // host:port
	Status string // its answer, "403 Forbidden"; empty when there was none
	Err    error  // why there was none, or nil
}

// Error is one line.
func (e *ProxyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the proxy %s: %v", e.Proxy, e.Err)
	}
	return fmt.Sprintf("the proxy %s answered %q", e.Proxy, e.Status)
}

// Unwrap gives what lies below.
func (e *ProxyError) Unwrap() error { return e.Err }

// dialProxy makes a tunnel by CONNECT (RFC 9110, section 9.3.6).
func dialProxy(ctx context.Context, proxy, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", proxy)
	if err != nil {
		return nil, &ProxyError{Proxy: proxy, Err: err}
	}
	tunnel, status, err := connectThrough(ctx, conn, address)
	if err == nil && tunnel != nil {
		return tunnel, nil
	}
	_ = conn.Close() // the first error counts
	return nil, &ProxyError{Proxy: proxy, Status: status, Err: err}
}

// connectThrough asks for a tunnel; none comes back where the answer is another status than 200.
func connectThrough(ctx context.Context, conn net.Conn, address string) (tunnel net.Conn, status string, err error) {
	defer bound(ctx, conn)()
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address); err != nil {
		return nil, "", err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, "", err
	}
	_ = resp.Body.Close() // a tunnel has none
	if resp.StatusCode != http.StatusOK {
		return nil, resp.Status, nil
	}
	// The client speaks first inside the tunnel; a proxy that already sent something is kept at its word.
	early := make([]byte, in.Buffered())
	_, _ = io.ReadFull(in, early) // from its buffer
	return &earlyConn{Conn: conn, early: early}, resp.Status, nil
}

// maxAnswer bounds the header of an answer.
const maxAnswer = 64 << 10

// bound makes the connection obey a context until what it returns is called.
func bound(ctx context.Context, conn net.Conn) (release func()) {
	past := time.Unix(1, 0)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // a closed connection has none
	return func() {
		if stop() {
			_ = conn.SetDeadline(time.Time{}) // of nobody else; a closed connection has none
		}
	}
}

// earlyConn gives first what was read too early.
type earlyConn struct {
	net.Conn

	early []byte
}

// Read implements io.Reader.
func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}
