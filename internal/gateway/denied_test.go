package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// may is a policy that allows some actions everywhere.
func may(actions ...string) string {
	var all []string
	for _, a := range actions {
		all = append(all, statement("Allow", a, "*"))
	}
	return document(all...)
}

// TestDenied is the table of the message broker reference, "Unauthorised operations": what a client sees when its policy
// refuses. The rights are those of everything but what is denied.
func TestDenied(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy string
		hello  hello
		send   func(c *client) []byte
		v3, v5 []string
		reason string
	}{
		{
			"CONNECT", may("Publish", "Subscribe", "Receive"),
			hello{},
			nil,
			[]string{"closed"},
			[]string{"CONNACK 87 present=false", "closed"},
			"FORBIDDEN_ACCESS",
		},
		{
			"SUBSCRIBE", may("Connect", "Publish", "Receive"),
			hello{},
			func(c *client) []byte { return c.subscribe(7, 1, "a") },
			[]string{"closed"},
			[]string{"SUBACK 7 [87]"},
			"AUTH_ERROR",
		},
		{
			"SUBSCRIBE to one of two", document(statement("Allow", "Connect", "*"), statement("Allow", "Subscribe", "topicfilter/a")),
			hello{},
			func(c *client) []byte { return c.subscribe(7, 1, "a", "b") },
			[]string{"closed"},
			[]string{"SUBACK 7 [01 87]"},
			"AUTH_ERROR",
		},
		{
			"PUBLISH QoS 1", may("Connect", "Subscribe", "Receive"),
			hello{},
			func(c *client) []byte { return c.publish("a", "x", 1, 9) },
			[]string{"closed"},
			[]string{"PUBACK 9 87"},
			"AUTH_ERROR",
		},
		{
			"PUBLISH QoS 0", may("Connect", "Subscribe", "Receive"),
			hello{},
			func(c *client) []byte { return c.publish("a", "x", 0, 0) },
			[]string{"closed"},
			[]string{"DISCONNECT 87", "closed"},
			"AUTH_ERROR",
		},
		{
			"PUBLISH with RETAIN", may("Connect", "Publish"),
			hello{},
			func(c *client) []byte { return c.retained("a", "x", 1, 9) },
			[]string{"closed"},
			[]string{"PUBACK 9 87"},
			"AUTH_ERROR",
		},
		{
			"will", may("Connect"),
			hello{will: &packets.Publish{Topic: "w"}},
			nil,
			[]string{"closed"},
			[]string{"CONNACK 87 present=false", "closed"},
			"FORBIDDEN_ACCESS",
		},
		{
			"will with RETAIN", may("Connect", "Publish"),
			hello{will: &packets.Publish{Topic: "w", Retain: true}},
			nil,
			[]string{"closed"},
			[]string{"CONNACK 87 present=false", "closed"},
			"FORBIDDEN_ACCESS",
		},
		{
			"will on a reserved topic", may("Connect", "Publish"),
			hello{will: &packets.Publish{Topic: "$w"}},
			nil,
			[]string{"closed"},
			[]string{"CONNACK 90 present=false", "closed"},
			"CLIENT_ERROR",
		},
	} {
		for _, v := range []byte{3, 5} {
			t.Run(fmt.Sprint(v, " ", tt.name), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					want := tt.v5
					if v == 3 {
						want = tt.v3
					}
					c := r.dialAs(r.device(tt.policy))
					h := tt.hello
					h.id, h.clean = "c", true
					if tt.send == nil {
						c.version = v
						c.send(h.bytes(v))
					} else {
						c.hello(v, h)
						c.send(tt.send(c))
					}
					c.wantSeen(want...)
					if want[len(want)-1] != "closed" {
						c.ping()
						return
					}
					r.wantCause("c", tt.reason)
				})
			})
		}
	}
}

// TestDeniedReceive: a message that the subscriber may not receive does not arrive; the publisher notices nothing.
func TestDeniedReceive(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(_ *testing.T, r *rig) {
			deaf := r.joinAs(r.device(document(
				statement("Allow", "Connect", "*"), statement("Allow", "Subscribe", "*"), statement("Allow", "Receive", "topic/open/*"),
			)), v, "deaf")
			deaf.sub(1, "#")
			c := r.join(v, "c")
			c.send(c.publish("secret/a", "x", 1, 1), c.publish("open/a", "x", 1, 2))
			c.wantSeen("PUBACK 1", "PUBACK 2")
			deaf.wantSeen("PUBLISH open/a id=1 x")
		})
	}
}

