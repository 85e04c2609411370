package foreign

import (
	"fmt"
	"slices"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// client3 is a connection of paho.mqtt.golang.
type client3 struct {
	mqtt.Client
	t       *testing.T
	inbox   chan mqtt.Message
	lost    chan error
	present bool
}

// dial3 connects without insisting on success.
func dial3(t *testing.T, as *thing, id string, configure ...func(*mqtt.ClientOptions)) (*client3, error) {
	c := &client3{t: t, inbox: make(chan mqtt.Message, 1000), lost: make(chan error, 1)}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + theServer.mqtts).SetClientID(id).SetTLSConfig(as.tls).
		SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(wait).SetOrderMatters(true)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { c.inbox <- m })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.lost <- err })
	for _, f := range configure {
		f(o)
	}
	c.Client = mqtt.NewClient(o)
	token := c.Connect().(*mqtt.ConnectToken)
	if !token.WaitTimeout(wait) {
		t.Fatal("CONNECT was neither accepted nor refused")
	}
	c.present = token.SessionPresent()
	return c, token.Error()
}

func open3(t *testing.T, as *thing, id string, configure ...func(*mqtt.ClientOptions)) *client3 {
	t.Helper()
	c, err := dial3(t, as, id, configure...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func persistent3(o *mqtt.ClientOptions) { o.SetCleanSession(false).SetResumeSubs(false) }

func (c *client3) done(token mqtt.Token) {
	c.t.Helper()
	if !token.WaitTimeout(wait) {
		c.t.Fatal("no answer")
	}
	if err := token.Error(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client3) subscribe(filter string, qos byte) {
	c.t.Helper()
	token := c.Subscribe(filter, qos, nil)
	c.done(token)
	for _, got := range token.(*mqtt.SubscribeToken).Result() { // paho names the filter without $share
		if got != qos {
			c.t.Fatalf("granted %d for %s, not %d", got, filter, qos)
		}
	}
}

func (c *client3) publish(topic, payload string, qos byte, retain bool) {
	c.t.Helper()
	c.done(c.Publish(topic, qos, retain, payload))
}

// expect waits for the next message and expects its topic, payload, QoS and retain flag.
func (c *client3) expect(topic, payload string, qos byte, retain bool) {
	c.t.Helper()
	m := take(c.t, c.inbox, "message "+payload)
	if m.Topic() != topic || string(m.Payload()) != payload || m.Qos() != qos || m.Retained() != retain || m.Duplicate() {
		c.t.Fatalf("got %s %q QoS %d retained %t duplicate %t, want %s %q QoS %d retained %t",
			m.Topic(), m.Payload(), m.Qos(), m.Retained(), m.Duplicate(), topic, payload, qos, retain)
	}
}

func will3(topic string, retain bool) func(*mqtt.ClientOptions) {
	return func(o *mqtt.ClientOptions) { o.SetWill(topic, "gone", 1, retain) }
}

func TestMQTT3PublishAndSubscribe(t *testing.T) {
	c, topic := open3(t, everything, unique("go3")), unique("go3/basic")
	c.subscribe(topic+"/+", 1)
	c.subscribe(topic+"/deep/#", 0)
	c.publish(topic+"/a", "one", 1, false)
	c.publish(topic+"/b", "zero", 0, false)
	c.publish(topic+"/deep/er", "down", 1, false)
	c.expect(topic+"/a", "one", 1, false)
	c.expect(topic+"/b", "zero", 0, false)
	c.expect(topic+"/deep/er", "down", 0, false)
	c.done(c.Unsubscribe(topic+"/+", topic+"/never"))
	c.publish(topic+"/a", "to nobody", 1, false)
	c.publish(topic+"/deep/er", "end", 1, false)
	c.expect(topic+"/deep/er", "end", 0, false)
}

func TestMQTT3TakeoverPublishesTheWill(t *testing.T) {
	id, topic := unique("go3"), unique("go3/will")
	watcher := open3(t, everything, unique("go3"))
	watcher.subscribe(topic, 1)
	first := open3(t, everything, id, will3(topic, true))
	second := open3(t, everything, id)
	take(t, first.lost, "end of the first connection")
	watcher.expect(topic, "gone", 1, false)
	second.subscribe(topic, 1)
	second.expect(topic, "gone", 1, true)
	// A client that leaves has no will.
	open3(t, everything, id, will3(topic, true)).Disconnect(100)
	watcher.publish(topic, "marker", 1, false)
	watcher.expect(topic, "marker", 1, false)
}

func TestMQTT3Retained(t *testing.T) {
	c, topic := open3(t, everything, unique("go3")), unique("go3/retained")
	c.publish(topic+"/a", "old", 1, true)
	c.publish(topic+"/a", "new", 1, true)
	c.subscribe(topic+"/+", 1) // a deviation of AWS's: nothing for wildcards
	c.subscribe(topic+"/a", 1)
	c.expect(topic+"/a", "new", 1, true)
	c.publish(topic+"/a", "", 1, true)
	c.expect(topic+"/a", "", 1, false)
	c.expect(topic+"/a", "", 1, false)
	c.subscribe(topic+"/a", 1)
	c.publish(topic+"/b", "marker", 1, false)
	c.expect(topic+"/b", "marker", 1, false)
}

func TestMQTT3Shared(t *testing.T) {
	topic, group := unique("go3/shared"), unique("group")
	a, b := open3(t, everything, unique("go3")), open3(t, everything, unique("go3"))
	for _, member := range []*client3{a, b} {
		member.subscribe("$share/"+group+"/"+topic, 1)
	}
	var sent, got []string
	for n := range 40 {
		sent = append(sent, fmt.Sprintf("m%02d", n))
		a.publish(topic, sent[n], 1, false)
	}
	for range sent {
		select {
		case m := <-a.inbox:
			got = append(got, string(m.Payload()))
		case m := <-b.inbox:
			got = append(got, string(m.Payload()))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, sent) {
		t.Fatalf("got %v", got)
	}
}

func TestMQTT3SessionResume(t *testing.T) {
	id, topic := unique("go3"), unique("go3/session")
	first := open3(t, everything, id, persistent3)
	if first.present {
		t.Fatal("a session before the first")
	}
	first.subscribe(topic, 1)
	first.Disconnect(100)
	publisher := open3(t, everything, unique("go3"))
	publisher.publish(topic, "QoS 0 is not stored", 0, false)
	for n := range 20 {
		publisher.publish(topic, fmt.Sprint("stored ", n), 1, false)
	}
	second := open3(t, everything, id, persistent3)
	if !second.present {
		t.Fatal("no session")
	}
	for n := range 20 {
		second.expect(topic, fmt.Sprint("stored ", n), 1, false)
	}
	second.Disconnect(100)
	if open3(t, everything, id).present {
		t.Fatal("a clean session found an old one")
	}
}

// On 3.1.1 a refusal is the end of the connection, and nothing says why (AWS IoT Core does the same).
func TestMQTT3Denied(t *testing.T) {
	one := scoped(t)
	if _, err := dial3(t, one, "not-allowed"); err == nil {
		t.Error("CONNECT was accepted")
	}
	if _, err := dial3(t, one, unique("allowed"), will3("theirs/will", false)); err == nil {
		t.Error("a will on a forbidden topic was accepted")
	}
	for name, act := range map[string]func(*client3){
		"SUBSCRIBE":     func(c *client3) { c.Subscribe("theirs/a", 1, nil) },
		"PUBLISH QoS 0": func(c *client3) { c.Publish("theirs/a", 0, false, "no") },
		"PUBLISH QoS 1": func(c *client3) { c.Publish("theirs/a", 1, false, "no") },
		"RETAIN":        func(c *client3) { c.Publish("mine/a", 1, true, "no") },
	} {
		t.Run(name, func(t *testing.T) {
			c := open3(t, one, unique("allowed"))
			c.subscribe("mine/#", 1)
			c.publish("mine/a", "allowed", 1, false)
			c.expect("mine/a", "allowed", 1, false)
			act(c)
			take(t, c.lost, "end of the connection")
		})
	}
}
