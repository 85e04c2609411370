package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// FuzzWebSocket sends anything behind an upgrade and a good CONNECT: nothing panics, nothing hangs, what the server sends
// is well-formed, and another client is not harmed.
func FuzzWebSocket(f *testing.F) {
	c := &client{version: 5}
	f.Add(webFrame(webFin|webData, c.publish("a/b", "x", 1, 1), pingreq(), disconnect()))
	f.Add(slices.Concat(webFrame(webData, pingreq()[:1]), webFrame(webFin|webPing, []byte("x")), webFrame(webFin|webMore, pingreq()[1:])))
	f.Add(closing(1000, "bye"))
	f.Add(webFrame(webFin|webClose, []byte{3}))
	f.Add(webFrame(webFin|webText, []byte("x")))
	f.Add(append(frameHead(webFin|webData, 0x80, 1<<40), testMask[:]...))
	f.Add([]byte{0x82, 2, 0xC0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		bubble(t, func(t *testing.T, r *rig) {
			const own = "another/client/alone"
			s := r.signer(allowAll)
			other := r.joinWeb(s, 5, "another")
			other.sub(1, own)
			r.talk(t, r.piped(), s, 5, append(webFrame(webFin|webData, hello{id: "fuzz", clean: true}.bytes(5)), data...))
			other.seen()
			other.send(other.publish(own, "fine", 1, 9))
			if got := other.seen(); len(got) != 2 || !slices.Contains(got, "PUBACK 9") {
				t.Errorf("the other client got %q", got)
			}
		}, withKeys)
	})
}

// FuzzUpgrade sends anything as an HTTP request: what becomes a WebSocket is an upgrade by another reader's rules too, and
// nobody who did not sign gets farther than CONNECT.
func FuzzUpgrade(f *testing.F) {
	good := strings.Join(asked(nobody.address()), "\r\n") + "\r\n\r\n"
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "/mqtt", "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20000101%2Fb%2Fiotdata%2Faws4_request&X-Amz-Date=20000101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00", 1)))
	f.Add([]byte(strings.Replace(good, "13", "8", 1)))
	f.Add([]byte(strings.Replace(good, "mqtt\r\n\r\n", "mqttv3.1, mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)))
	f.Add(append([]byte(good), webFrame(webFin|webData, hello{id: "c", clean: true}.bytes(5))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		bubble(t, func(t *testing.T, r *rig) {
			nc := r.piped()
			got := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(nc)
				got <- b
			}()
			must(t, nc.SetDeadline(time.Now().Add(time.Minute)))
			_, _ = nc.Write(data)
			synctest.Wait()
			_ = nc.Close()
			answer := <-got
			if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
				return
			}
			req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
			if err != nil || req.Method != http.MethodGet || !strings.EqualFold(req.Header.Get("Sec-WebSocket-Version"), "13") {
				t.Errorf("%q became a WebSocket", data)
			}
			_, frames, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
			for _, words := range (&client{version: 5}).webFrames(t, frames) {
				if strings.HasPrefix(words, "CONNACK 00") {
					t.Errorf("%q connects without a signature", data)
				}
			}
		}, withKeys)
	})
}
