package gateway

import (
	"slices"
	"testing"
	"testing/synctest"
)

// FuzzConn sends anything behind a good CONNECT: nothing panics, nothing hangs, and another client is not harmed.
func FuzzConn(f *testing.F) {
	for _, v := range []byte{3, 5} {
		c := &client{version: v}
		f.Add(v == 5, slices.Concat(c.subscribe(1, 1, "a/#", "+"), c.publish("a/b", "x", 1, 1), puback(1), pingreq(), disconnect()))
		f.Add(v == 5, slices.Concat(c.publish("a", "x", 0, 0), c.retained("a", "x", 1, 2), c.unsubscribe(3, "a"), hello{id: "b"}.bytes(v)))
		f.Add(v == 5, []byte{0x30, 0xFF, 0xFF, 0x7F, 0, 1})
	}
	f.Add(true, frame(0x32, str(""), u16(1), props(prop(0x23, 0, 1), prop(0x26, append(str("k"), str("v")...)...))))
	f.Add(true, frame(0x82, u16(1), props(prop(0x0B, 1)), str("$share/g/#"), []byte{0x2D}))
	f.Fuzz(func(t *testing.T, five bool, data []byte) {
		v := byte(3)
		if five {
			v = 5
		}
		bubble(t, func(t *testing.T, r *rig) {
			const own = "another/client/alone"
			other := r.join(v, "another")
			other.sub(1, own)
			c := r.join(v, "fuzz")
			c.say(data)
			synctest.Wait()
			c.seen()
			_ = c.nc.Close()
			other.seen()
			other.send(other.publish(own, "fine", 1, 9))
			if got := other.seen(); len(got) != 2 || !slices.Contains(got, "PUBACK 9") {
				t.Errorf("the other client got %q", got)
			}
		})
	})
}

// FuzzConnect sends anything as the first bytes of a connection.
func FuzzConnect(f *testing.F) {
	f.Add(hello{id: "c", clean: true}.bytes(3))
	f.Add(hello{id: "c", clean: true}.bytes(5))
	f.Add(hello{keepAlive: 7, username: "?SDK=x", will: (*client)(nil).will("w", "x")}.bytes(5))
	f.Add(frame(0x10, str("MQIsdp"), []byte{3, 2, 0, 0}, str("c")))
	f.Add([]byte{0x10, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, data []byte) {
		bubble(t, func(_ *testing.T, r *rig) {
			other := r.join(5, "another")
			c := r.dial()
			c.say(data)
			synctest.Wait()
			_ = c.nc.Close()
			if got := other.seen(); len(got) == 0 { // else the bytes were a CONNECT that took it over
				other.ping()
			}
		})
	})
}
