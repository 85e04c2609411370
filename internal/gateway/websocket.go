package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// webSocket is what a connection over WebSocket has besides: frames around its bytes, a signer, and an end.
type webSocket struct {
	c      *conn
	signer *iam.Identity // whose signature the upgrade had; nil for none, which ends at CONNECT
	until  time.Time     // when it ends at the latest
	life   spoke

	// The reader's.
	in     frames
	before []byte // what was read behind the upgrade, not decoded yet
	full   bool   // the last read filled its buffer
	err    error  // how what comes in has ended

	// Under outbox.mu.
	pong   []byte        // answers the last ping; nil when it was sent
	status ws.StatusCode // of our close frame, 0 for the one that fits the cause
	bye    bool          // the close frame was taken by the writer

	single bool // one packet in a frame; for the writer
}

// errClientClosed is the client's close frame.
var errClientClosed = errors.New("the client closed the WebSocket")

func newWebSocket(c *conn, signer *iam.Identity, until time.Time, protocol string, before []byte) *webSocket {
	s := &webSocket{c: c, signer: signer, until: until, before: before, single: protocol == protocolMQTT31}
	s.life.c, s.life.why = c, lifetime
	s.in.state = ws.StateServerSide
	s.in.control = s.onControl
	return s
}

// Read implements io.Reader: it gives the bytes of MQTT that the client's frames carry.
func (s *webSocket) Read(p []byte) (int, error) {
	for s.err == nil {
		n, err := s.receive(p)
		s.full = n == len(p)
		data, broken := s.in.decode(p[:n])
		if s.err = err; broken != nil {
			s.end(broken)
		}
		if data > 0 {
			return data, nil
		}
	}
	return 0, s.err
}

// end notes that nothing more is decoded.
func (s *webSocket) end(err error) {
	s.err = err
	if e, ok := errors.AsType[*frameError](err); ok {
		s.c.out.closeWith(e.status)
	}
}

func (s *webSocket) receive(p []byte) (int, error) {
	if len(s.before) == 0 {
		return s.c.net.Read(p)
	}
	n := copy(p, s.before)
	if s.before = s.before[n:]; len(s.before) == 0 {
		s.before = nil
	}
	return n, nil
}

// onControl acts on a control frame: a ping is answered at once, a close ends the connection.
func (s *webSocket) onControl(op ws.OpCode, payload []byte) error {
	switch op { //nolint:exhaustive // data never comes here, a pong needs no answer
	case ws.OpPing:
		s.c.out.pong(payload)
	case ws.OpClose:
		status, reason := readClose(payload)
		s.c.out.closeWith(status)
		return closeError{status, reason}
	}
	return nil // a pong that nobody asked for needs no answer (RFC 6455, section 5.5.3)
}

// closeError is errClientClosed with what the client's close frame said.
type closeError struct {
	status ws.StatusCode
	reason string
}

func (e closeError) Error() string {
	text := errClientClosed.Error()
	if e.status != ws.StatusNoStatusRcvd {
		text += " (status " + strconv.Itoa(int(e.status)) + ")"
	}
	if e.reason != "" {
		text += ": " + e.reason
	}
	return text
}

func (closeError) Unwrap() error { return errClientClosed }

// lostFrames notes the end that a client's frames brought, false when it was not they. A close frame is the client's own
// goodbye: its will is not published (message broker reference, "Last Will").
func (c *conn) lostFrames(err error) bool {
	if errors.Is(err, errClientClosed) {
		if c.cause.Load() == nil { // else it answers our own
			c.setCause(broker.Cause{Reason: broker.ClientInitiated, Text: err.Error()})
			c.session.Disconnect(nil)
		}
		return true
	}
	broken, ok := errors.AsType[*frameError](err)
	if ok {
		c.fail(clientError(mqtt.CodeProtocolError, broken.text))
	}
	return ok
}

// pong answers a ping before all else. Of several that wait only the last one is answered (RFC 6455, section 5.5.3).
func (o *outbox) pong(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	o.c.ws.pong = appendFrame(nil, ws.OpPong, payload)
	o.start()
}

