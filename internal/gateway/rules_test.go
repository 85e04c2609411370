package gateway

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"
)

// answer is how a broken rule ends: on 3.1.1 the connection closes without a word, on 5 DISCONNECT names the code.
func answer(version byte, code string) []string {
	if version == 5 {
		return []string{"DISCONNECT " + code, "closed"}
	}
	return []string{"closed"}
}

// props is a property section.
func props(p ...[]byte) []byte {
	all := bytes.Join(p, nil)
	return append(frame(0, all)[1:len(frame(0, all))-len(all)], all...)
}

func prop(id byte, value ...byte) []byte { return append([]byte{id}, value...) }

// TestBrokenRules sends what breaks the standard, or what AWS IoT Core does not do, on a connection that was accepted.
// The other client of the table must not notice any of it.
func TestBrokenRules(t *testing.T) {
	long := strings.Repeat("x", 128<<10)
	for _, tt := range []struct {
		name string
		v    byte // 0 for both
		code string
		send []byte
	}{
		{"second CONNECT", 3, "", hello{id: "again", clean: true}.bytes(3)},
		{"second CONNECT", 5, "82", hello{id: "again", clean: true}.bytes(5)},
		{"reserved type 0", 0, "81", []byte{0x00, 0}},
		{"CONNACK", 0, "82", frame(0x20, []byte{0, 0, 0})},
		{"SUBACK", 0, "82", frame(0x90, u16(1), []byte{0, 0})},
		{"UNSUBACK", 0, "82", frame(0xB0, u16(1), []byte{0, 0})},
		{"PINGRESP", 0, "82", []byte{0xD0, 0}},
		{"AUTH", 0, "82", []byte{0xF0, 0}},
		{"PUBREC", 0, "82", frame(0x50, u16(1))},
		{"PUBREL", 0, "82", frame(0x62, u16(1))},
		{"PUBCOMP", 0, "82", frame(0x70, u16(1))},
		{"flags of PUBREL", 0, "81", frame(0x60, u16(1))},
		{"PINGREQ with a body", 0, "81", frame(0xC0, []byte{1})},
		{"PUBACK without id", 0, "81", frame(0x40, []byte{1})},
		{"PUBACK of id 0", 0, "82", frame(0x40, u16(0))},
		{"Remaining Length of five bytes", 0, "81", []byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}},
		{"Remaining Length not in its shortest form", 5, "81", []byte{0xC0, 0x80, 0x00}},

		{"PUBLISH at QoS 2", 3, "", frame(0x34, str("a"), u16(1))},
		{"PUBLISH at QoS 2", 5, "9b", frame(0x34, str("a"), u16(1), []byte{0})},
		{"PUBLISH at QoS 3", 0, "81", frame(0x36, str("a"), u16(1), []byte{0})},
		{"DUP at QoS 0", 0, "82", frame(0x38, str("a"), []byte{0})},
		{"packet id 0", 0, "82", frame(0x32, str("a"), u16(0), []byte{0})},
		{"topic cut off", 0, "81", frame(0x30, u16(9), []byte("a"))},
		{"empty topic", 0, "81", frame(0x30, str(""), []byte{0})},
		{"topic with +", 0, "90", frame(0x30, str("a/+"), []byte{0})},
		{"topic with #", 0, "90", frame(0x30, str("#"), []byte{0})},
		{"topic with U+0000", 0, "81", frame(0x30, str("a\x00b"), []byte{0})},
		{"topic that is not UTF-8", 0, "81", frame(0x30, str("a\xff"), []byte{0})},
		{"topic with a surrogate", 0, "81", frame(0x30, str("a\xed\xa0\x80"), []byte{0})},
		{"topic of 257 bytes", 0, "90", frame(0x30, str(long[:257]), []byte{0})},
		{"topic of nine levels", 0, "90", frame(0x30, str("1/2/3/4/5/6/7/8/9"), []byte{0})},
		{"unknown $ topic", 0, "90", frame(0x30, str("$nobody/a"), []byte{0})},
		{"payload over 128 KiB at QoS 0", 0, "95", frame(0x30, str("a"), []byte{0}, []byte(long), []byte{1})},
		{"payload over 128 KiB at QoS 1", 0, "95", frame(0x32, str("a"), u16(1), []byte{0}, []byte(long), []byte{1})},
		{"packet over the limit", 0, "95", []byte{0x30, 0xFF, 0xFF, 0x7F}},

		{"alias 0", 5, "94", frame(0x30, str("a"), props(prop(0x23, 0, 0)))},
		{"alias 9", 5, "94", frame(0x30, str("a"), props(prop(0x23, 0, 9)))},
		{"alias that was not set", 5, "82", frame(0x30, str(""), props(prop(0x23, 0, 3)))},
		{"property twice", 5, "82", frame(0x30, str("a"), props(prop(0x01, 1), prop(0x01, 1)))},
		{"property that does not exist", 5, "81", frame(0x30, str("a"), props(prop(0x7E, 1)))},
		{"property of another packet", 5, "81", frame(0x30, str("a"), props(prop(0x13, 0, 9)))},
		{"subscription identifier in PUBLISH", 5, "82", frame(0x30, str("a"), props(prop(0x0B, 1)))},
		{"properties reach behind the end", 5, "81", frame(0x30, str("a"), []byte{9, 1, 1})},
		{"response topic with a wildcard", 5, "90", frame(0x30, str("a"), props(prop(0x08, str("b/#")...)))},
		{"content type of 257 bytes", 5, "97", frame(0x30, str("a"), props(prop(0x03, str(long[:257])...)))},
		{"correlation data over 8 KB", 5, "97", frame(0x30, str("a"), props(prop(0x09, str(long[:8193])...)))},
		{"response topic of 257 bytes", 5, "90", frame(0x30, str("a"), props(prop(0x08, str(long[:257])...)))},
		{"user properties over 8 KB", 5, "97", frame(0x30, str("a"), props(prop(0x26, append(str("k"), str(long[:8193])...)...)))},

		{"SUBSCRIBE without filter", 3, "", frame(0x82, u16(1))},
		{"SUBSCRIBE without filter", 5, "82", frame(0x82, u16(1), []byte{0})},
		{"SUBSCRIBE with user properties over 8 KB", 5, "97", frame(0x82, u16(1), props(prop(0x26, append(str("k"), str(long[:8193])...)...)), str("a"), []byte{0})},
		{"UNSUBSCRIBE with user properties over 8 KB", 5, "97", frame(0xA2, u16(1), props(prop(0x26, append(str("k"), str(long[:8193])...)...)), str("a"))},
		{"SUBSCRIBE with QoS 2", 3, "", frame(0x82, u16(1), str("a"), []byte{2})},
		{"SUBSCRIBE with QoS 2", 5, "9b", frame(0x82, u16(1), []byte{0}, str("a"), []byte{2})},
		{"SUBSCRIBE with QoS 3", 5, "82", frame(0x82, u16(1), []byte{0}, str("a"), []byte{3})},
		{"SUBSCRIBE with reserved bits", 3, "", frame(0x82, u16(1), str("a"), []byte{0x04})},
		{"SUBSCRIBE with reserved bits", 5, "81", frame(0x82, u16(1), []byte{0}, str("a"), []byte{0x40})},
		{"SUBSCRIBE with wrong flags", 0, "81", frame(0x80, u16(1), []byte{0}, str("a"), []byte{0})},
		{"SUBSCRIBE of id 0", 5, "82", frame(0x82, u16(0), []byte{0}, str("a"), []byte{0})},
		{"SUBSCRIBE with identifier", 5, "a1", frame(0x82, u16(1), props(prop(0x0B, 7)), str("a"), []byte{0})},
		{"SUBSCRIBE to a filter that is not UTF-8", 5, "81", frame(0x82, u16(1), []byte{0}, str("\xff"), []byte{0})},
		{"SUBSCRIBE to a bad filter", 3, "", frame(0x82, u16(1), str("a/#/b"), []byte{0})},
		{"UNSUBSCRIBE without filter", 5, "82", frame(0xA2, u16(1), []byte{0})},

		{"DISCONNECT with a code of the server", 5, "82", frame(0xE0, []byte{0x8B})},
		{"DISCONNECT that makes a session persistent", 5, "82", frame(0xE0, []byte{0}, props(prop(0x11, 0, 0, 0, 9)))},
		{"DISCONNECT with flags", 0, "81", []byte{0xE1, 0}},
	} {
		for _, v := range []byte{3, 5} {
			if tt.v != 0 && tt.v != v {
				continue
			}
			t.Run(string('0'+rune(v))+" "+tt.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					other := r.join(v, "other")
					other.sub(1, "#")
					c := r.join(v, "bad")
					c.say(tt.send)
					c.wantSeen(answer(v, tt.code)...)
					other.wantSeen()
					other.send(other.publish("fine", "x", 1, 1))
					synctest.Wait()
					if got := other.seen(); !slices.Contains(got, "PUBACK 1") || len(got) != 2 {
						t.Errorf("the other client got %q", got)
					}
				})
			})
		}
	}
}

