package device

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gobwas/ws"
)

// UpgradeError says that a server did not make a WebSocket of a connection.
type UpgradeError struct {
	Status  int    // of HTTP
	Name    string // what AWS calls the error, may be empty
	Message string // in the server's words, may be empty
}

// Error is one line.
func (e *UpgradeError) Error() string {
	s := fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Name != "" {
		s += ", " + e.Name
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// mqttProtocol is the subprotocol of MQTT over WebSocket [MQTT-6.0.0-3].
const mqttProtocol = "mqtt"

// upgrade makes a WebSocket of a connection.
func (d *Dialer) upgrade(ctx context.Context, conn net.Conn) (net.Conn, error) {
	host := d.Endpoint
	if d.port() != sharedPort {
		host = d.Address()
	}
	address, err := d.Presign(&url.URL{Scheme: "wss", Host: host, Path: "/mqtt"})
	if err != nil {
		return nil, err
	}
	defer bound(ctx, conn)()
	var refused error
	dialer := ws.Dialer{
		Protocols:     []string{mqttProtocol},
		OnStatusError: func(status int, _ []byte, resp io.Reader) { refused = readRefusal(status, resp) },
	}
	in, agreed, err := dialer.Upgrade(conn, address)
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("the connection did not become a WebSocket: %w", err)
	}
	if agreed.Protocol != mqttProtocol {
		return nil, errors.New("the server does not speak MQTT over WebSocket: it chose no subprotocol") // [MQTT-6.0.0-4]
	}
	if in == nil {
		in = bufio.NewReader(conn)
	}
	return newSocket(conn, in), nil
}

// readRefusal reads an answer that is no upgrade, as AWS's services write it.
func readRefusal(status int, resp io.Reader) error {
	refused := &UpgradeError{Status: status}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(resp, maxAnswer)), nil)
	if err != nil {
		return refused // the status is all there is
	}
	defer answer.Body.Close()
	refused.Name, _, _ = strings.Cut(answer.Header.Get("X-Amzn-Errortype"), ":")
	// Only as much as is announced: a connection that stays open has no end.
	body := make([]byte, min(max(answer.ContentLength, 0), maxAnswer))
	if _, err := io.ReadFull(answer.Body, body); err != nil {
		return refused
	}
	var said struct{ Message string }
	if json.Unmarshal(body, &said) == nil {
		refused.Message = said.Message
	}
	return refused
}

var errText = errors.New("the server sent a text frame, which MQTT has none of") // [MQTT-6.0.0-1]

// maxControl is the longest payload of a control frame (RFC 6455, section 5.5).
const maxControl = 125

// readHeader reads the header of a frame from a server, and refuses what one must not send.
func readHeader(in io.Reader) (ws.Header, error) {
	h, err := ws.ReadHeader(in)
	switch {
	case err != nil:
		return h, err
	case h.Masked || h.Rsv != 0:
		return h, errors.New("the server broke the WebSocket protocol: a frame that is masked or extended")
	case h.Length < 0 || h.OpCode.IsControl() && (h.Length > maxControl || !h.Fin):
		return h, errors.New("the server broke the WebSocket protocol: a control frame that is too long")
	case h.OpCode == ws.OpText:
		return h, errText
	case h.OpCode.IsReserved():
		return h, fmt.Errorf("the server broke the WebSocket protocol: a frame of kind %d", h.OpCode)
	}
	return h, nil
}

// appendFrame appends a whole masked frame, as a client must send it (RFC 6455, section 5.3).
func appendFrame(dst *bytes.Buffer, op ws.OpCode, payload []byte) error {
	h := ws.Header{Fin: true, OpCode: op, Masked: true, Mask: ws.NewMask(), Length: int64(len(payload))}
	if err := ws.WriteHeader(dst, h); err != nil {
		return err
	}
	start := dst.Len()
	dst.Write(payload)
	ws.Cipher(dst.Bytes()[start:], h.Mask, 0)
	return nil
}
