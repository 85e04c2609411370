package foreign

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// client5 is a connection of paho.golang.
type client5 struct {
	*paho.Client
	t       *testing.T
	conn    net.Conn
	connack *paho.Connack
	inbox   chan *paho.Publish
	ended   chan *paho.Disconnect // by the server
}

// dial5 connects without insisting on success.
func dial5(t *testing.T, as *thing, connect *paho.Connect) (*client5, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", theServer.mqtts, as.tls)
	if err != nil {
		t.Fatal(err)
	}
	c := &client5{t: t, conn: conn, inbox: make(chan *paho.Publish, 1000), ended: make(chan *paho.Disconnect, 1)}
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn), ClientID: connect.ClientID, PacketTimeout: wait,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			c.inbox <- r.Packet
			return true, nil
		}},
		OnServerDisconnect: func(d *paho.Disconnect) { c.ended <- d },
		OnClientError:      func(error) {}, // the tests look at what they expect
	})
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	connect.KeepAlive = 60
	c.connack, err = c.Connect(ctx, connect)
	return c, err
}

func open5(t *testing.T, as *thing, connect *paho.Connect) *client5 {
	t.Helper()
	c, err := dial5(t, as, connect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}) }) // it may be closed by now
	return c
}

func clean(id string) *paho.Connect { return &paho.Connect{ClientID: id, CleanStart: true} }

func persistent(id string) *paho.Connect {
	return &paho.Connect{ClientID: id, Properties: &paho.ConnectProperties{SessionExpiryInterval: new(uint32(600))}}
}

func (c *client5) subscribe(options ...paho.SubscribeOptions) (*paho.Suback, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), wait)
	defer cancel()
	return c.Subscribe(ctx, &paho.Subscribe{Subscriptions: options})
}

func (c *client5) mustSubscribe(filters ...string) {
	c.t.Helper()
	for _, filter := range filters {
		if _, err := c.subscribe(paho.SubscribeOptions{Topic: filter, QoS: 1}); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *client5) send(p *paho.Publish) (*paho.PublishResponse, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), wait)
	defer cancel()
	return c.Publish(ctx, p)
}

func (c *client5) publish(p *paho.Publish) {
	c.t.Helper()
	p.QoS = 1
	if _, err := c.send(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client5) next() *paho.Publish {
	c.t.Helper()
	return take(c.t, c.inbox, "message")
}

// texts are the payloads of the next n messages.
func (c *client5) texts(n int) (got []string) {
	c.t.Helper()
	for range n {
		got = append(got, string(c.next().Payload))
	}
	return got
}

func text(topic, payload string) *paho.Publish {
	return &paho.Publish{Topic: topic, Payload: []byte(payload)}
}

// passedOn is everything of a message that the broker passes on.
func passedOn() *paho.PublishProperties {
	return &paho.PublishProperties{
		PayloadFormat: new(byte(1)), ContentType: "application/json", ResponseTopic: "go5/answers",
		CorrelationData: []byte{0, 1, 255}, User: paho.UserProperties{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "a", Value: "3"}},
	}
}

func checkPassedOn(t *testing.T, got *paho.PublishProperties) {
	t.Helper()
	want := passedOn()
	if got.PayloadFormat == nil || *got.PayloadFormat != 1 || got.ContentType != want.ContentType ||
		got.ResponseTopic != want.ResponseTopic || string(got.CorrelationData) != string(want.CorrelationData) ||
		!slices.Equal(got.User, want.User) {
		t.Errorf("properties: got %+v, want %+v", got, want)
	}
}

func TestMQTT5Connack(t *testing.T) {
	c := open5(t, everything, persistent(unique("go5")))
	p := c.connack.Properties
	if *p.ReceiveMaximum != 100 || *p.MaximumQoS != 1 || !p.RetainAvailable || *p.MaximumPacketSize != 149_504 ||
		*p.TopicAliasMaximum != 8 || !p.WildcardSubAvailable || p.SubIDAvailable || !p.SharedSubAvailable ||
		*p.ServerKeepAlive != 60 || *p.SessionExpiryInterval != 600 {
		t.Errorf("CONNACK has %+v", p)
	}
	if id := open5(t, everything, clean("")).connack.Properties.AssignedClientID; !strings.HasPrefix(id, "$GEN/") {
		t.Errorf("assigned client id %q", id)
	}
}