// TestHarmlessForms are unusual and legal; the connection stays.
func TestHarmlessForms(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    byte
		send []byte
		want []string
	}{
		{"PUBACK of an id that is not in flight", 0, puback(77), []string{"PINGRESP"}},
		{"DUP at QoS 1", 3, frame(0x3A, str("a"), u16(3)), []string{"PUBACK 3", "PINGRESP"}},
		{"padded Remaining Length", 3, []byte{0x30, 0x84, 0x00, 0, 1, 'a', 'x'}, []string{"PINGRESP"}},
		{"UNSUBSCRIBE of what is not there", 3, frame(0xA2, u16(4), str("a")), []string{"UNSUBACK 4", "PINGRESP"}},
		{"UNSUBSCRIBE of what is not there", 5, frame(0xA2, u16(4), []byte{0}, str("a"), str("b")), []string{"UNSUBACK 4 [00 00]", "PINGRESP"}},
		{"bad filter among good ones", 5, frame(0x82, u16(4), []byte{0}, str("a"), []byte{1}, str("a/#/b"), []byte{1}, str("$x"), []byte{1}), []string{"SUBACK 4 [01 8f 8f]", "PINGRESP"}},
		{"filter of 257 bytes", 5, frame(0x82, u16(4), []byte{0}, str(strings.Repeat("f", 257)), []byte{1}), []string{"SUBACK 4 [8f]", "PINGRESP"}},
		{"long topic at QoS 1", 5, frame(0x32, str(strings.Repeat("t", 257)), u16(5), []byte{0}), []string{"PUBACK 5 90", "PINGRESP"}},
		{"unknown $ topic at QoS 1", 5, frame(0x32, str("$x/y"), u16(5), []byte{0}), []string{"PUBACK 5 90", "PINGRESP"}},
		{"alias set and used", 5, slices.Concat(frame(0x32, str("a"), u16(1), props(prop(0x23, 0, 8))), frame(0x32, str(""), u16(2), props(prop(0x23, 0, 8)))), []string{"PUBACK 1", "PUBACK 2", "PINGRESP"}},
	} {
		for _, v := range []byte{3, 5} {
			if tt.v != 0 && tt.v != v {
				continue
			}
			t.Run(string('0'+rune(v))+" "+tt.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					c := r.join(v, "odd")
					c.send(tt.send, pingreq())
					got := c.seen()
					slices.Sort(got) // PINGRESP may be ahead of what waits for a batch
					slices.Sort(tt.want)
					if !slices.Equal(got, tt.want) {
						t.Errorf("got %q, want %q", got, tt.want)
					}
				})
			})
		}
	}
}

