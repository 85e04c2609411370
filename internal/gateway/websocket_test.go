package gateway

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/thingwire/thingwire/internal/journal"
)

// TestWebSocketTTL: a connection over WebSocket ends with its 24th hour, or with the session that signed it, and says
// which of both it was.
func TestWebSocketTTL(t *testing.T) {
	for _, tt := range []struct {
		name    string
		session time.Duration // 0: an access key
		after   time.Duration
		words   string
	}{
		{"access key", 0, 24 * time.Hour, "24 hours old"},
		{"session", time.Hour, time.Hour, "session that signed"},
		{"longer session", 36 * time.Hour, 24 * time.Hour, "24 hours old"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				s := r.signer(allowAll)
				if tt.session != 0 {
					s = r.session(s, tt.session)
				}
				began := time.Now()
				watcher := r.join(5, "watcher")
				watcher.sub(0, "will/+")
				c5, c3 := r.web(s), r.web(s)
				c5.hello(5, hello{id: "five", clean: true, keepAlive: 1200, will: c5.will("will/five", "x")})
				c3.hello(3, hello{id: "three", clean: true, keepAlive: 1200})
				for time.Since(began) < tt.after-20*time.Minute { // the wheel turns more than once
					pass(10 * time.Minute)
					for _, c := range []*client{c5, c3, watcher} {
						c.ping()
					}
				}
				pass(tt.after - time.Since(began) - time.Second)
				c5.ping()
				c5.want("DISCONNECT 98", "closed")
				if lived := time.Since(began); lived < tt.after || lived > tt.after+3*time.Second {
					t.Errorf("it lived %s", lived)
				}
				c3.want("closed")
				for _, id := range []string{"five", "three"} {
					r.wantCause(id, "WEBSOCKET_TTL_EXPIRATION")
					entries := r.journal.Query(journal.Query{ClientID: id})
					if e := entries[len(entries)-1]; !strings.Contains(e.Cause, tt.words) || e.Remedy == "" {
						t.Errorf("the journal says %+v", e)
					}
				}
				watcher.wantSeen("PUBLISH will/five x")
			}, withKeys)
		})
	}
}

// TestAccessKeyTakenBack: a key that is deleted or deactivated, or whose user is gone, ends its connections within a
// second, and no others.
func TestAccessKeyTakenBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		take func(t *testing.T, r *rig, s *signer) error
		want string
	}{
		{"deactivated", func(t *testing.T, r *rig, s *signer) error {
			return r.keys.SetAccessKeyActive(t.Context(), s.user, s.key.ID, false)
		}, "is inactive"},
		{"deleted", func(t *testing.T, r *rig, s *signer) error {
			return r.keys.DeleteAccessKey(t.Context(), s.user, s.key.ID)
		}, "there is no access key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				s := r.signer(allowAll)
				session := r.session(s, time.Hour)
				c5, c3, other := r.joinWeb(s, 5, "five"), r.joinWeb(s, 3, "three"), r.joinWeb(session, 5, "other")
				waiting := r.web(s)
				began := time.Now()
				must(t, tt.take(t, r, s))
				c5.want("DISCONNECT 87", "closed")
				c3.want("closed")
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
				waiting.version = 5
				waiting.send(hello{id: "waiting", clean: true}.bytes(5))
				waiting.want("CONNACK 87 present=false", "closed")
				for _, id := range []string{"five", "three"} {
					r.wantCause(id, "SERVER_INITIATED_DISCONNECT")
					entries := r.journal.Query(journal.Query{ClientID: id})
					e := entries[len(entries)-1]
					if !strings.Contains(e.Cause, s.key.ID) || !strings.Contains(e.Cause, tt.want) || !strings.Contains(e.Remedy, "access key") {
						t.Errorf("the journal says %+v", e)
					}
				}
				other.ping() // a session goes on without the key that it was taken with
			}, withKeys)
		})
	}
}

