package device

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// socket is a WebSocket as a byte stream: frames end anywhere in MQTT packets [MQTT-6.0.0-2]. One may read and others
// write at the same time; each write is one frame.
type socket struct {
	net.Conn

	in   *bufio.Reader
	left int64 // of the frame that is being read

	mu     sync.Mutex // for what is sent
	out    bytes.Buffer
	closed bool // a close frame was sent; nothing may follow
}

func newSocket(conn net.Conn, in *bufio.Reader) *socket { return &socket{Conn: conn, in: in} }

// Read implements io.Reader. A close frame is the end.
func (s *socket) Read(p []byte) (int, error) {
	for s.left == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

// next reads the header of the next frame, and what is said beside the stream.
func (s *socket) next() error {
	h, err := readHeader(s.in)
	if err != nil {
		return err
	}
	if !h.OpCode.IsControl() {
		s.left = h.Length
		return nil
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return err
	}
	switch h.OpCode { //nolint:exhaustive // data is taken above, a pong needs no answer
	case ws.OpPing:
		return s.send(ws.OpPong, payload)
	case ws.OpClose:
		_ = s.sendClose() // the other side is gone already
		return io.EOF
	}
	return nil
}

// Write implements io.Writer.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.send(ws.OpBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

var errGoodbye = errors.New("the WebSocket is closed")

// largestKept is how much of a buffer is kept for the next frame.
const largestKept = 64 << 10

func (s *socket) send(op ws.OpCode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errGoodbye
	}
	s.closed = op == ws.OpClose
	s.out.Reset()
	if err := appendFrame(&s.out, op, payload); err != nil {
		return err
	}
	_, err := s.Conn.Write(s.out.Bytes())
	if s.out.Cap() > largestKept {
		s.out = bytes.Buffer{}
	}
	return err
}

func (s *socket) sendClose() error {
	err := s.send(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	if errors.Is(err, errGoodbye) {
		return nil
	}
	return err
}

// goodbyeTime is how long Close waits for room for its close frame.
const goodbyeTime = 2 * time.Second

// Close says goodbye and closes the connection.
func (s *socket) Close() error {
	if s.SetWriteDeadline(time.Now().Add(goodbyeTime)) == nil {
		_ = s.sendClose() // whoever does not listen learns it from the connection's end
	}
	return s.Conn.Close()
}
