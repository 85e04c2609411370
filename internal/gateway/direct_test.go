package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// sender is who sends direct messages: nobody who is connected.
func sender() *broker.Caller { return broker.NewCaller("operator", "", policy.AllowAll(), nil) }

// sendTo sends a direct message that waits for PUBACK, and gives what became of it.
func (r *rig) sendTo(id string, size int) <-chan error {
	done := make(chan error, 1)
	m := &broker.Message{
		Topic: "d/x", Payload: []byte(strings.Repeat("x", size)),
		Props: &broker.Properties{User: []broker.UserProperty{{Key: "k", Value: "v"}}},
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done <- r.broker.SendTo(ctx, sender(), id, m, true)
	}()
	return done
}

// TestDirectMessage: a direct message reaches a client without a subscription, at QoS 1, and its PUBACK comes back to who
// waits for it, among the PUBACKs of others.
func TestDirectMessage(t *testing.T) {
	for v, properties := range map[byte]string{3: "", 5: "\x07\x26\x00\x01k\x00\x01v"} {
		bubble(t, func(t *testing.T, r *rig) {
			c, other := r.join(v, "c"), r.join(5, "other")
			c.sub(1, "s")
			other.send(other.publish("s", "1", 1, 7))
			synctest.Wait()
			done := r.sendTo("c", 1)
			synctest.Wait()
			c.want("PUBLISH s id=1 1")
			if got := string(c.next()); !strings.HasSuffix(got, "d/x\x00\x02"+properties+"x") || got[0] != 0x32 {
				t.Errorf("v%d: %q", v, got)
			}
			c.send(puback(1))
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("v%d: %v after the PUBACK of another message", v, err)
			default:
			}
			c.send(puback(2))
			if err := <-done; err != nil {
				t.Errorf("v%d: %v", v, err)
			}
			c.send(puback(2)) // nothing flies under this id any more
			c.ping()
		})
	}
}

// TestDirectMessageUnconfirmed: nobody waits longer than he said; the message is sent again as any other is, and a late
// PUBACK harms nobody.
func TestDirectMessageUnconfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.join(5, "c")
		synctest.Wait() // CONNACK comes before the client can be found
		began := time.Now()
		err := <-r.sendTo("c", 1)
		if !errors.Is(err, broker.ErrUnconfirmed) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if n := len(c.seen()); n != 1 {
			t.Fatalf("%d packets", n)
		}
		pass(40 * time.Second)
		if n := len(c.seen()); n != 1 {
			t.Errorf("%d packets: it should come a second time", n)
		}
		c.send(puback(1))
		c.ping()
	})
}

// TestDirectMessageTooLarge: a message larger than the client takes is not confirmed in its place.
func TestDirectMessageTooLarge(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.dial()
		c.hello(5, hello{id: "c", clean: true, props: &packets.Properties{MaximumPacketSize: new(uint32(512))}})
		if err := <-r.sendTo("c", 600); !fault.Is(err, fault.TooLarge) {
			t.Errorf("%v", err)
		}
		c.wantSeen()
	})
}

// TestDirectMessageWindow: a direct message waits for its place in the client's window.
func TestDirectMessageWindow(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.dial()
		c.hello(5, hello{id: "c", clean: true, props: &packets.Properties{ReceiveMaximum: new(uint16(1))}})
		first := r.sendTo("c", 1)
		synctest.Wait()
		second := r.sendTo("c", 2)
		if n := len(c.seen()); n != 1 {
			t.Fatalf("%d packets with Receive Maximum 1", n)
		}
		c.send(puback(1))
		if err := <-first; err != nil {
			t.Error(err)
		}
		if n := len(c.seen()); n != 1 {
			t.Fatalf("%d packets after the first PUBACK", n)
		}
		c.send(puback(2))
		if err := <-second; err != nil {
			t.Error(err)
		}
	})
}

// TestDirectMessageToOneWhoGoes: the end of the client ends the wait.
func TestDirectMessageToOneWhoGoes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.join(5, "c")
		done := r.sendTo("c", 1)
		synctest.Wait()
		c.hangUp()
		if err := <-done; !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	})
}

// TestDeleteConnection: a v5 client is told 0x98, a v3 client is closed, and the journal knows who did it.
func TestDeleteConnection(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for v, want := range map[byte]string{3: "closed", 5: "DISCONNECT 98"} {
			c := r.join(v, "c")
			must(t, r.broker.DeleteConnection(sender(), "c", broker.DeleteOptions{}))
			got := c.seen()
			if len(got) == 0 || !strings.HasPrefix(got[0], want) || got[len(got)-1] != "closed" {
				t.Errorf("v%d: %q", v, got)
			}
			r.wantCause("c", "API_INITIATED_DISCONNECT")
			if err := r.broker.DeleteConnection(sender(), "c", broker.DeleteOptions{}); !fault.Is(err, fault.NotFound) {
				t.Errorf("v%d: %v", v, err)
			}
		}
	})
}
