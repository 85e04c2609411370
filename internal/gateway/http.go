package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleTimeout is how long a kept-alive connection may wait for its next request.
const idleTimeout = 120 * time.Second

// httpDoor serves HTTP on sockets that the first look has found to speak it.
type httpDoor struct {
	server *http.Server
	conns  chan net.Conn
	quit   chan struct{}
	once   sync.Once
	done   chan struct{}
}

func newHTTPDoor(g *Gateway, h http.Handler) *httpDoor {
	if h == nil {
		h = http.HandlerFunc(notThere)
	}
	h = g.overWebSocket(h)
	d := &httpDoor{conns: make(chan net.Conn), quit: make(chan struct{}), done: make(chan struct{})}
	d.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if r, ok := c.(*replayConn); ok {
				ctx = context.WithValue(ctx, peerKey{}, r.peer)
			}
			return ctx
		},
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(d.done)
		_ = d.server.Serve(d) // it always ends with ErrServerClosed
	}()
	return d
}

// notThere answers what Thingwire does not have, in AWS's shape.
func notThere(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-ErrorType", "NotImplementedException")
	w.WriteHeader(http.StatusNotImplemented)
	_, _ = w.Write([]byte(`{"message":"Thingwire does not answer HTTP requests on this listener yet; see docs/compatibility.md"}` + "\n")) // the client is gone
}

// take hands a socket to the server. The server never sees a bare *tls.Conn: it closes ALPN names it does not know.
func (d *httpDoor) take(c *replayConn) {
	select {
	case d.conns <- c:
	case <-d.quit:
		_ = c.Close() // the end
	}
}

// Accept implements net.Listener.
func (d *httpDoor) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.quit:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *httpDoor) Close() error {
	d.once.Do(func() { close(d.quit) })
	return nil
}

// Addr implements net.Listener.
func (d *httpDoor) Addr() net.Addr { return &net.TCPAddr{} }

func (d *httpDoor) shutdown(ctx context.Context) error {
	err := d.server.Shutdown(ctx)
	if err != nil {
		_ = d.server.Close() // those who would not end in time
	}
	_ = d.Close() // never fails
	<-d.done
	return err
}
