package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"
)

// TestConnack is the answer that AWS IoT Core gives, property for property (message broker reference, "CONNACK on MQTT
// 5"): clients of its SDKs check it.
func TestConnack(t *testing.T) {
	always := func(more packets.Properties) *packets.Properties {
		p := more
		p.ReceiveMaximum, p.MaximumQOS, p.RetainAvailable = new(uint16(100)), new(byte(1)), new(byte(1))
		p.MaximumPacketSize, p.TopicAliasMaximum = new(uint32(149504)), new(uint16(8))
		p.WildcardSubAvailable, p.SubIDAvailable, p.SharedSubAvailable = new(byte(1)), new(byte(0)), new(byte(1))
		return &p
	}
	for _, tt := range []struct {
		name      string
		keepAlive uint16
		props     *packets.Properties
		want      *packets.Properties
	}{
		{"plain", 60, nil, always(packets.Properties{ServerKeepAlive: new(uint16(60))})},
		{"no keep-alive", 0, nil, always(packets.Properties{ServerKeepAlive: new(uint16(1200))})},
		{"short keep-alive", 6, nil, always(packets.Properties{ServerKeepAlive: new(uint16(30))})},
		{"long keep-alive", 65535, nil, always(packets.Properties{ServerKeepAlive: new(uint16(1200))})},
		{
			"expiry", 1000,
			&packets.Properties{SessionExpiryInterval: new(uint32(600))},
			always(packets.Properties{ServerKeepAlive: new(uint16(1000)), SessionExpiryInterval: new(uint32(600))}),
		},
		{
			"expiry never", 60,
			&packets.Properties{SessionExpiryInterval: new(uint32(0xFFFFFFFF))},
			always(packets.Properties{ServerKeepAlive: new(uint16(60)), SessionExpiryInterval: new(uint32(604_800))}),
		},
		{
			"expiry 0", 60,
			&packets.Properties{SessionExpiryInterval: new(uint32(0))},
			always(packets.Properties{ServerKeepAlive: new(uint16(60)), SessionExpiryInterval: new(uint32(0))}),
		},
		{
			"everything asked for", 60,
			&packets.Properties{
				RequestResponseInfo: new(byte(1)), RequestProblemInfo: new(byte(1)), TopicAliasMaximum: new(uint16(9)),
				User: []packets.User{{Key: "a", Value: "b"}},
			},
			always(packets.Properties{ServerKeepAlive: new(uint16(60))}),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				c := r.dial()
				c.version = 5
				c.send(hello{id: "c", clean: true, keepAlive: tt.keepAlive, props: tt.props}.bytes(5))
				f := c.next()
				if got := c.describe(f); got != "CONNACK 00 present=false" {
					t.Fatal(got)
				}
				if diff := cmp.Diff(tt.want, properties(t, f)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestAssignedClientID: an empty id on 5 gets one that the client is told, of the form that AWS gives.
func TestAssignedClientID(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		seen := map[string]bool{}
		for range 3 {
			c := r.dial()
			c.version = 5
			c.send(hello{clean: true}.bytes(5))
			id := properties(t, c.next()).AssignedClientID
			if !strings.HasPrefix(id, "$GEN/") || len(id) != len("$GEN/")+36 || seen[id] {
				t.Errorf("assigned %q", id)
			}
			seen[id] = true
		}
		// On 3.1.1 the client is not told, and two of them do not take each other over.
		a, b := r.join(3, ""), r.join(3, "")
		a.ping()
		b.ping()
	})
}

// TestRequestProblemInformation: a client that wants no reason strings gets none, on any packet.
func TestRequestProblemInformation(t *testing.T) {
	for _, wants := range []byte{0, 1} {
		bubble(t, func(t *testing.T, r *rig) {
			d := r.device(document(statement("Allow", "Connect", "*")))
			check := func(f []byte, prefix string) {
				t.Helper()
				reason := properties(t, f).ReasonString
				if wants == 0 && reason != "" {
					t.Errorf("got the reason %q unasked", reason)
				}
				if wants == 1 && !strings.HasPrefix(reason, prefix+":") {
					t.Errorf("reason %q does not begin with %s", reason, prefix)
				}
			}
			props := &packets.Properties{RequestProblemInfo: new(wants)}
			c := r.dialAs(d)
			c.hello(5, hello{id: "c", clean: true, props: props})
			c.send(c.publish("a", "", 1, 1))
			check(c.next(), "PUBACK")
			c.send(c.subscribe(1, 0, "a"))
			check(c.next(), "SUBACK")
			c.send(c.publish("a", "", 0, 0))
			check(c.next(), "DISCONNECT")

			c = r.dial()
			c.send(hello{id: "$c", clean: true, props: props}.bytes(5))
			check(c.next(), "CONNACK")
		})
	}
}

// TestKeepAlive: the interval is clamped as AWS does, a client that is silent for one and a half times of it is
// disconnected, and any packet counts [MQTT-3.1.2-22].
func TestKeepAlive(t *testing.T) {
	for _, v := range []byte{3, 5} {
		for asked, used := range map[uint16]int{0: 1200, 1: 30, 29: 30, 30: 30, 100: 100, 1200: 1200, 1201: 1200, 65535: 1200} {
			t.Run(fmt.Sprintf("%d %d s", v, asked), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					limit := time.Duration(used) * time.Second * 3 / 2
					c := r.dial()
					c.hello(v, hello{id: "c", clean: true, keepAlive: asked})
					for range 3 {
						pass(limit - time.Second)
						c.ping()
					}
					pass(limit - time.Second)
					c.wantSeen()
					pass(3 * time.Second)
					c.wantSeen(answer(v, "8d")...)
					if len(r.book.find("MQTT_KEEP_ALIVE_TIMEOUT")) != 1 {
						t.Error("the close has no cause")
					}
				})
			})
		}
	}
}

