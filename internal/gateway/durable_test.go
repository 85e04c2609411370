package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// keeper is a persistent session that is subscribed to a filter at QoS 1.
func (r *rig) keeper(v byte, id, filter string) *client {
	r.t.Helper()
	c := r.dial()
	h := hello{id: id}
	if v == 5 {
		h.props = &packets.Properties{SessionExpiryInterval: new(uint32(3600))}
	}
	c.hello(v, h)
	c.sub(1, filter)
	return c
}

// TestNoAckBeforeDurable is the invariant at this door: while the store has not finished, no PUBACK is sent and nothing
// is delivered, PINGREQ is answered, and what follows is gathered. Then the PUBACKs come in the order of the messages,
// over several batches.
func TestNoAckBeforeDurable(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(t *testing.T, r *rig) {
			keeper := r.keeper(v, "keeper", "t")
			c := r.join(v, "c")
			r.store.Hold()
			want, got := []string{}, []string{}
			for id := uint16(1); id <= 60; id++ {
				c.send(c.publish("t", fmt.Sprint(id), 1, id))
				want = append(want, fmt.Sprintf("PUBACK %d", id))
				got = append(got, fmt.Sprintf("PUBLISH t id=%d %d", id, id))
				if id%10 == 0 {
					synctest.Wait()
					c.ping()
				}
			}
			if n := r.store.Waiting(); n != 1 {
				t.Errorf("%d batches are committing, want one per connection", n)
			}
			c.wantSeen()
			keeper.wantSeen()
			r.store.Release()
			c.wantSeen(want...)
			keeper.wantSeen(got...)
		})
	}
}

// TestNoAckOfRetainedBeforeDurable: a retained message is kept before it is acknowledged, at QoS 0 it is just kept.
func TestNoAckOfRetainedBeforeDurable(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		c := r.join(5, "c")
		r.store.Hold()
		c.send(c.retained("a", "zero", 0, 0), c.retained("b", "one", 1, 1))
		c.wantSeen()
		r.store.Release()
		c.wantSeen("PUBACK 1")
		c.send(c.subscribe(1, 1, "a", "b", "#"))
		c.wantSeen("SUBACK 1 [01 01 01]", "PUBLISH a retain zero", "PUBLISH b id=1 retain one")
	})
}

// TestStoreFails: what could not be kept is refused: on 5 with a code, on 3.1.1 by the end of the connection.
func TestStoreFails(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(_ *testing.T, r *rig) {
			r.keeper(v, "keeper", "t")
			c := r.join(v, "c")
			r.store.Fail(errors.New("the disk is full"))
			c.send(c.publish("elsewhere", "x", 1, 1), c.publish("t", "x", 1, 2), c.publish("t", "x", 0, 0))
			if v == 5 {
				c.wantSeen("PUBACK 1", "PUBACK 2 80")
				c.ping()
			} else {
				c.wantSeen("PUBACK 1", "closed")
				r.wantCause("c", "SERVER_ERROR")
			}
			r.store.Fail(nil)
		})
	}
}

// TestReceiveMaximum: a hundred messages may be on their way. A client of 5 that sends one more breaks its promise
// [MQTT-3.3.4-9]; one of 3.1.1, who has made none, is read later.
func TestReceiveMaximum(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.keeper(5, "keeper", "t")
		c, old := r.join(5, "c"), r.join(3, "old")
		r.store.Hold()
		for id := uint16(1); id <= 100; id++ {
			c.send(c.publish("t", "x", 1, id))
			old.send(old.publish("t", "x", 1, id))
		}
		synctest.Wait()
		c.ping()
		old.ping()
		c.send(c.publish("t", "x", 0, 0)) // QoS 0 does not count
		c.ping()

		c.send(c.publish("t", "x", 1, 101))
		c.wantSeen("DISCONNECT 93", "closed")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for id := uint16(101); id <= 250; id++ {
				old.say(old.publish("t", "x", 1, id))
			}
		}()
		old.wantSeen()
		select {
		case <-sent:
			t.Error("a client of 3.1.1 is read without bound")
		default:
		}
		r.store.Release()
		want := []string{}
		for id := 1; id <= 250; id++ {
			want = append(want, fmt.Sprintf("PUBACK %d", id))
		}
		old.wantSeen(want...)
		r.wantCause("c", "CLIENT_ERROR")
	})
}

