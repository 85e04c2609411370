package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// TestDepartedIsBounded: what is remembered of those who went is bounded by number and by time, and a client that came
// back and went again is remembered by its last end.
func TestDepartedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d departed
		wentAway := func(id string, r Reason) { d.note(ConnectionInfo{ClientID: id}, Cause{Reason: r}) }
		wentAway("twice", ConnectionLost)
		time.Sleep(time.Second)
		wentAway("twice", ClientError)
		for i := range maxDeparted - 1 {
			wentAway(fmt.Sprint(i), ClientInitiated)
		}
		if info, ok := d.find("twice", connectionMemory); !ok || info.Reason != ClientError {
			t.Errorf("%+v %v: the older end was remembered, or both were forgotten", info, ok)
		}
		wentAway("one more", ClientInitiated)
		if _, ok := d.find("twice", departedMemory); ok || len(d.m) != maxDeparted || len(d.order) != maxDeparted {
			t.Errorf("%d clients, %d ends", len(d.m), len(d.order))
		}
		time.Sleep(connectionMemory + time.Second)
		if _, ok := d.find("one more", connectionMemory); ok {
			t.Error("an end is told for too long")
		}
		if _, ok := d.find("one more", departedMemory); !ok {
			t.Error("an end is forgotten too early")
		}
		time.Sleep(departedMemory - connectionMemory)
		if _, ok := d.find("one more", departedMemory); ok {
			t.Error("an end is remembered for too long")
		}
		wentAway("last", ClientInitiated)
		if len(d.m) != 1 || len(d.order) != 1 {
			t.Errorf("%d clients, %d ends", len(d.m), len(d.order))
		}
	})
}

// TestBrokerAuthorisesCallsOfTheDataPlane: a door that forgets to ask gets nothing, because the broker asks.
func TestBrokerAuthorisesCallsOfTheDataPlane(t *testing.T) {
	s := mem.New()
	b := openTest(t, s, OpenLimits())
	defer func() { b.Close(); _ = s.Close() }()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Protocol: 5})
	nobody := NewCaller("nobody", "", policy.Compile(), nil)
	_, get := b.GetConnection(nobody, "c", false)
	_, _, list := b.ListSubscriptions(nobody, "c", "", 1)
	_, retained := b.GetRetained(t.Context(), nobody, "t")
	_, _, all := b.ListRetained(t.Context(), nobody, "", 1)
	for name, err := range map[string]error{
		"GetConnection": get, "ListSubscriptions": list, "GetRetained": retained, "ListRetained": all,
		"DeleteConnection": b.DeleteConnection(nobody, "c", DeleteOptions{}),
		"SendTo":           b.SendTo(t.Context(), nobody, "c", &Message{Topic: "t"}, false),
	} {
		if !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Close(Cause{Reason: ClientInitiated})
}

// TestDeleteConnectionLeavesTheNewOneAlone: a client that connects again while its connection is deleted keeps the session
// that it got.
func TestDeleteConnectionLeavesTheNewOneAlone(t *testing.T) {
	s := mem.New()
	b := openTest(t, s, OpenLimits())
	defer func() { b.Close(); _ = s.Close() }()
	for range 200 {
		r := func() ConnectRequest {
			return ConnectRequest{Caller: anybody("c"), Link: newLink(), Protocol: 5, Expiry: time.Hour}
		}
		connect(t, b, r())
		done := make(chan error)
		go func() { done <- b.DeleteConnection(anybody(""), "c", DeleteOptions{CleanSession: true}) }()
		c, _ := connect(t, b, r())
		made := c.Subscribe([]SubscribeRequest{{Filter: "t", QoS: 1}}, false)
		if err := <-done; err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if live, _ := b.find("c"); live != c {
			continue // it was the new one that was deleted
		}
		if made[0].Err != nil {
			t.Fatal(made[0].Err)
		}
		page, _, err := b.ListSubscriptions(anybody(""), "c", "", 10)
		if err != nil || len(page) != 1 {
			t.Fatalf("%v %v", page, err)
		}
		n := 0
		for _, err := range s.List(t.Context(), bucketSubscriptions, c.session.subPrefix(), "", 0) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			t.Fatalf("%d of the session's filters are in the store", n)
		}
	}
}
