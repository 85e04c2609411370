package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/eclipse/paho.golang/packets"
	eclipse "github.com/eclipse/paho.golang/paho"

	"github.com/thingwire/thingwire/internal/journal"
)

// wss is the signed address of the api listener.
func (r *rig) wss(s *signer) *url.URL {
	r.t.Helper()
	_, port, err := net.SplitHostPort(r.open(API))
	must(r.t, err)
	return s.Presign(&url.URL{Scheme: "wss", Host: "localhost:" + port, Path: mqttPath}, time.Now(), time.Hour)
}

// TestPahoOverWebSocket: the MQTT 5 client of Eclipse connects over WebSocket and TLS, subscribes, and gets what it
// publishes.
func TestPahoOverWebSocket(t *testing.T) {
	r := newRig(t, withTLS, withKeys)
	cfg, _ := r.tlsConfig(nil)
	nc, err := r.secure(API, cfg)
	must(t, err)
	got := make(chan string, 1)
	m := eclipse.NewClient(eclipse.ClientConfig{
		Conn: packets.NewThreadSafeConn(r.overWebSocket(nc.nc, r.signer(allowAll), protocolMQTTName)), ClientID: "paho",
		OnPublishReceived: []func(eclipse.PublishReceived) (bool, error){func(p eclipse.PublishReceived) (bool, error) {
			got <- string(p.Packet.Payload)
			return true, nil
		}},
	})
	_, err = m.Connect(t.Context(), &eclipse.Connect{ClientID: "paho", KeepAlive: 30, CleanStart: true})
	must(t, err)
	_, err = m.Subscribe(t.Context(), &eclipse.Subscribe{Subscriptions: []eclipse.SubscribeOptions{{Topic: "a/+", QoS: 1}}})
	must(t, err)
	text := strings.Repeat("large", 20_000)
	_, err = m.Publish(t.Context(), &eclipse.Publish{Topic: "a/b", QoS: 1, Payload: []byte(text)})
	must(t, err)
	if <-got != text {
		t.Error("another message came")
	}
	must(t, m.Disconnect(&eclipse.Disconnect{}))
}

// TestCoderOverWebSocket: a client whose library is stricter with frames and with the close than others.
func TestCoderOverWebSocket(t *testing.T) {
	r := newRig(t, withTLS, withKeys)
	cfg, _ := r.tlsConfig(nil)
	transport := &http.Transport{TLSClientConfig: cfg}
	defer transport.CloseIdleConnections()
	conn, resp, err := websocket.Dial(t.Context(), r.wss(r.signer(allowAll)).String(), &websocket.DialOptions{ //nolint:bodyclose // an upgrade has none
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"mqttv3.1", "mqtt"},
		CompressionMode: websocket.CompressionContextTakeover,
	})
	must(t, err)
	if conn.Subprotocol() != "mqtt" || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("the answer is %v", resp.Header)
	}
	conn.SetReadLimit(-1)
	c := newClient(t, websocket.NetConn(t.Context(), conn, websocket.MessageBinary))
	c.listen()
	c.hello(5, hello{id: "coder", clean: true})
	c.sub(1, "t")
	c.send(c.publish("t", payload(70_000), 0, 0))
	c.want("PUBLISH t 70000 bytes")
	must(t, conn.Close(websocket.StatusNormalClosure, "bye")) // it waits for our close frame
	c.want("closed")
	r.shutdown() // it waits for the end
	entries := r.journal.Query(journal.Query{ClientID: "coder"})
	if e := entries[len(entries)-1]; e.DisconnectReason != "CLIENT_INITIATED_DISCONNECT" || !strings.Contains(e.Cause, "status 1000): bye") {
		t.Errorf("the journal says %+v", e)
	}
}