// TestReceiveMaximumOfTheClient: no more messages are sent than the client allows at a time; each PUBACK lets one
// follow, in order.
func TestReceiveMaximumOfTheClient(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		sub := r.dial()
		sub.hello(5, hello{id: "sub", clean: true, props: &packets.Properties{ReceiveMaximum: new(uint16(2))}})
		sub.sub(1, "t")
		c := r.join(5, "c")
		for id := uint16(1); id <= 4; id++ {
			c.send(c.publish("t", fmt.Sprint(id), 1, id))
		}
		c.send(c.publish("t", "zero", 0, 0))
		sub.wantSeen("PUBLISH t id=1 1", "PUBLISH t id=2 2")
		sub.send(puback(2))
		sub.wantSeen("PUBLISH t id=3 3")
		sub.send(puback(2), puback(9)) // not in flight: no room is made
		sub.wantSeen()
		sub.send(puback(1), puback(3))
		sub.wantSeen("PUBLISH t id=4 4", "PUBLISH t zero")
	})
}

// TestSubackAfterRoute: a message that is sent when the SUBACK is there reaches the subscriber, and retained messages
// follow the SUBACK. A persistent session's SUBACK waits for the store.
func TestSubackAfterRoute(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(_ *testing.T, r *rig) {
			pub := r.join(v, "pub")
			sub := r.join(v, "sub")
			for i := range 100 {
				topic := fmt.Sprint("t/", i)
				pub.send(pub.retained(topic, "kept", 0, 0))
				pub.seen()
				sub.send(sub.subscribe(uint16(i+1), 0, topic))
				sub.want(fmt.Sprintf("SUBACK %d [00]", i+1))
				pub.send(pub.publish(topic, "x", 0, 0))
				sub.wantSeen("PUBLISH "+topic+" retain kept", "PUBLISH "+topic+" x")
			}

			keeper := r.keeper(v, "keeper", "first")
			r.store.Hold()
			keeper.send(keeper.subscribe(2, 1, "k"))
			keeper.wantSeen()
			r.store.Release()
			keeper.wantSeen("SUBACK 2 [01]")
			pub.send(pub.publish("k", "x", 1, 7))
			pub.wantSeen("PUBACK 7")
			keeper.wantSeen("PUBLISH k id=1 x")
		})
	}
}

// TestSubscribeIsABarrier: SUBSCRIBE, UNSUBSCRIBE and DISCONNECT stand behind the publishes before them.
func TestSubscribeIsABarrier(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		r.keeper(5, "keeper", "t")
		c := r.join(5, "c")
		r.store.Hold()
		c.send(c.publish("t", "x", 1, 1), c.subscribe(2, 0, "a"), c.unsubscribe(3, "a"), c.publish("t", "x", 1, 4), disconnect())
		c.wantSeen()
		r.store.Release()
		c.wantSeen("PUBACK 1", "SUBACK 2 [00]", "UNSUBACK 3 [00]", "PUBACK 4", "closed")
	})
}

// TestStoredMessagesAwaitTheClient: QoS 1 messages wait for a session that is away, in order; what is not acknowledged
// comes again with the next connection.
func TestStoredMessagesAwaitTheClient(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(_ *testing.T, r *rig) {
			keeper := r.keeper(v, "keeper", "t")
			keeper.send(disconnect())
			keeper.wantSeen("closed")
			pub := r.join(v, "pub")
			pub.send(pub.publish("t", "1", 1, 1), pub.publish("t", "zero", 0, 0), pub.publish("t", "2", 1, 2), pub.publish("t", "3", 1, 3))
			pub.wantSeen("PUBACK 1", "PUBACK 2", "PUBACK 3")
			back := func(want ...string) *client {
				c := r.dial()
				h := hello{id: "keeper"}
				if v == 5 {
					h.props = &packets.Properties{SessionExpiryInterval: new(uint32(3600))}
				}
				c.hello(v, h)
				c.wantSeen(want...)
				return c
			}
			c := back("PUBLISH t id=1 1", "PUBLISH t id=2 2", "PUBLISH t id=3 3")
			c.send(puback(2))
			c.wantSeen()
			_ = c.nc.Close()
			c = back("PUBLISH t id=1 1", "PUBLISH t id=2 3")
			c.send(puback(1), puback(2))
			c.wantSeen()
			_ = c.nc.Close()
			back().ping()
		})
	}
}

