package gateway

import (
	"net"
	"sync"
)

// corkConn is the socket under TLS. While it is corked it gathers the records that TLS writes, one by one, and sends
// them with one system call.
type corkConn struct {
	net.Conn

	// turns is set during the handshake: a turn at the processor, which is not kept while the client is waited for.
	turns chan struct{}

	mu     sync.Mutex
	corked bool
	buf    []byte
}

// corkSize is where a corked socket writes all the same.
const corkSize = 64 << 10

var corkPool = sync.Pool{New: func() any {
	b := make([]byte, 0, corkSize+(20<<10))
	return &b
}}

// Read implements net.Conn.
func (c *corkConn) Read(p []byte) (int, error) {
	if c.turns == nil {
		return c.Conn.Read(p)
	}
	<-c.turns
	n, err := c.Conn.Read(p)
	c.turns <- struct{}{}
	return n, err
}

// Write implements net.Conn.
func (c *corkConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.corked {
		c.mu.Unlock()
		return c.Conn.Write(p)
	}
	defer c.mu.Unlock()
	c.buf = append(c.buf, p...)
	if len(c.buf) < corkSize {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	return len(p), err
}

// cork begins to gather.
func (c *corkConn) cork(buf []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked, c.buf = true, buf[:0]
}

// uncork sends what was gathered and gives the memory back.
func (c *corkConn) uncork() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	buf := c.buf
	c.corked, c.buf = false, nil
	if len(buf) == 0 {
		return buf, nil
	}
	_, err := c.Conn.Write(buf)
	return buf, err
}

// send writes what the outbox gave with one system call where it can. It belongs to the connection's writer.
func (c *conn) send(out *outgoing) error {
	bufs := out.bufs
	if c.ws != nil {
		f, _ := framingPool.Get().(*framing)
		defer f.release()
		bufs = f.frame(c.ws, out)
	}
	if len(bufs) == 0 {
		return nil
	}
	if c.cork == nil {
		if len(bufs) == 1 {
			_, err := c.net.Write(bufs[0])
			return err
		}
		c.sending = bufs
		_, err := c.sending.WriteTo(c.net)
		return err
	}
	p, _ := corkPool.Get().(*[]byte)
	c.cork.cork(*p)
	err := c.sendTLS(bufs)
	buf, uerr := c.cork.uncork()
	*p = buf[:0]
	corkPool.Put(p)
	if err != nil {
		return err
	}
	return uerr
}

// recordSize is the most that one TLS record holds.
const recordSize = 16 << 10

var recordPool = sync.Pool{New: func() any { return new([recordSize]byte) }}

// sendTLS writes buffers in full records: each write is at least one, so what is small is put together first. Of what is
// large no more than the beginning of a record is copied.
func (c *conn) sendTLS(bufs net.Buffers) error {
	if len(bufs) == 1 {
		_, err := c.net.Write(bufs[0])
		return err
	}
	record, _ := recordPool.Get().(*[recordSize]byte)
	defer recordPool.Put(record)
	filled := 0
	for _, b := range bufs {
		for len(b) > 0 {
			if filled == 0 && len(b) >= recordSize {
				whole := len(b) - len(b)%recordSize
				if _, err := c.net.Write(b[:whole]); err != nil {
					return err
				}
				b = b[whole:]
				continue
			}
			n := copy(record[filled:], b)
			b = b[n:]
			if filled += n; filled < recordSize {
				continue
			}
			filled = 0
			if _, err := c.net.Write(record[:]); err != nil {
				return err
			}
		}
	}
	if filled == 0 {
		return nil
	}
	_, err := c.net.Write(record[:filled])
	return err
}
