package gateway

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// payload is n bytes.
func payload(n int) string { return strings.Repeat("x", n) }

// TestSlowReaderHurtsNobody: a subscriber that never reads costs a publisher one pause, the other subscriber nothing,
// and everybody's PINGREQ is answered.
func TestSlowReaderHurtsNobody(t *testing.T) {
	for _, v := range []byte{3, 5} {
		bubble(t, func(t *testing.T, r *rig) {
			deaf := r.dialDeaf(nil)
			deaf.version = v
			deaf.send(hello{id: "deaf", clean: true}.bytes(v), deaf.subscribe(1, 0, "t"))
			synctest.Wait()
			good := r.join(v, "good")
			good.sub(0, "t")
			pub := r.join(v, "pub")
			const count, size = 4000, 1 << 10
			message := pub.publish("t", payload(size), 0, 0)
			began := time.Now()
			for range count {
				pub.send(message)
				good.want(fmt.Sprintf("PUBLISH t %d bytes", size))
			}
			pub.ping()
			good.ping()
			if cost := time.Since(began); cost > maxPause {
				t.Errorf("it cost the others %s", cost)
			}
			if n := len(r.book.find("receiver does not read")); n != 1 {
				t.Errorf("%d notes about the slow receiver", n)
			}
			deaf.listen()
			deaf.send(pingreq())
			got := deaf.seen()
			if n := len(got); n != 1+1+count+1 {
				t.Errorf("%d packets for the slow receiver in the end", n)
			}
		})
	}
}

// TestManySlowReadersCostOnePause: each congested receiver cost the publisher a pause of its own, one after the other.
func TestManySlowReadersCostOnePause(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for i := range 20 {
			deaf := r.dialDeaf(nil)
			deaf.version = 5
			deaf.send(hello{id: fmt.Sprint("deaf", i), clean: true}.bytes(5), deaf.subscribe(1, 0, "t"))
		}
		synctest.Wait()
		pub := r.join(5, "pub")
		message := pub.publish("t", payload(32<<10), 0, 0)
		began := time.Now()
		for range 40 {
			pub.send(message)
		}
		pub.ping()
		if cost := time.Since(began); cost > maxPause {
			t.Errorf("it cost %s", cost)
		}
	})
}

// TestTwoWhoDoNotReadEachOther: two clients that only write, each to the other, with all buffers full, never deadlock,
// and nothing is lost.
func TestTwoWhoDoNotReadEachOther(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.dialDeaf(nil), r.dialDeaf(nil)
		a.version, b.version = 3, 3
		a.send(hello{id: "a", clean: true}.bytes(3), a.subscribe(1, 0, "to/a"))
		b.send(hello{id: "b", clean: true}.bytes(3), b.subscribe(1, 0, "to/b"))
		synctest.Wait()
		const count = 2000
		began := time.Now()
		done := make(chan struct{}, 2)
		for c, topic := range map[*client]string{a: "to/b", b: "to/a"} {
			go func() {
				message := c.publish(topic, payload(1<<10), 0, 0)
				for range count {
					c.say(message)
				}
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		if cost := time.Since(began); cost > 4*maxPause {
			t.Errorf("it took %s", cost)
		}
		for _, c := range []*client{a, b} {
			c.listen()
			if n := len(c.seen()); n != 2+count {
				t.Errorf("%d packets came", n)
			}
		}
	})
}

// TestPingIsAnsweredBeforeTheQueue: PINGRESP does not stand behind what waits for the client.
func TestPingIsAnsweredBeforeTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		deaf := r.dialDeaf(nil)
		deaf.version = 5
		deaf.send(hello{id: "deaf", clean: true}.bytes(5), deaf.subscribe(1, 0, "t"))
		synctest.Wait()
		pub := r.join(5, "pub")
		const size = 16 << 10
		for range 1024 {
			pub.send(pub.publish("t", payload(size), 0, 0))
		}
		deaf.send(pingreq())
		synctest.Wait()
		deaf.listen()
		got := deaf.seen()
		if at := slices.Index(got, "PINGRESP"); at < 0 || at > 2+2*maxWrite/size {
			t.Errorf("PINGRESP comes as number %d of %d", at, len(got))
		}
	})
}