// TestUserGone: the sessions of a user end with the user.
func TestUserGone(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		s := r.signer(allowAll)
		c := r.joinWeb(r.session(s, time.Hour), 5, "c")
		must(t, r.keys.DeleteAccessKey(ctx, s.user, s.key.ID))
		must(t, r.keys.DeleteUserPolicy(ctx, s.user, "own"))
		must(t, r.keys.DeleteUser(ctx, s.user))
		c.want("DISCONNECT 87", "closed")
		r.wantCause("c", "SERVER_INITIATED_DISCONNECT")
	}, withKeys)
}

// TestUserPolicyOnALiveConnection: the policies of the user count, and their change is felt on a live connection.
func TestUserPolicyOnALiveConnection(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		narrow := document(statement("Allow", "Connect", "client/c"), statement("Allow", "Publish", "topic/a"), statement("Allow", "Subscribe", "*"), statement("Allow", "Receive", "topic/a"))
		s := r.signer(narrow)
		refused := r.web(s)
		refused.version = 5
		refused.send(hello{id: "d", clean: true}.bytes(5))
		refused.want("CONNACK 87 present=false", "closed")

		c := r.joinWeb(s, 5, "c")
		c.sub(0, "+")
		c.send(c.publish("b", "1", 1, 1), c.publish("a", "2", 1, 2))
		if got := c.seen(); !slices.Contains(got, "PUBACK 1 87") || !slices.Contains(got, "PUBACK 2") || !slices.Contains(got, "PUBLISH a 2") {
			t.Errorf("got %q", got)
		}
		must(t, r.keys.PutUserPolicy(t.Context(), s.user, "own", allowAll))
		synctest.Wait()
		c.send(c.publish("b", "3", 1, 3))
		if got := c.seen(); !slices.Contains(got, "PUBACK 3") || !slices.Contains(got, "PUBLISH b 3") {
			t.Errorf("got %q", got)
		}
		must(t, r.keys.PutUserPolicy(t.Context(), s.user, "own", narrow))
		synctest.Wait()
		c.send(c.publish("b", "4", 1, 4))
		c.wantSeen("PUBACK 4 87")
	}, withKeys)
}

// TestPrincipalOfASigner: lifecycle events and the journal name the user by account and id, and policies know the name.
func TestPrincipalOfASigner(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(document(statement("Allow", "Connect", "client/${aws:username}-1"), statement("Allow", "Publish", "topic/${iot:ClientId}")))
		watcher := r.join(5, "watcher")
		watcher.sub(0, "$aws/events/presence/connected/+")
		c := r.joinWeb(s, 5, "bob-1")
		user, err := r.keys.GetUser(t.Context(), "bob")
		must(t, err)
		principal := "000000000000/" + user.ID
		f := watcher.next()
		if !strings.Contains(string(f), `"principalIdentifier":"`+principal+`"`) {
			t.Errorf("told %q", f)
		}
		if e := r.journal.Query(journal.Query{ClientID: "bob-1"})[0]; e.PrincipalID != principal || e.Listener != string(API) {
			t.Errorf("the journal says %+v", e)
		}
		c.send(c.publish("bob-1", "x", 1, 1))
		c.want("PUBACK 1")
	}, withKeys)
}

