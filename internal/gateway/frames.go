package gateway

import (
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// frames reads a client's WebSocket frames (RFC 6455, section 5) as a stream of bytes: MQTT packets need not begin or
// end where frames do. It decodes in place, whatever cuts a read has made, and keeps no more than a head and the payload
// of one control frame, so that a length that is announced costs nothing.
type frames struct {
	control func(op ws.OpCode, payload []byte) error // called for each control frame; the payload is good until it returns

	state   ws.State
	head    [ws.MaxHeaderSize]byte // what came of a head
	have    int
	header  ws.Header // of the frame whose payload comes
	left    int64     // bytes of it that have not come; meaningful while inside
	inside  bool
	masked  int // bytes of it that came, modulo the mask
	payload [ws.MaxControlFramePayloadSize]byte
	got     int // bytes of it

	source  heads // for the library's reader
	scratch [ws.MaxHeaderSize]byte
}

// frameError is what a client did wrong with its frames, and the status of the close frame that tells it.
type frameError struct {
	status ws.StatusCode
	text   string
}

func (e *frameError) Error() string { return e.text }

// decode decodes what a read gave, in place: the data of the frames is p[:n] then. Behind an error nothing more may be
// decoded; the data before it counts.
func (f *frames) decode(p []byte) (n int, err error) {
	for rest := p; ; {
		if !f.inside {
			if rest, err = f.begin(rest); err != nil || !f.inside {
				return n, err
			}
		}
		part := rest[:min(f.left, int64(len(rest)))]
		rest = rest[len(part):]
		ws.Cipher(part, f.header.Mask, f.masked)
		f.masked = (f.masked + len(part)) % 4
		f.left -= int64(len(part))
		if f.header.OpCode.IsControl() {
			f.got += copy(f.payload[f.got:], part)
		} else {
			n += copy(p[n:], part)
		}
		if f.left > 0 {
			return n, nil
		}
		if err := f.end(); err != nil {
			return n, err
		}
	}
}

// begin takes the head of a frame, or what there is of it.
func (f *frames) begin(p []byte) (rest []byte, err error) {
	for {
		missing := headSize(f.head[:f.have]) - f.have
		if missing == 0 {
			break
		}
		if len(p) == 0 {
			return nil, nil
		}
		took := copy(f.head[f.have:f.have+missing], p)
		f.have += took
		p = p[took:]
	}
	f.source = f.head[:f.have]
	f.have = 0
	if f.header, err = ws.ReadHeaderBuffer(&f.source, f.scratch[:]); err == nil {
		err = ws.CheckHeader(f.header, f.state)
	}
	if err != nil {
		return nil, &frameError{ws.StatusProtocolError, "a broken WebSocket frame: " + err.Error() + " (RFC 6455, section 5)"}
	}
	if f.header.OpCode == ws.OpText {
		return nil, &frameError{ws.StatusUnsupportedData, "a WebSocket text frame: MQTT is sent in binary frames [MQTT-6.0.0-1]"}
	}
	f.inside, f.left, f.masked, f.got = true, f.header.Length, 0, 0
	return p, nil
}

// headSize is how long a head is as far as its first bytes tell.
func headSize(head []byte) int {
	if len(head) < 2 {
		return 2
	}
	n := 2
	switch head[1] & 0x7F {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// end acts on a frame that is whole.
func (f *frames) end() error {
	f.inside = false
	switch {
	case f.header.OpCode.IsControl():
		return f.control(f.header.OpCode, f.payload[:f.got])
	case f.header.Fin:
		f.state = f.state.Clear(ws.StateFragmented)
	default:
		f.state = f.state.Set(ws.StateFragmented)
	}
	return nil
}

// heads is a reader of a head that is whole.
type heads []byte

// Read implements io.Reader.
func (h *heads) Read(p []byte) (int, error) {
	if len(*h) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, *h)
	*h = (*h)[n:]
	return n, nil
}

// readClose says with which status a client's close frame is answered: its own, or what it did wrong
// (RFC 6455, sections 5.5.1 and 7.4).
func readClose(payload []byte) (answer ws.StatusCode, reason string) {
	if len(payload) == 0 {
		return ws.StatusNoStatusRcvd, ""
	}
	code, reason := ws.ParseCloseFrameData(payload)
	switch {
	case !utf8.ValidString(reason):
		return ws.StatusInvalidFramePayloadData, ""
	case ws.CheckCloseFrameData(code, reason) != nil:
		return ws.StatusProtocolError, ""
	}
	return code, reason
}