// closeWith sets the status of the close frame that ends the connection, unless there is one.
func (o *outbox) closeWith(status ws.StatusCode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.c.ws.status == 0 {
		o.c.ws.status = status
	}
}

// farewell lets the writer send the close frame of a WebSocket whose end no packet brought.
func (o *outbox) farewell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.c.ws == nil || o.ending {
		return
	}
	o.over, o.ending = true, true
	o.dropBlocks()
	o.ease()
	o.start()
}

// takeFrames gives the control frames that may be sent now: a pong before all else, and at the very end, behind the last
// packet, the close frame. Under outbox.mu.
func (s *webSocket) takeFrames(ending bool) (pong, bye []byte) {
	if s == nil {
		return nil, nil
	}
	pong, s.pong = s.pong, nil
	if ending && !s.bye {
		s.bye = true
		bye = s.closeFrame()
	}
	return pong, bye
}

func (s *webSocket) closeFrame() []byte {
	status := s.status
	if status == 0 {
		status = ws.StatusNormalClosure
		if cause := s.c.cause.Load(); cause != nil && cause.Code == byte(mqtt.CodeServerShuttingDown) {
			status = ws.StatusGoingAway
		}
	}
	if status == ws.StatusNoStatusRcvd { // a close frame without a status is answered with one
		return appendFrame(nil, ws.OpClose, nil)
	}
	return appendFrame(nil, ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(status)))
}

// ponging reports whether a pong waits. Under outbox.mu.
func (s *webSocket) ponging() bool { return s != nil && s.pong != nil }

// framing is the memory that one write needs for its frames.
type framing struct {
	iov   net.Buffers
	heads headWriter
	spare [ws.MaxHeaderSize]byte
}

var framingPool = sync.Pool{New: func() any { return new(framing) }}

// frame puts frames around what one write takes: a head before each buffer, or before each packet for a client that
// needs that. The payloads are not copied.
func (f *framing) frame(s *webSocket, out *outgoing) net.Buffers {
	f.iov, f.heads = f.iov[:0], f.heads[:0]
	if out.pong != nil {
		f.iov = append(f.iov, out.pong)
	}
	for _, b := range out.bufs {
		for len(b) > 0 {
			n := s.cut(b)
			f.iov = append(f.iov, f.binaryHead(n), b[:n])
			b = b[n:]
		}
	}
	if out.bye != nil {
		f.iov = append(f.iov, out.bye)
	}
	return f.iov
}

// release gives the memory back once the write is done.
func (f *framing) release() {
	clear(f.iov)
	framingPool.Put(f)
}

// cut is how much of some packets goes into one frame. The AWS IoT Device SDK v1 for Python keeps the packets behind the
// first one of a frame in a buffer that it looks at again only when its socket has more to read: it would see a message
// that came with an acknowledgement minutes later.
func (s *webSocket) cut(packets []byte) int {
	if !s.single {
		return len(packets)
	}
	_, n, err := mqtt.Next(packets, 0)
	if n == 0 || err != nil {
		return len(packets)
	}
	return n
}

// binaryHead is the head of a frame of so many bytes.
func (f *framing) binaryHead(size int) []byte {
	at := len(f.heads)
	writeHead(&f.heads, ws.OpBinary, size, f.spare[:])
	return f.heads[at:]
}

// headWriter takes heads. What it has given away stays as it is when it grows.
type headWriter []byte

// Write implements io.Writer.
func (w *headWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

func writeHead(w io.Writer, op ws.OpCode, size int, scratch []byte) {
	_ = ws.WriteHeaderBuffer(w, ws.Header{Fin: true, OpCode: op, Length: int64(size)}, scratch) // memory takes it all
}

// appendFrame appends a whole frame of the server's.
func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	w := headWriter(dst)
	writeHead(&w, op, len(payload), make([]byte, ws.MaxHeaderSize))
	return append(w, payload...)
}
