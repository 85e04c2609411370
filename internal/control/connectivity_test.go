package control

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/broker"
)

func TestGetThingConnectivityData(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"on", "off", "away", "never"} {
		w.ok("POST", "/things/"+name, "")
	}
	socket := broker.Socket{
		Source: netip.MustParseAddrPort("203.0.113.5:50001"), Target: netip.MustParseAddrPort("[2001:db8::1]:8883"), KeepAlive: time.Minute,
	}
	clients := map[string]broker.ConnectionInfo{
		"on": {ClientID: "on", Connected: true, CleanSession: true, Socket: socket, Since: 1_790_000_000_250},
		"off": {
			ClientID: "off", SessionExpiry: time.Hour, Socket: socket, Since: 1_790_000_001_000, Reason: broker.DuplicateClientID,
		},
		"away": {ClientID: "away", SessionExpiry: time.Hour}, // known by its persistent session alone
	}
	w.handler.cfg.Connectivity = func(id string) (broker.ConnectionInfo, bool) {
		info, ok := clients[id]
		return info, ok
	}
	session := func(more map[string]any) map[string]any {
		out := map[string]any{"cleanSession": false, "sessionExpiry": 3600.0, "keepAliveDuration": 60.0, "connected": false}
		maps.Copy(out, more)
		return out
	}
	ends := map[string]any{"sourceIp": "203.0.113.5", "sourcePort": 50001.0, "targetIp": "2001:db8::1", "targetPort": 8883.0}
	on := session(map[string]any{
		"thingName": "on", "clientId": "on", "connected": true, "cleanSession": true, "sessionExpiry": 0.0,
		"timestamp": 1790000000.25, "disconnectReason": "NONE",
	})
	off := session(map[string]any{
		"thingName": "off", "clientId": "off", "timestamp": 1790000001.0, "disconnectReason": "DUPLICATE_CLIENTID",
	})
	away := session(map[string]any{"thingName": "away", "clientId": "away"})
	delete(away, "keepAliveDuration")
	for _, c := range []struct {
		thing, body string
		want        []map[string]any
	}{
		{"on", "", []map[string]any{on}},
		{"on", `{"includeSocketInformation":false}`, []map[string]any{on}},
		{"on", `{"includeSocketInformation":true}`, []map[string]any{on, ends}},
		{"off", "", []map[string]any{off}},
		{"off", `{"includeSocketInformation":true}`, []map[string]any{off, ends}},
		{"away", `{"includeSocketInformation":true}`, []map[string]any{away}},
		{"never", `{"includeSocketInformation":true}`, []map[string]any{{"thingName": "never", "connected": false}}},
	} {
		want := map[string]any{}
		for _, part := range c.want {
			maps.Copy(want, part)
		}
		if diff := cmp.Diff(want, w.ok("POST", "/things/"+c.thing+"/connectivity-data", c.body).body); diff != "" {
			t.Errorf("%s %s: %s", c.thing, c.body, diff)
		}
	}
	w.refused(404, "ResourceNotFoundException", "POST", "/things/none/connectivity-data", "")
	w.refused(400, "InvalidRequestException", "POST", "/things/a%20b/connectivity-data", "")
	w.refused(400, "InvalidRequestException", "POST", "/things/on/connectivity-data", `{"includeSocketInformation":"yes"}`)
	w.as([]string{"GetThingConnectivityData", "thing/off"})
	w.ok("POST", "/things/off/connectivity-data", "")
	w.refused(403, "AccessDeniedException", "POST", "/things/on/connectivity-data", "")
}
