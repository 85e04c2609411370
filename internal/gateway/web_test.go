package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// withKeys is a rig with access keys.
func withKeys(r *rig, _ *broker.Limits) {
	s := mem.New()
	var err error
	r.keys, err = iam.Open(r.t.Context(), iam.Config{Store: s, Key: iam.NewKey()})
	must(r.t, err)
	r.guard = awsapi.NewGuard(r.keys)
	r.closeKeys = func() {
		r.keys.Close()
		must(r.t, s.Close())
	}
}

// signer is a user with an access key and one policy.
type signer struct {
	sigv4.Signer
	user string
	key  iam.AccessKey
}

// signer makes a user that may do what a policy says.
func (r *rig) signer(policy string) *signer {
	r.t.Helper()
	ctx := r.t.Context()
	_, err := r.keys.CreateUser(ctx, "bob")
	must(r.t, err)
	must(r.t, r.keys.PutUserPolicy(ctx, "bob", "own", policy))
	key, secret, err := r.keys.CreateAccessKey(ctx, "bob")
	must(r.t, err)
	return &signer{
		Signer: sigv4.Signer{AccessKeyID: key.ID, Secret: secret.Reveal(), Region: "eu-central-1", Service: "iotdevicegateway"},
		user:   "bob", key: key,
	}
}

// session is the user with temporary credentials.
func (r *rig) session(s *signer, lasts time.Duration) *signer {
	r.t.Helper()
	id, err := r.keys.Identify(r.t.Context(), s.AccessKeyID, "")
	must(r.t, err)
	session, err := r.keys.SessionToken(r.t.Context(), id, lasts)
	must(r.t, err)
	own := *s
	own.AccessKeyID, own.Secret, own.Token = session.AccessKeyID, session.Secret.Reveal(), session.Token.Reveal()
	return &own
}

// nobody signs nothing.
var nobody *signer

// address is the signed address of an upgrade; without a signer it is not signed.
func (s *signer) address() *url.URL {
	u := &url.URL{Scheme: "ws", Host: "localhost", Path: mqttPath}
	if s == nil {
		return u
	}
	return s.Presign(u, time.Now(), time.Hour)
}

// piped is the client's end of a connection on which the first look has found HTTP, on listener api.
func (r *rig) piped() net.Conn { return r.pipedOn(API) }

func (r *rig) pipedOn(kind Kind) net.Conn {
	near, far := net.Pipe()
	go r.gateway.http.take(&replayConn{Conn: far, gateway: r.gateway, peer: &Peer{Listener: kind, raw: far}})
	return near
}

// web is a client over WebSocket whose frames Gorilla's library makes and reads.
func (r *rig) web(s *signer) *client {
	r.t.Helper()
	c := newClient(r.t, r.overWebSocket(r.piped(), s, protocolMQTTName))
	c.listen()
	return c
}

// joinWeb is a connected client over WebSocket.
func (r *rig) joinWeb(s *signer, v byte, id string) *client {
	r.t.Helper()
	c := r.web(s)
	c.hello(v, hello{id: id, clean: true})
	return c
}

// overWebSocket upgrades a connection.
func (r *rig) overWebSocket(nc net.Conn, s *signer, protocol string) *framed {
	r.t.Helper()
	dialer := websocket.Dialer{
		NetDial: func(string, string) (net.Conn, error) { return nc, nil }, Subprotocols: []string{protocol},
	}
	u := *s.address()
	u.Scheme = "ws"                                                       // what is below is there already
	conn, resp, err := dialer.DialContext(r.t.Context(), u.String(), nil) //nolint:bodyclose // an upgrade has none
	must(r.t, err)
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != protocol {
		r.t.Errorf("sub-protocol %q", got)
	}
	return &framed{Conn: nc, ws: conn}
}

// framed is a connection whose bytes go in frames, one for each write.
type framed struct {
	net.Conn
	ws    *websocket.Conn
	frame io.Reader
	sizes []int // of the frames that came, for those who ask
}

func (f *framed) Read(p []byte) (int, error) {
	for {
		if f.frame == nil {
			kind, frame, err := f.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("not a binary frame")
			}
			f.frame = frame
			f.sizes = append(f.sizes, 0)
		}
		n, err := f.frame.Read(p)
		f.sizes[len(f.sizes)-1] += n
		if errors.Is(err, io.EOF) {
			f.frame = nil
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (f *framed) Write(p []byte) (int, error) {
	return len(p), f.ws.WriteMessage(websocket.BinaryMessage, p)
}

// upgrade sends the text of an upgrade as it is, and gives the answer and the connection behind it.
func upgraded(t testing.TB, nc net.Conn, lines ...string) (*answered, *bufio.Reader) {
	t.Helper()
	must(t, nc.SetReadDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(nc, strings.Join(lines, "\r\n")+"\r\n\r\n")
	must(t, err)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet}) //nolint:bodyclose // it is the connection
	must(t, err)
	must(t, nc.SetReadDeadline(time.Time{}))
	return &answered{resp.StatusCode, resp.Header, resp.Body, resp.ContentLength}, br
}

// answered is a response whose body is the connection.
type answered struct {
	StatusCode    int
	Header        http.Header
	Body          io.Reader
	ContentLength int64
}

// asked is an upgrade as most clients send it.
func asked(u *url.URL, more ...string) []string {
	return append([]string{
		"GET " + u.RequestURI() + " HTTP/1.1", "Host: " + u.Host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt",
	}, more...)
}

// row is one row of a table in a bubble, where there are no subtests.
func row(t testing.TB, name string, fn func(testing.TB)) {
	t.Helper()
	fn(named{t, name})
}

type named struct {
	testing.TB
	name string
}

func (n named) Errorf(format string, args ...any) {
	n.Helper()
	n.TB.Errorf(n.name+": "+format, args...)
}

func (n named) Fatal(args ...any) {
	n.Helper()
	n.TB.Fatal(append([]any{n.name + ": "}, args...)...)
}