// TestStoredMessagesStayInTheStore: a persistent session that does not read costs little memory, and gets everything
// in order once it reads, sent on the wire once.
func TestStoredMessagesStayInTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.keeper(3, "deaf", "t").hangUp()
		deaf := r.dialDeaf(nil)
		deaf.version = 3
		deaf.send(hello{id: "deaf"}.bytes(3))
		conn := r.only()
		pub := r.join(3, "pub")
		const count, size = 500, 10 << 10
		for i := range count {
			pub.send(pub.publish("t", fmt.Sprintf("%04d", i)+payload(size), 1, uint16(i+1)))
			pub.want(fmt.Sprintf("PUBACK %d", i+1))
		}
		if n := conn.out.unsent; n > highWater+2*size {
			t.Errorf("%d bytes wait in memory", n)
		}
		deaf.listen()
		deaf.want("CONNACK 00 present=true")
		for i := range count {
			f := deaf.next()
			if got := string(f[len(f)-size-4 : len(f)-size]); got != fmt.Sprintf("%04d", i) {
				t.Fatalf("message %s comes as number %d", got, i)
			}
			deaf.send(puback(uint16(f[6])<<8 | uint16(f[7])))
		}
		deaf.wantSeen()
	})
}

// TestClientThatNeverReadsIsEnded: over 32 MiB QoS 0 is dropped and noted, and a clean session that would lose a QoS 1
// message is ended instead, with a cause.
func TestClientThatNeverReadsIsEnded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		deaf := r.dialDeaf(nil)
		deaf.version = 5
		deaf.send(hello{id: "deaf", clean: true}.bytes(5), deaf.subscribe(1, 1, "t"))
		pub := r.join(5, "pub")
		big := payload(128 << 10)
		for range hardCap/(128<<10) + 10 {
			pub.send(pub.publish("t", big, 0, 0))
		}
		pub.ping()
		if n := r.gateway.Counts().Dropped.Load(); n == 0 {
			t.Error("nothing was dropped, or nobody has counted it")
		}
		pub.send(pub.publish("t", big, 1, 1))
		pub.want("PUBACK 1")
		pass(2 * lastWords)
		deaf.listen()
		if got := deaf.seen(); got[len(got)-1] != "closed" {
			t.Errorf("got %d packets, the last one %q", len(got), got[len(got)-1])
		}
		r.wantCause("deaf", "THROTTLED")
	})
}

// TestAnswersAreBounded: a client that asks without end and reads no answer made the control buffer grow without end.
func TestAnswersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		deaf := r.dialDeaf(nil)
		deaf.version = 5
		deaf.send(hello{id: "deaf", clean: true}.bytes(5))
		flood := []byte(strings.Repeat(string(pingreq()), 32<<10))
		for range 30 {
			deaf.say(flood)
		}
		pass(2 * lastWords)
		deaf.listen()
		if got := deaf.seen(); got[len(got)-1] != "closed" {
			t.Errorf("the connection lives, %d answers came", len(got))
		}
		r.wantCause("deaf", "THROTTLED")
	})
}

// TestCircleOfPublishers: who is waited for and who commits is skipped, so that no circle of
// publishers stands still. Here three publish to each other and none of them reads.
func TestCircleOfPublishers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var all []*client
		for i := range 3 {
			c := r.dialDeaf(nil)
			c.version = 5
			c.send(hello{id: fmt.Sprint(i), clean: true}.bytes(5), c.subscribe(1, 0, "t/#"))
			all = append(all, c)
		}
		synctest.Wait()
		began := time.Now()
		done := make(chan struct{}, len(all))
		for i, c := range all {
			go func() {
				message := c.publish(fmt.Sprint("t/", i), payload(4<<10), 0, 0)
				for range 300 {
					c.say(message)
				}
				done <- struct{}{}
			}()
		}
		for range all {
			<-done
		}
		if cost := time.Since(began); cost > 10*maxPause {
			t.Errorf("it took %s", cost)
		}
	})
}

// TestHalfClosedClientThatDoesNotRead: a client shut its side of the socket and never read what came; the connection
// waited for its writer, the writer for the socket, and nobody ever for the client. The will tells that it ended.
func TestHalfClosedClientThatDoesNotRead(t *testing.T) {
	r := newRig(t)
	watch := r.tcp()
	watch.hello(5, hello{id: "watch", clean: true})
	watch.sub(0, "will")
	deaf := r.tcp0()
	deaf.version = 3
	h := hello{id: "deaf", clean: true, will: watch.will("will", "gone")}
	deaf.send(h.bytes(3), deaf.subscribe(1, 0, "t"))
	pub := r.tcp()
	pub.hello(5, hello{id: "pub", clean: true})
	big := pub.publish("t", payload(128<<10), 0, 0)
	for range 200 { // more than the kernel takes for the client
		pub.send(big)
	}
	pub.ping()
	must(t, deaf.nc.(*net.TCPConn).CloseWrite())
	watch.want("PUBLISH will gone")
}
