package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
)

// TestEveryCloseHasACause is the invariant: however a connection ends, the journal has exactly one entry of it, which
// names the client, the reason in AWS's words, the packet that brought it if one did, and the cause in words. A CONNECT
// that is refused has one as well.
func TestEveryCloseHasACause(t *testing.T) {
	type end struct {
		name   string
		event  string
		reason string
		packet string
		do     func(r *rig, c *client)
	}
	for _, tt := range []end{
		{"DISCONNECT", journal.Disconnect, "CLIENT_INITIATED_DISCONNECT", "DISCONNECT", func(_ *rig, c *client) { c.send(disconnect()) }},
		{"socket closed", journal.Disconnect, "CONNECTION_LOST", "", func(_ *rig, c *client) { c.hangUp() }},
		{"silence", journal.Disconnect, "MQTT_KEEP_ALIVE_TIMEOUT", "", func(*rig, *client) { pass(time.Hour) }},
		{"broken PUBLISH", journal.Disconnect, "CLIENT_ERROR", "PUBLISH", func(_ *rig, c *client) { c.say(frame(0x30, str("a/+"), []byte{0})) }},
		{"broken SUBSCRIBE", journal.Disconnect, "CLIENT_ERROR", "SUBSCRIBE", func(_ *rig, c *client) { c.say(frame(0x82, u16(0), []byte{0})) }},
		{"packet over the limit", journal.Disconnect, "CLIENT_ERROR", "PUBLISH", func(_ *rig, c *client) { c.say([]byte{0x30, 0xFF, 0xFF, 0x7F}) }},
		{"second CONNECT", journal.Disconnect, "CLIENT_ERROR", "CONNECT", func(_ *rig, c *client) { c.say(hello{id: "x"}.bytes(c.version)) }},
		{"denied PUBLISH", journal.Disconnect, "AUTH_ERROR", "PUBLISH", func(_ *rig, c *client) { c.send(c.publish("no", "", 0, 0)) }},
		{"taken over", journal.Disconnect, "DUPLICATE_CLIENTID", "", func(r *rig, c *client) { r.join(c.version, "c") }},
		{"shutdown", journal.Disconnect, "SERVER_INITIATED_DISCONNECT", "", func(r *rig, _ *client) { r.shutdown() }},
	} {
		for _, v := range []byte{3, 5} {
			t.Run(fmt.Sprint(v, " ", tt.name), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					c := r.joinAs(r.device(document(
						statement("Allow", "Connect", "*"), statement("Allow", "Publish", "topic/a"), statement("Allow", "Subscribe", "*"),
					)), v, "c")
					synctest.Wait()
					tt.do(r, c)
					synctest.Wait()
					var ends []journal.Entry
					for _, e := range r.journal.Query(journal.Query{ClientID: "c"}) {
						if e.EventType == journal.Disconnect {
							ends = append(ends, e)
						}
					}
					if len(ends) != 1 {
						t.Fatalf("%d entries", len(ends))
					}
					e := ends[0]
					if e.DisconnectReason != tt.reason || e.Packet != tt.packet || e.Cause == "" || e.Reason == journal.ReasonServerError || e.ClientID != "c" || e.PrincipalID == "" {
						t.Errorf("got %+v", e)
					}
				})
			})
		}
	}
}

// TestEveryRefusedConnectHasACause: also those that a 3.1.1 client hears nothing of, and those that never became MQTT.
func TestEveryRefusedConnectHasACause(t *testing.T) {
	for name, first := range map[string][]byte{
		"bad id":       hello{id: "$c"}.bytes(3),
		"level 9":      frame(0x10, str("MQTT"), []byte{9, 2, 0, 0}, str("c")),
		"not CONNECT":  pingreq(),
		"broken":       {0x10, 0xFF, 0xFF, 0xFF, 0xFF},
		"cut off":      {0x10, 20, 0, 4},
		"nothing":      nil,
		"bad property": frame(0x10, str("MQTT"), []byte{5, 2, 0, 0, 2, 0x7E, 1}, str("c")),
	} {
		bubble(t, func(t *testing.T, r *rig) {
			c := r.dial()
			c.say(first)
			synctest.Wait()
			_ = c.nc.Close()
			synctest.Wait()
			found := 0
			for _, e := range r.journal.Query(journal.Query{Failures: true}) {
				if e.Cause != "" && e.Reason != "" {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s: %d entries", name, found)
			}
		})
	}
}