// TestWillOverWebSocket: a close frame is the client's own goodbye, for which there is no will; a connection that is lost
// or broken has one.
func TestWillOverWebSocket(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		watcher := r.join(5, "watcher")
		watcher.sub(0, "will/+")
		for _, tt := range []struct {
			name   string
			end    func(c *client, f *framed)
			reason string
			will   bool
		}{
			{"close", func(_ *client, f *framed) {
				must(t, f.ws.WriteControl(websocket.CloseMessage, []byte{3, 232}, time.Now().Add(time.Second)))
			}, "CLIENT_INITIATED_DISCONNECT", false},
			{"disconnect", func(c *client, _ *framed) { c.send(disconnect()) }, "CLIENT_INITIATED_DISCONNECT", false},
			{"lost", func(c *client, _ *framed) { c.hangUp() }, "CONNECTION_LOST", true},
			{"text", func(_ *client, f *framed) { must(t, f.ws.WriteMessage(websocket.TextMessage, pingreq())) }, "CLIENT_ERROR", true},
			{"silent", func(*client, *framed) { pass(2 * time.Minute) }, "MQTT_KEEP_ALIVE_TIMEOUT", true},
		} {
			f := r.overWebSocket(r.piped(), s, protocolMQTTName)
			c := newClient(t, f)
			c.listen()
			c.hello(5, hello{id: tt.name, clean: true, keepAlive: 60, will: c.will("will/"+tt.name, "x")})
			tt.end(c, f)
			r.wantCause(tt.name, tt.reason)
			watcher.send(pingreq())
			want := []string{"PINGRESP"}
			got := slices.DeleteFunc(watcher.seen(), func(w string) bool { return w != "PINGRESP" && !strings.HasPrefix(w, "PUBLISH") })
			if tt.will {
				want = append(want, "PUBLISH will/"+tt.name+" x")
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", tt.name, got, want)
			}
		}
	}, withKeys)
}

// TestPingIsNoPacket: a ping of WebSocket is answered and does not stand for PINGREQ [MQTT-3.1.2-22].
func TestPingIsNoPacket(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		f := r.overWebSocket(r.piped(), r.signer(allowAll), protocolMQTTName)
		c := newClient(t, f)
		pongs := 0
		f.ws.SetPongHandler(func(string) error { pongs++; return nil })
		c.listen()
		c.hello(5, hello{id: "c", clean: true, keepAlive: 60})
		for range 9 {
			pass(10 * time.Second)
			_ = f.ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second))
		}
		c.want("DISCONNECT 8d", "closed")
		r.wantCause("c", "MQTT_KEEP_ALIVE_TIMEOUT")
		if pongs < 8 {
			t.Errorf("%d pongs", pongs)
		}
	}, withKeys)
}

// TestShutdownOfWebSockets: the server says that it goes away, in MQTT and in WebSocket.
func TestShutdownOfWebSockets(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		var ends []*websocket.CloseError
		for _, id := range []string{"c", ""} {
			f := r.overWebSocket(r.piped(), s, protocolMQTTName)
			f.ws.SetCloseHandler(func(code int, text string) error {
				ends = append(ends, &websocket.CloseError{Code: code, Text: text})
				return nil
			})
			c := newClient(t, f)
			c.listen()
			if id != "" {
				c.hello(5, hello{id: id, clean: true})
				defer c.want("DISCONNECT 8b", "closed")
			}
		}
		synctest.Wait()
		r.shutdown()
		synctest.Wait()
		if len(ends) != 2 || ends[0].Code != websocket.CloseGoingAway || ends[1].Code != websocket.CloseGoingAway {
			t.Errorf("close frames: %v", ends)
		}
	}, withKeys)
}

// TestNoConnectOverWebSocket: who upgrades and says nothing is closed after 30 s.
func TestNoConnectOverWebSocket(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, s := range []*signer{nobody, r.signer(allowAll)} {
			began := time.Now()
			c := r.web(s)
			pass(connectTimeout - time.Second)
			c.want("closed")
			if waited := time.Since(began); waited < connectTimeout || waited > connectTimeout+lastWords {
				t.Errorf("it took %s", waited)
			}
		}
	}, withKeys)
}

// TestOnePacketInAFrame: the AWS IoT Device SDK v1 for Python, which offers mqttv3.1, looks at a packet that came behind
// another one in a frame only when the next frame comes. All others get what one write has in as few frames as it has
// pieces.
func TestOnePacketInAFrame(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		pub := r.join(5, "pub")
		for _, tt := range []struct {
			protocol string
			single   bool
		}{{protocolMQTT31, true}, {protocolMQTTName, false}} {
			f := r.overWebSocket(r.piped(), s, tt.protocol)
			c := newClient(t, f)
			c.listen()
			c.hello(3, hello{id: "sub" + tt.protocol, clean: true})
			c.sub(0, "t")
			batch := []byte(nil)
			for range 20 {
				batch = append(batch, pub.publish("t", payload(100), 0, 0)...)
			}
			pub.send(batch)
			if got := c.seen(); len(got) != 20 {
				t.Fatalf("%d messages came", len(got))
			}
			frames := f.sizes[2:]
			if single := len(frames) == 20; single != tt.single {
				t.Errorf("%s: 20 messages in frames of %v bytes", tt.protocol, frames)
			}
		}
	}, withKeys)
}

