package thingwiretest_test

import (
	"crypto/tls"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/thingwire/thingwire/thingwiretest"
)

// TestLampReports is how a test of a device looks: a server, a thing with a policy, and the device's own MQTT client.
func TestLampReports(t *testing.T) {
	s := thingwiretest.Start(t)
	lamp := s.NewThing(t, "lamp", s.ThingScoped())

	conn, err := (&tls.Dialer{Config: lamp.TLSConfig()}).DialContext(t.Context(), "tcp", s.Addr("mqtts"))
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	client := paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			heard <- string(p.Packet.Payload)
			return true, nil
		}},
	})
	if _, err := client.Connect(t.Context(), &paho.Connect{ClientID: "lamp", KeepAlive: 30, CleanStart: true}); err != nil {
		t.Fatal(err)
	}

	filter := paho.SubscribeOptions{Topic: "lamp/#", QoS: 1}
	if _, err := client.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{filter}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Publish(t.Context(), &paho.Publish{Topic: "lamp/state", QoS: 1, Payload: []byte("on")}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "on" {
		t.Errorf("heard %q", got)
	}

	// The policy holds: the door's topics are not the lamp's. Thingwire says why.
	if _, err := client.Publish(t.Context(), &paho.Publish{Topic: "door/state", QoS: 1}); err == nil {
		t.Error("the lamp may speak for the door")
	}
	t.Log(s.Why("lamp"))
	if err := client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
}