func TestMQTT5PropertiesArePassedOn(t *testing.T) {
	c, topic := open5(t, everything, clean(unique("go5"))), unique("go5/properties")
	c.mustSubscribe(topic + "/+")
	p := passedOn()
	p.MessageExpiry = new(uint32(600))
	c.publish(&paho.Publish{Topic: topic + "/live", Payload: []byte("{}"), Properties: p})
	live := c.next()
	checkPassedOn(t, live.Properties)
	if e := live.Properties.MessageExpiry; e == nil || *e > 600 || *e < 590 {
		t.Errorf("message expiry %v", e)
	}
	c.publish(&paho.Publish{Topic: topic + "/kept", Payload: []byte("{}"), Retain: true, Properties: passedOn()})
	checkPassedOn(t, c.next().Properties)
	c.mustSubscribe(topic + "/kept")
	kept := c.next()
	checkPassedOn(t, kept.Properties)
	if !kept.Retain {
		t.Error("a retained message came without its flag")
	}
}

func TestMQTT5Will(t *testing.T) {
	watcher, topic := open5(t, everything, clean(unique("go5"))), unique("go5/will")
	watcher.mustSubscribe(topic)
	dying := clean(unique("go5"))
	dying.WillMessage = &paho.WillMessage{Topic: topic, Payload: []byte("gone"), QoS: 1}
	// paho.golang 0.23 writes no other properties of a will, whatever it is given: it packs them as those of CONNECT.
	dying.WillProperties = &paho.WillProperties{User: passedOn().User}
	c := open5(t, everything, dying)
	if err := c.conn.(*tls.Conn).NetConn().Close(); err != nil { // no DISCONNECT, no close_notify
		t.Fatal(err)
	}
	will := watcher.next()
	if string(will.Payload) != "gone" || will.Retain {
		t.Errorf("will %q, retain %t", will.Payload, will.Retain)
	}
	if !slices.Equal(will.Properties.User, passedOn().User) {
		t.Errorf("user properties %v", will.Properties.User)
	}
}

func TestMQTT5Shared(t *testing.T) {
	topic, group := unique("go5/shared"), unique("group")
	a, b := open5(t, everything, clean(unique("go5"))), open5(t, everything, clean(unique("go5")))
	b.inbox = a.inbox
	for _, member := range []*client5{a, b} {
		member.mustSubscribe("$share/" + group + "/" + topic)
	}
	publisher := open5(t, everything, clean(unique("go5")))
	var sent []string
	for n := range 40 {
		sent = append(sent, fmt.Sprintf("m%02d", n))
		publisher.publish(text(topic, sent[n]))
	}
	got := a.texts(40)
	slices.Sort(got)
	if !slices.Equal(got, sent) {
		t.Fatalf("got %v", got)
	}
}

func TestMQTT5SessionResumeAndExpiry(t *testing.T) {
	id, topic := unique("go5"), unique("go5/session")
	first := open5(t, everything, persistent(id))
	first.mustSubscribe(topic + "/+")
	if err := first.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	publisher := open5(t, everything, clean(unique("go5")))
	short := func(p *paho.Publish) *paho.Publish {
		p.Properties = &paho.PublishProperties{MessageExpiry: new(uint32(1))}
		return p
	}
	publisher.publish(short(text(topic+"/queued", "too late")))
	publisher.publish(text(topic+"/queued", "in time"))
	kept := short(text(unique("go5/kept"), "too late"))
	kept.Retain = true
	publisher.publish(kept)
	publisher.untilExpired(kept.Topic)
	second := open5(t, everything, persistent(id))
	if !second.connack.SessionPresent {
		t.Fatal("no session")
	}
	publisher.publish(text(topic+"/queued", "live"))
	if got := second.texts(2); !slices.Equal(got, []string{"in time", "live"}) {
		t.Errorf("got %q", got)
	}
	// DISCONNECT can end the session.
	end := &paho.Disconnect{Properties: &paho.DisconnectProperties{SessionExpiryInterval: new(uint32(0))}}
	if err := second.Disconnect(end); err != nil {
		t.Fatal(err)
	}
	if open5(t, everything, persistent(id)).connack.SessionPresent {
		t.Error("the session is still there")
	}
}

// untilExpired asks for a retained message until there is none.
func (c *client5) untilExpired(topic string) {
	c.t.Helper()
	marker := unique("go5/marker")
	c.mustSubscribe(marker)
	for {
		c.mustSubscribe(topic)
		c.publish(text(marker, ""))
		if c.next().Topic == marker {
			return
		}
		c.next() // the marker
	}
}

