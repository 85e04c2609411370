package gateway

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/registry"
)

// TestChurn lets everything happen at once, for the race detector and goleak: clients of few ids that take each other
// over, publish, subscribe, acknowledge, vanish; a policy that changes, a certificate that goes and comes back; a
// receiver that never reads; and the end in the middle of it. Whatever happens, Shutdown returns and nothing is left.
func TestChurn(t *testing.T) {
	r := newRig(t)
	d := r.device(allowAll)
	pipe := func() net.Conn {
		near, far := net.Pipe()
		c := newConn(r.gateway, far, far)
		if rand.IntN(2) == 0 {
			c.fingerprint = d.fingerprint
			id, err := r.registry.Identify(d.fingerprint)
			if err != nil {
				return nil
			}
			c.identity = id
		}
		if !r.gateway.serveConn(c, nil) {
			return nil
		}
		return near
	}
	var clients, others sync.WaitGroup
	for w := range 6 {
		clients.Go(func() {
			for i := range 20 {
				nc := pipe()
				if nc == nil {
					continue
				}
				churn(t, nc, byte(3+2*(i%2)), fmt.Sprint("c", i%3), uint64(w*1000+i))
			}
		})
	}
	stop := make(chan struct{})
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			status := registry.Active
			if i%3 == 0 {
				status = registry.Inactive
			}
			if err := r.registry.UpdateCertificate(t.Context(), d.id, status); err != nil {
				t.Error(err)
			}
			r.gateway.certificateChanged(d.id)
		}
	})
	clients.Wait()
	ended := make(chan struct{})
	for range 10 {
		clients.Go(func() {
			if nc := pipe(); nc != nil {
				churn(t, nc, 5, "last", 1)
			}
		})
	}
	go func() {
		defer close(ended)
		r.shutdown()
	}()
	<-ended
	close(stop)
	clients.Wait()
	others.Wait()
	if n := len(r.gateway.conns) + len(r.gateway.byPrincipal) + len(r.gateway.strangers); n != 0 {
		t.Errorf("%d connections are remembered", n)
	}
}

// churn is the life of one client: what it does is drawn from its seed.
func churn(t *testing.T, nc net.Conn, v byte, id string, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	c := &client{t: t, nc: nc, version: v, frames: make(chan []byte, 1<<15)}
	defer c.ended.Wait()
	defer func() { _ = nc.Close() }()
	if rnd.IntN(8) > 0 {
		c.listen()
	}
	c.say(hello{id: id, clean: rnd.IntN(2) == 0, will: c.will("t/will", "gone")}.bytes(v))
	for i := range 30 {
		packetID := uint16(i + 1)
		switch rnd.IntN(8) {
		case 0:
			c.say(c.subscribe(packetID, byte(rnd.IntN(2)), "t/#", "t/+"))
		case 1:
			c.say(c.unsubscribe(packetID, "t/#"))
		case 2:
			c.say(puback(uint16(rnd.IntN(30))))
		case 3:
			c.say(pingreq(), c.retained("t/kept", "x", 1, packetID))
		default:
			c.say(c.publish(fmt.Sprint("t/", rnd.IntN(3)), payload(rnd.IntN(3000)), byte(rnd.IntN(2)), packetID))
		}
	}
	if rnd.IntN(2) == 0 {
		c.say(disconnect())
	}
}