// TestFirstPacketIsConnect: nothing answers a stranger who does not begin with CONNECT [MQTT-3.1.0-1].
func TestFirstPacketIsConnect(t *testing.T) {
	for header := 0; header < 0x100; header += 0x10 {
		if header == 0x10 {
			continue
		}
		bubble(t, func(_ *testing.T, r *rig) {
			c := r.dial()
			c.say(frame(byte(header)|map[int]byte{0x60: 2, 0x80: 2, 0xA0: 2}[header], u16(1), str("a"), []byte{0}))
			c.wantSeen("closed")
		})
	}
}

// TestOversizedPacketMakesNoBuffer: a Remaining Length over the limit is refused before memory is taken for it, also
// in a CONNECT.
func TestOversizedPacketMakesNoBuffer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.join(5, "big")
		conn := r.only()
		c.say([]byte{0x30, 0xC1, 0x8F, 0x09}) // 149,441 bytes and four: one more than 149,504 is 0xFD
		synctest.Wait()
		if n := len(conn.rb.buf); n > 160<<10 {
			t.Errorf("a buffer of %d bytes", n)
		}
		c.wantSeen()
		_ = c.nc.Close()

		d := r.join(5, "bigger")
		conn = r.only()
		d.say([]byte{0x30, 0xFD, 0x8F, 0x09}) // one byte over the limit
		synctest.Wait()
		if n := len(conn.rb.buf); n > readSizes[0] {
			t.Errorf("a buffer of %d bytes", n)
		}
		d.wantSeen("DISCONNECT 95", "closed")

		e := r.dial()
		e.say([]byte{0x10, 0xFD, 0x8F, 0x09})
		e.wantSeen("closed")
	})
}