func TestMQTT5TopicAliases(t *testing.T) {
	c, topic := open5(t, everything, clean(unique("go5"))), unique("go5/alias")
	c.mustSubscribe(topic + "/+")
	for _, name := range []string{topic + "/a", "", topic + "/b", ""} {
		c.publish(&paho.Publish{Topic: name, Payload: []byte("x"), Properties: &paho.PublishProperties{TopicAlias: new(uint16(1))}})
	}
	for _, want := range []string{"/a", "/a", "/b", "/b"} {
		if got := c.next().Topic; got != topic+want {
			t.Errorf("got topic %s, want %s%s", got, topic, want)
		}
	}
}

func TestMQTT5SubscriptionOptions(t *testing.T) {
	topic := unique("go5/options")
	c, other := open5(t, everything, clean(unique("go5"))), open5(t, everything, clean(unique("go5")))
	other.publish(&paho.Publish{Topic: topic + "/kept", Payload: []byte("kept"), Retain: true})
	for _, o := range []paho.SubscribeOptions{
		{Topic: topic + "/mine", QoS: 1, NoLocal: true},
		{Topic: topic + "/as-is", QoS: 1, RetainAsPublished: true},
		{Topic: topic + "/kept", QoS: 1, RetainHandling: 1},
		{Topic: topic + "/kept", QoS: 1, RetainHandling: 1}, // not new any more
		{Topic: topic + "/kept", QoS: 1, RetainHandling: 2},
	} {
		if _, err := c.subscribe(o); err != nil {
			t.Fatal(err)
		}
	}
	c.publish(text(topic+"/mine", "from myself"))
	other.publish(text(topic+"/mine", "from another"))
	other.publish(&paho.Publish{Topic: topic + "/as-is", Payload: []byte("with its flag"), Retain: true})
	for _, want := range []struct {
		text   string
		retain bool
	}{{"kept", true}, {"from another", false}, {"with its flag", true}} {
		if m := c.next(); string(m.Payload) != want.text || m.Retain != want.retain {
			t.Errorf("got %q retain %t, want %+v", m.Payload, m.Retain, want)
		}
	}
}

func TestMQTT5Takeover(t *testing.T) {
	id := unique("go5")
	first := open5(t, everything, clean(id))
	second := open5(t, everything, clean(id))
	if d := take(t, first.ended, "DISCONNECT"); d.ReasonCode != 0x8E {
		t.Errorf("DISCONNECT 0x%02X, not 0x8E", d.ReasonCode)
	}
	second.publish(text(unique("go5/taken"), "still here"))
}

func TestMQTT5Denied(t *testing.T) {
	one := scoped(t)
	c, err := dial5(t, one, clean("not-allowed"))
	if err == nil || c.connack == nil || c.connack.ReasonCode != 0x87 {
		t.Fatalf("CONNECT: %v, CONNACK %+v", err, c.connack)
	}
	saysWhy(t, c.connack.Properties.ReasonString, "iot:Connect on client/not-allowed")

	c = open5(t, one, clean(unique("allowed")))
	suback, err := c.subscribe(paho.SubscribeOptions{Topic: "mine/a", QoS: 1}, paho.SubscribeOptions{Topic: "theirs/a", QoS: 1})
	if err == nil || !slices.Equal(suback.Reasons, []byte{1, 0x87}) {
		t.Fatalf("SUBSCRIBE: %v, SUBACK %+v", err, suback)
	}
	saysWhy(t, suback.Properties.ReasonString, "iot:Subscribe on topicfilter/theirs/a")
	puback, err := c.send(&paho.Publish{Topic: "theirs/a", QoS: 1})
	if err == nil || puback.ReasonCode != 0x87 {
		t.Fatalf("PUBLISH: %v, PUBACK %+v", err, puback)
	}
	saysWhy(t, puback.Properties.ReasonString, "iot:Publish on topic/theirs/a")
	c.publish(text("mine/a", "the connection stays"))
	if got := c.texts(1)[0]; got != "the connection stays" {
		t.Errorf("got %q", got)
	}
	if _, err := c.send(&paho.Publish{Topic: "theirs/a"}); err != nil {
		t.Fatal(err)
	}
	d := take(t, c.ended, "DISCONNECT")
	if d.ReasonCode != 0x87 {
		t.Errorf("DISCONNECT 0x%02X, not 0x87", d.ReasonCode)
	}
	saysWhy(t, d.Properties.ReasonString, "iot:Publish on topic/theirs/a")
}

func saysWhy(t *testing.T, reason, what string) {
	t.Helper()
	if !strings.Contains(reason, "no policy allows "+what) {
		t.Errorf("reason string %q does not say %q", reason, what)
	}
}