// TestConnectTimeout: who does not send CONNECT within 30 s is not waited for.
func TestConnectTimeout(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		silent, slow := r.dial(), r.dial()
		slow.send([]byte{0x10})
		pass(29 * time.Second)
		silent.wantSeen()
		slow.send([]byte{60}) // the time counts from the beginning, not from the last byte
		pass(2 * time.Second)
		silent.wantSeen("closed")
		slow.wantSeen("closed")
	})
}

// TestClosedConnectionsLeaveTheWheel: a connection that is over was kept for as long as its keep-alive; a client that
// came back every second cost 1,800 of them.
func TestClosedConnectionsLeaveTheWheel(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for range 10 {
			c := r.join(5, "again")
			c.send(disconnect())
			c.wantSeen("closed")
		}
		r.gateway.wheel.mu.Lock()
		defer r.gateway.wheel.mu.Unlock()
		for i := range r.gateway.wheel.slots {
			if r.gateway.wheel.slots[i] != nil {
				t.Errorf("slot %d is not empty", i)
			}
		}
	})
}

// TestTakeOver: a second CONNECT with the same id wins, the old connection is told why, its will is published.
func TestTakeOver(t *testing.T) {
	for _, tt := range [][2]byte{{3, 3}, {5, 5}, {3, 5}, {5, 3}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				watch := r.join(5, "watch")
				watch.sub(0, "will")
				old := r.dial()
				old.hello(tt[0], hello{id: "same", clean: true, will: &packets.Publish{Topic: "will", Payload: []byte("gone")}})
				now := r.dial()
				now.hello(tt[1], hello{id: "same", clean: true})
				old.wantSeen(answer(tt[0], "8e")...)
				watch.wantSeen("PUBLISH will gone")
				now.ping()
				if len(r.book.find("DUPLICATE_CLIENTID")) != 1 {
					t.Error("the close has no cause")
				}
			})
		})
	}
}

// TestTakeOverOfAClientThatDoesNotRead: the new connection does not wait for the old one's socket.
func TestTakeOverOfAClientThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.dialDeaf(nil)
		old.version = 5
		old.send(hello{id: "same", clean: true}.bytes(5))
		synctest.Wait() // else the other one may be the first
		began := time.Now()
		now := r.join(5, "same")
		now.ping()
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited %s", waited)
		}
		pass(2 * lastWords)
		old.listen()
		old.wantSeen("closed")
	})
}

// TestSessionPresent: a stored session belongs to a client id and a version; CONNACK tells the truth about it.
func TestSessionPresent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		keep := &packets.Properties{SessionExpiryInterval: new(uint32(60))}
		connect := func(v byte, clean bool, want string) *client {
			t.Helper()
			c := r.dial()
			c.version = v
			h := hello{id: "c", clean: clean}
			if v == 5 {
				h.props = keep
			}
			c.send(h.bytes(v))
			c.wantSeen(want)
			return c
		}
		connect(5, false, "CONNACK 00 present=false").hangUp()
		connect(5, false, "CONNACK 00 present=true").hangUp()
		connect(3, false, "CONNACK 00 present=false").hangUp()
		connect(5, false, "CONNACK 00 present=true").hangUp()
		connect(5, true, "CONNACK 00 present=false").hangUp()
		pass(61 * time.Second)
		connect(5, false, "CONNACK 00 present=false").hangUp()
		connect(3, false, "CONNACK 00 present=true").hangUp()
	})
}

// TestWill: DISCONNECT takes the will back, but for reason 0x04; every other end publishes it.
func TestWill(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    byte
		end  func(c *client)
		want []string
	}{
		{"DISCONNECT", 3, func(c *client) { c.send(disconnect()) }, []string{}},
		{"DISCONNECT", 5, func(c *client) { c.send(disconnect()) }, []string{}},
		{"DISCONNECT with will", 5, func(c *client) { c.send(frame(0xE0, []byte{4})) }, []string{"PUBLISH will gone"}},
		{"socket closed", 3, func(c *client) { c.hangUp() }, []string{"PUBLISH will gone"}},
		{"socket closed", 5, func(c *client) { c.hangUp() }, []string{"PUBLISH will gone"}},
		{"broken rule", 5, func(c *client) { c.say([]byte{0, 0}) }, []string{"PUBLISH will gone"}},
		{"silence", 3, func(*client) { pass(46 * time.Second) }, []string{"PUBLISH will gone"}},
	} {
		t.Run(fmt.Sprint(tt.v, " ", tt.name), func(t *testing.T) {
			bubble(t, func(_ *testing.T, r *rig) {
				watch := r.join(5, "watch")
				watch.sub(0, "will")
				c := r.dial()
				c.hello(tt.v, hello{
					id: "c", clean: true, keepAlive: 30, will: &packets.Publish{Topic: "will", Payload: []byte("gone")},
				})
				tt.end(c)
				watch.wantSeen(tt.want...)
			})
		})
	}
}