// TestRefusalEndsTheBatch: on 3.1.1 what comes before a refused PUBLISH is kept and acknowledged, what comes behind it is
// not touched: not in the same batch, and not when it was read while the store had yet to finish (DESIGN, "Results are
// per message").
func TestRefusalEndsTheBatch(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		keeper := r.dial()
		keeper.hello(3, hello{id: "keeper"})
		keeper.sub(1, "#")
		c := r.joinAs(r.device(document(
			statement("Allow", "Connect", "*"), statement("Allow", "Publish", "topic/ok/*"),
		)), 3, "c")
		r.store.Hold()
		c.send(c.publish("ok/1", "x", 1, 1), c.publish("no", "x", 1, 2), c.publish("ok/2", "x", 1, 3))
		c.wantSeen()
		c.send(c.publish("ok/3", "x", 1, 4), c.publish("ok/4", "x", 0, 0), c.subscribe(1, 0, "a"), disconnect())
		c.wantSeen()
		r.store.Release()
		c.wantSeen("PUBACK 1", "closed")
		keeper.wantSeen("PUBLISH ok/1 id=1 x")
		r.wantCause("c", "AUTH_ERROR")
	})
}

// TestRefusalsOf5AreEachAnswered: on 5 a refused PUBLISH of QoS 1 stops nothing.
func TestRefusalsOf5AreEachAnswered(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		c := r.joinAs(r.device(document(
			statement("Allow", "Connect", "*"), statement("Allow", "Publish", "topic/ok/*"),
		)), 5, "c")
		c.send(c.publish("ok/1", "x", 1, 1), c.publish("no", "x", 1, 2), c.publish("ok/2", "x", 1, 3))
		c.wantSeen("PUBACK 1", "PUBACK 2 87", "PUBACK 3")
	})
}

// TestRightsFollowAtOnce: a change of the policy reaches the connections that are there, and a certificate that is no
// longer active ends them.
func TestRightsFollowAtOnce(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(_ *testing.T, r *rig) {
			d := r.device(allowAll)
			c := r.joinAs(d, v, "c")
			c.sub(1, "a")
			c.send(c.publish("b", "x", 1, 1))
			c.wantSeen("PUBACK 1")
			other := r.join(v, "other")
			other.send(other.publish("a", "1", 1, 1))
			c.wantSeen("PUBLISH a id=1 1")

			r.change(d, may("Connect", "Subscribe"))
			synctest.Wait()
			other.send(other.publish("a", "2", 1, 2))
			c.wantSeen()
			c.send(c.publish("b", "x", 1, 2))
			if v == 5 {
				c.wantSeen("PUBACK 2 87")
			} else {
				c.wantSeen("closed")
				c = r.joinAs(d, v, "c")
			}

			r.change(d, allowAll)
			synctest.Wait()
			c.send(c.publish("b", "x", 1, 3))
			c.wantSeen("PUBACK 3")

			must(r.t, r.registry.UpdateCertificate(r.t.Context(), d.id, "INACTIVE"))
			c.wantSeen(answer(v, "87")...)
			other.seen()
			other.ping()
		})
	}
}

// TestRightsThatChangeDuringConnect: a change was lost when it came between the question for the rights and the session.
// CONNECT stands just there while the store of the sessions is held; the registry has one of its own.
func TestRightsThatChangeDuringConnect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		d := r.device(allowAll)
		c := r.dialAs(d)
		c.version = 5
		r.store.Hold()
		c.send(hello{id: "c", props: &packets.Properties{SessionExpiryInterval: new(uint32(60))}}.bytes(5))
		c.wantSeen()
		if conn := r.only(); conn.caller == nil || conn.session != nil {
			t.Fatal("CONNECT is not where it should be")
		}
		r.change(d, may("Connect"))
		synctest.Wait()
		r.store.Release()
		c.wantSeen("CONNACK 00 present=false")
		c.send(c.publish("a", "x", 1, 1))
		c.wantSeen("PUBACK 1 87")
	}, func(r *rig, _ *broker.Limits) { r.identity = mem.New() })
}

// TestCertificateThatGoesDuringConnect: the connection ends, and nothing comes before CONNACK [MQTT-3.2.0-1].
func TestCertificateThatGoesDuringConnect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		d := r.device(allowAll)
		c := r.dialAs(d)
		c.version = 5
		r.store.Hold()
		c.send(hello{id: "c", props: &packets.Properties{SessionExpiryInterval: new(uint32(60))}}.bytes(5))
		c.wantSeen()
		must(t, r.registry.UpdateCertificate(t.Context(), d.id, "INACTIVE"))
		c.wantSeen("closed")
		r.store.Release()
		synctest.Wait()
		if n := len(r.gateway.conns); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	}, func(r *rig, _ *broker.Limits) { r.identity = mem.New() })
}