// TestRedelivery: what is not acknowledged is sent again on the same connection after about 30 seconds, without DUP and
// with the same id, until the client acknowledges it.
func TestRedelivery(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		sub := r.join(3, "sub")
		sub.sub(1, "t")
		pub := r.join(3, "pub")
		pub.send(pub.publish("t", "x", 1, 1), pub.publish("t", "y", 1, 2))
		sub.wantSeen("PUBLISH t id=1 x", "PUBLISH t id=2 y")
		sub.send(puback(2))
		pass(25 * time.Second)
		sub.wantSeen()
		pass(10 * time.Second)
		sub.wantSeen("PUBLISH t id=1 x")
		pass(35 * time.Second)
		sub.wantSeen("PUBLISH t id=1 x")
		sub.send(puback(1))
		pass(100 * time.Second)
		sub.wantSeen()
	})
}

// TestRedeliveryTellsWhatIsLeft: a message that is sent again has less of its expiry left [MQTT-3.3.2-6], and is given up
// when nothing is.
func TestRedeliveryTellsWhatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		sub := r.join(5, "sub")
		sub.sub(1, "t")
		pub := r.join(5, "pub")
		expiry := uint32(100)
		pub.send(pub.publishMore(&packets.Publish{
			Topic: "t", Payload: []byte("x"), QoS: 1, PacketID: 1, Properties: &packets.Properties{MessageExpiry: &expiry},
		}))
		left := func() uint32 {
			cp, err := packets.ReadPacket(bytes.NewReader(sub.next()))
			if err != nil {
				t.Fatal(err)
			}
			p, ok := cp.Content.(*packets.Publish)
			if !ok || p.Properties == nil || p.Properties.MessageExpiry == nil {
				t.Fatalf("no PUBLISH with an expiry: %v", cp)
			}
			return *p.Properties.MessageExpiry
		}
		if n := left(); n != 100 {
			t.Errorf("%d s are left at first", n)
		}
		pass(35 * time.Second)
		if n := left(); n < 60 || n > 70 {
			t.Errorf("after half a minute %d s are left", n)
		}
	})
}

// TestRedeliveryOfWhatTheIDsHaveOvertaken: a message that stayed unacknowledged while the ids went on by more than the
// window has places was not found again.
func TestRedeliveryOfWhatTheIDsHaveOvertaken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		sub := r.join(3, "sub")
		sub.sub(1, "t")
		pub := r.join(3, "pub")
		for id := uint16(1); id <= 1000; id++ {
			pub.send(pub.publish("t", "x", 1, id))
			pub.want(fmt.Sprintf("PUBACK %d", id))
			var at uint16
			if _, err := fmt.Sscanf(sub.describe(sub.next()), "PUBLISH t id=%d x", &at); err != nil {
				t.Fatal(err)
			}
			if at != 5 {
				sub.send(puback(at))
			}
		}
		pass(35 * time.Second)
		sub.wantSeen("PUBLISH t id=5 x")
	})
}

// TestPacketIDInUse: MQTT 5 has a code for a packet id that another message still holds; afterwards the id is free again.
func TestPacketIDInUse(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		pub := r.join(5, "pub")
		pub.send(append(pub.publish("t", "x", 1, 7), pub.publish("t", "y", 1, 7)...))
		pub.want("PUBACK 7 91")
		pub.want("PUBACK 7")
		pub.send(pub.publish("t", "z", 1, 7))
		pub.want("PUBACK 7")
		old := r.join(3, "old")
		old.send(append(old.publish("t", "x", 1, 7), old.publish("t", "y", 1, 7)...))
		old.want("PUBACK 7")
		old.want("PUBACK 7")
	})
}