// TestManyMessagesOverWebSocket: what batches, blocks, frames, records and the cork make of messages of all sizes is what
// was sent.
func TestManyMessagesOverWebSocket(t *testing.T) {
	r := newRig(t, withTLS, withKeys)
	s := r.signer(allowAll)
	for _, kind := range []Kind{API, Console} {
		for _, protocol := range []string{protocolMQTTName, protocolMQTT31} {
			t.Run(fmt.Sprint(kind, " ", protocol), func(t *testing.T) {
				dial := func(protocol string) *client {
					nc := r.socket(kind)
					if kind == API {
						cfg, _ := r.tlsConfig(nil)
						c, err := r.secure(kind, cfg)
						must(t, err)
						nc = c.nc
					}
					c := newClient(t, r.overWebSocket(nc, s, protocol))
					c.listen()
					return c
				}
				sub, pub := dial(protocol), dial(protocolMQTTName)
				sub.hello(5, hello{id: "sub", clean: true})
				sub.sub(1, "t")
				pub.hello(3, hello{id: "pub", clean: true})
				const count = 300
				sizes := []int{10, 100, 3000, 15_000, 17_000, 70_000}
				go func() {
					for i := range count {
						pub.say(pub.publish("t", fmt.Sprintf("%06d", i)+payload(sizes[i%len(sizes)]), byte(i%2), uint16(i+1)))
					}
				}()
				for i := range count {
					f := sub.next()
					size := 6 + sizes[i%len(sizes)]
					if got := string(f[len(f)-size : len(f)-size+6]); got != fmt.Sprintf("%06d", i) {
						t.Fatalf("message %q comes as number %d", got, i)
					}
					if id := f[0] & 0x06; id != 0 {
						at := len(f) - size - 3
						sub.send(frame(0x40, f[at:at+2]))
					}
				}
				for i := 1; i < count; i += 2 {
					pub.want(fmt.Sprintf("PUBACK %d", i+1))
				}
			})
		}
	}
}

// TestLastWordsOverWebSocket: a client that sends more than it may still reads why it was closed, to the end of TCP.
func TestLastWordsOverWebSocket(t *testing.T) {
	r := newRig(t, withTLS, withKeys)
	s := r.signer(allowAll)
	cfg, _ := r.tlsConfig(nil)
	c, err := r.secure(API, cfg)
	must(t, err)
	for _, nc := range []net.Conn{c.nc, r.socket(Console)} {
		_, br := upgraded(t, nc, asked(s.address())...)
		_, err = nc.Write(webFrame(webFin|webData, hello{id: "c", clean: true}.bytes(5), frame(0x30, str("t"), []byte{0}, make([]byte, 300<<10))))
		must(t, err)
		got, err := io.ReadAll(br)
		if words := (&client{version: 5}).webFrames(t, got); err != nil || !slices.Equal(words, []string{"CONNACK 00 present=false", "DISCONNECT 95", "close 1000"}) {
			t.Errorf("got %q, %v", words, err)
		}
		_ = nc.Close()
	}
}

// TestGatewaysHoldNoWebSockets: when all have gone nothing is left of them.
func TestNothingIsLeftOfWebSockets(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		for i := range 20 {
			c := r.joinWeb(s, 5, fmt.Sprint("c", i))
			if i%2 == 0 {
				c.send(disconnect())
			}
			c.hangUp()
		}
		synctest.Wait()
		pass(2 * lastWords)
		synctest.Wait()
		if n := len(r.gateway.conns) + len(r.gateway.byPrincipal) + len(r.gateway.strangers); n != 0 {
			t.Errorf("%d are remembered", n)
		}
	}, withKeys)
}