// TestBigConnectGrowsSlowly: before somebody is known, memory follows what was sent, not what was announced.
func TestBigConnectGrowsSlowly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.dial()
		c.send([]byte{0x10, 0xC0, 0x9A, 0x06})
		synctest.Wait()
		if n := len(r.only().rb.buf); n > 16<<10 {
			t.Errorf("a buffer of %d bytes after four bytes", n)
		}
		c.send(make([]byte, 10<<10))
		synctest.Wait()
		if n := len(r.only().rb.buf); n > 16<<10 {
			t.Errorf("a buffer of %d bytes after 10 KiB", n)
		}
	})
}

// only is the one connection that there is, in a bubble.
func (r *rig) only() *conn {
	r.t.Helper()
	synctest.Wait()
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	for c := range r.gateway.conns {
		if len(r.gateway.conns) == 1 {
			return c
		}
	}
	r.t.Fatalf("%d connections", len(r.gateway.conns))
	return nil
}

// TestConnectRules are CONNECTs that are refused, and some that must not be.
func TestConnectRules(t *testing.T) {
	long := strings.Repeat("x", 129)
	connect5 := func(flags byte, props []byte, payload ...[]byte) []byte {
		return frame(0x10, str("MQTT"), []byte{5, flags}, u16(60), props, bytes.Join(payload, nil))
	}
	connect3 := func(name string, level, flags byte, payload ...[]byte) []byte {
		return frame(0x10, str(name), []byte{level, flags}, u16(60), bytes.Join(payload, nil))
	}
	none := []byte{0}
	for _, tt := range []struct {
		name string
		v    byte
		send []byte
		want []string
	}{
		{"MQTT 3.1", 3, connect3("MQIsdp", 3, 2, str("c")), []string{"CONNACK 00 present=false"}},
		{"user name without password", 3, connect3("MQTT", 4, 0x82, str("c"), str("?SDK=PythonV2&Version=dev")), []string{"CONNACK 00 present=false"}},
		{"empty id, clean", 3, connect3("MQTT", 4, 2, str("")), []string{"CONNACK 00 present=false"}},
		{"empty id, not clean", 3, connect3("MQTT", 4, 0, str("")), []string{"CONNACK 02 present=false", "closed"}},
		{"id with $", 3, connect3("MQTT", 4, 2, str("$c")), []string{"CONNACK 02 present=false", "closed"}},
		{"id of 129 bytes", 3, connect3("MQTT", 4, 2, str(long)), []string{"CONNACK 02 present=false", "closed"}},
		{"id of 128 bytes", 3, connect3("MQTT", 4, 2, str(long[1:])), []string{"CONNACK 00 present=false"}},
		{"level 2", 3, connect3("MQTT", 2, 2, str("c")), []string{"CONNACK 01 present=false", "closed"}},
		{"level 6", 5, connect3("MQTT", 6, 2, none, str("c")), []string{"CONNACK 84 present=false", "closed"}},
		{"another protocol", 3, connect3("MQTX", 4, 2, str("c")), []string{"CONNACK 01 present=false", "closed"}},
		{"reserved flag", 3, connect3("MQTT", 4, 3, str("c")), []string{"closed"}},
		{"password without user name", 3, connect3("MQTT", 4, 0x42, str("c"), str("p")), []string{"closed"}},
		{"will at QoS 2", 3, connect3("MQTT", 4, 0x16, str("c"), str("w"), str("")), []string{"closed"}},
		{"will at QoS 3", 3, connect3("MQTT", 4, 0x1E, str("c"), str("w"), str("")), []string{"closed"}},
		{"will on a wildcard", 3, connect3("MQTT", 4, 0x06, str("c"), str("w/#"), str("")), []string{"closed"}},
		{"bytes behind its end", 3, connect3("MQTT", 4, 2, str("c"), none), []string{"closed"}},

		{"reserved flag", 5, connect5(3, none, str("c")), []string{"CONNACK 81 present=false", "closed"}},
		{"id with $", 5, connect5(2, none, str("$GEN/c")), []string{"CONNACK 85 present=false", "closed"}},
		{"id of 129 bytes", 5, connect5(2, none, str(long)), []string{"CONNACK 85 present=false", "closed"}},
		{"will at QoS 2", 5, connect5(0x16, none, str("c"), none, str("w"), str("")), []string{"CONNACK 9b present=false", "closed"}},
		{"will at QoS 3", 5, connect5(0x1E, none, str("c"), none, str("w"), str("")), []string{"CONNACK 81 present=false", "closed"}},
		{"will on a wildcard", 5, connect5(0x06, none, str("c"), none, str("w/#"), str("")), []string{"CONNACK 90 present=false", "closed"}},
		{"will on a reserved topic", 5, connect5(0x06, none, str("c"), none, str("$x"), str("")), []string{"CONNACK 90 present=false", "closed"}},
		{"will with a long content type", 5, connect5(0x06, none, str("c"), props(prop(0x03, str(strings.Repeat("t", 257))...)), str("w"), str("")), []string{"CONNACK 97 present=false", "closed"}},
		{"property twice", 5, connect5(2, props(prop(0x21, 0, 9), prop(0x21, 0, 9)), str("c")), []string{"CONNACK 82 present=false", "closed"}},
		{"Receive Maximum 0", 5, connect5(2, props(prop(0x21, 0, 0)), str("c")), []string{"CONNACK 82 present=false", "closed"}},
		{"Maximum Packet Size 0", 5, connect5(2, props(prop(0x27, 0, 0, 0, 0)), str("c")), []string{"CONNACK 82 present=false", "closed"}},
		{"Maximum Packet Size 511", 5, connect5(2, props(prop(0x27, 0, 0, 1, 0xFF)), str("c")), []string{"CONNACK 95 present=false", "closed"}},
		{"Maximum Packet Size 512", 5, connect5(2, props(prop(0x27, 0, 0, 2, 0)), str("c")), []string{"CONNACK 00 present=false"}},
		{"authentication method", 5, connect5(2, props(prop(0x15, str("SCRAM")...)), str("c")), []string{"CONNACK 8c present=false", "closed"}},
		{"authentication data alone", 5, connect5(2, props(prop(0x16, str("x")...)), str("c")), []string{"CONNACK 82 present=false", "closed"}},
		{"Request Problem Information 2", 5, connect5(2, props(prop(0x17, 2)), str("c")), []string{"CONNACK 82 present=false", "closed"}},
		{"password without user name", 5, connect5(0x42, none, str("c"), str("p")), []string{"CONNACK 00 present=false"}},
	} {
		t.Run(string('0'+rune(tt.v))+" "+tt.name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, r *rig) {
				other := r.join(tt.v, "other")
				c := r.dial()
				c.version = tt.v
				c.say(tt.send)
				c.wantSeen(tt.want...)
				other.ping()
				if tt.want[len(tt.want)-1] == "closed" && len(r.book.find("cause=")) == 0 {
					t.Error("a close without a cause")
				}
			})
		})
	}
}

var _ = packets.CONNECT
