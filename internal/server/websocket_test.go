package server

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// firstSigner signs with the access key of the first start.
func firstSigner(t *testing.T, s *Server) sigv4.Signer {
	t.Helper()
	key, secret, _, err := s.rooms.guard.Keys().FirstKey(t.Context(), firstUser)
	if err != nil {
		t.Fatal(err)
	}
	return sigv4.Signer{AccessKeyID: key.ID, Secret: secret.Reveal(), Region: "us-east-1", Service: "iotdevicegateway"}
}

// TestMQTTOverWebSocket: the key of the first start opens /mqtt where MQTT over WebSocket is spoken, on the console to no
// page but its own.
func TestMQTTOverWebSocket(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	signer, c := firstSigner(t, s), browser(t, s)
	console := s.Addr("console")
	for _, tt := range []struct {
		listener, host, origin string
		status                 int
	}{
		{"api", "", "", 101},
		{"api", "", "https://dashboard.example", 101},
		{"shared", "", "", 101},
		{"console", "", "", 101},
		{"console", "", "http://" + console, 101},
		{"console", "", "http://evil.example", 403},
		{"console", "rebound.example", "", 403},
		{"https", "", "", 400},
	} {
		u := &url.URL{Scheme: "wss", Host: s.Addr(tt.listener), Path: "/mqtt"}
		if tt.listener == "console" {
			u.Scheme = "ws"
		}
		host := tt.host
		if host == "" {
			host = u.Host
		}
		signed := signer.Presign(&url.URL{Scheme: u.Scheme, Host: host, Path: u.Path}, time.Now(), time.Hour)
		signed.Host = u.Host
		header := http.Header{}
		if tt.origin != "" {
			header.Set("Origin", tt.origin)
		}
		conn, resp, err := websocket.Dial(t.Context(), signed.String(), &websocket.DialOptions{ //nolint:bodyclose // the library closes it
			HTTPClient: c, HTTPHeader: header, Host: tt.host, Subprotocols: []string{"mqtt"},
		})
		if resp == nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		if resp.StatusCode != tt.status {
			t.Errorf("%+v: %d %v", tt, resp.StatusCode, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
	got := series(t, s)
	if got[`thingwire_console_refused_total`] != 2 || got[`thingwire_websockets_total{success}`] != 5 {
		t.Errorf("counted are %v", got)
	}
}

// TestDeletedKeyClosesWebSockets: what the signed API does to a key is felt by the connections of the same server.
func TestDeletedKeyClosesWebSockets(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	signer := firstSigner(t, s)
	u := signer.Presign(&url.URL{Scheme: "wss", Host: s.Addr("api"), Path: "/mqtt"}, time.Now(), time.Hour)
	conn, _, err := websocket.Dial(t.Context(), u.String(), &websocket.DialOptions{HTTPClient: browser(t, s), Subprotocols: []string{"mqtt"}}) //nolint:bodyclose // an upgrade has none
	if err != nil {
		t.Fatal(err)
	}
	nc := websocket.NetConn(t.Context(), conn, websocket.MessageBinary)
	defer func() { _ = nc.Close() }()
	if _, err := nc.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01c")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := nc.Read(buf); err != nil || string(buf[:n]) != "\x20\x02\x00\x00" {
		t.Fatalf("CONNACK: % x %v", buf[:n], err)
	}
	began := time.Now()
	if err := s.rooms.guard.Keys().DeleteAccessKey(t.Context(), firstUser, signer.AccessKeyID); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(buf); err == nil || time.Since(began) > time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
