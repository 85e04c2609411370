package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestShutdown: every client is told (5: 0x8B), sockets that have not said who they are are closed, and all is over when
// it returns.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		five, three, stranger := r.join(5, "five"), r.join(3, "three"), r.dial()
		synctest.Wait()
		began := time.Now()
		r.shutdown()
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
		five.wantSeen("DISCONNECT 8b", "closed")
		three.wantSeen("closed")
		stranger.wantSeen("closed")
		r.wantCause("five", "SERVER_INITIATED_DISCONNECT")
		r.wantCause("three", "SERVER_INITIATED_DISCONNECT")
	})
}

// TestShutdownDoesNotWaitForSlowReaders: a client that does not read costs a second at most.
func TestShutdownDoesNotWaitForSlowReaders(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		deaf := r.dialDeaf(nil)
		deaf.version = 5
		deaf.send(hello{id: "deaf", clean: true}.bytes(5), deaf.subscribe(1, 0, "t"))
		pub := r.join(5, "pub")
		for range 100 {
			pub.send(pub.publish("t", payload(16<<10), 0, 0))
		}
		synctest.Wait()
		began := time.Now()
		r.shutdown()
		if took := time.Since(began); took > lastWords {
			t.Errorf("it took %s", took)
		}
	})
}

// TestShutdownOfListeners: listeners, silent sockets, handshakes and idle HTTP connections end with the rest, and
// nothing is accepted any more. A second Shutdown is harmless.
func TestShutdownOfListeners(t *testing.T) {
	r := newRig(t, withTLS)
	d := r.device(allowAll)
	cfg, _ := r.tlsConfig(d)
	c, err := r.secure(MQTTS, cfg)
	must(t, err)
	c.listen()
	c.hello(5, hello{id: "c", clean: true})
	plain := r.tcp()
	plain.hello(3, hello{id: "plain", clean: true})
	silent := r.tcp()
	half := newClient(t, r.socket(MQTTS))
	half.listen()
	apiCfg, _ := r.tlsConfig(nil)
	get, err := r.secure(API, apiCfg)
	must(t, err)
	if got := get.tryHTTP(); got != "HTTP 501" {
		t.Fatal(got)
	}
	began := time.Now()
	r.shutdown()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	c.want("DISCONNECT 8b", "closed")
	plain.want("closed")
	silent.want("closed")
	half.want("closed")
	if _, err := r.gateway.Listen(MQTT, "127.0.0.1:0"); err == nil {
		t.Error("a listener opens behind the end")
	}
	r.shutdown()
}

// TestShutdownOutOfTime: when the time is over before the clients are gone, their sockets are closed without a word.
func TestShutdownOutOfTime(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		deaf := r.dialDeaf(nil)
		deaf.version = 5
		deaf.send(hello{id: "deaf", clean: true}.bytes(5))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if err := r.gateway.Shutdown(ctx); err == nil {
			r.t.Error("Shutdown says that all went well")
		}
	})
}
