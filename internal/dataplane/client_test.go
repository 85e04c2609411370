package dataplane

import (
	"net/netip"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/policy"
)

// client is a connected client as the broker sees it: a link that copies what it gets.
type client struct {
	w    *world
	conn *broker.Connection
	got  chan delivery
	ends chan broker.Cause

	mu   sync.Mutex
	full bool // takes nothing that waits for an acknowledgement
}

type delivery struct {
	topic, payload string
	qos            byte
	retain         bool
	seq            uint64
	group          *broker.Group
	props          *broker.Properties
}

func (c *client) Deliver(ds []broker.Delivery, _ bool) (took int, flush bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range ds {
		d := &ds[i]
		if c.full && d.Seq != 0 {
			return i, false
		}
		c.got <- delivery{d.Message.Topic, string(d.Message.Payload), d.QoS, d.Retain, d.Seq, d.Group, d.Message.Props}
	}
	return len(ds), false
}

func (c *client) Flush() bool { return false }

func (c *client) Kick(cause broker.Cause) { c.ends <- cause }

// ack acknowledges as a client with its PUBACK does.
func (c *client) ack(d delivery) { c.conn.AckShared(d.group, []uint64{d.seq}) }

// connect lets a client connect who may do everything unless policies say otherwise.
func (w *world) connect(id string, fill func(*broker.ConnectRequest)) *client {
	w.t.Helper()
	c := &client{w: w, got: make(chan delivery, 100), ends: make(chan broker.Cause, 10)}
	r := broker.ConnectRequest{
		Caller:   broker.NewCaller("certificate", id, policy.AllowAll(), &policy.Connection{ClientID: id, HasClientID: true}),
		Protocol: 5, CleanStart: true, Link: c, SourceIP: "203.0.113.5", Thing: "lamp",
		Socket: broker.Socket{
			Source: netip.MustParseAddrPort("203.0.113.5:50001"), Target: netip.MustParseAddrPort("192.0.2.1:8883"), KeepAlive: time.Minute,
		},
	}
	if fill != nil {
		fill(&r)
	}
	var err error
	if c.conn, _, err = w.broker.Connect(r); err != nil {
		w.t.Fatal(err)
	}
	c.conn.Start()
	return c
}

func (c *client) subscribe(qos byte, filters ...string) {
	c.w.t.Helper()
	for _, f := range filters {
		for _, r := range c.conn.Subscribe([]broker.SubscribeRequest{{Filter: f, QoS: qos}}, false) {
			if r.Err != nil {
				c.w.t.Fatal(r.Err)
			}
		}
	}
}

// leave ends the connection without a goodbye.
func (c *client) leave() {
	c.conn.Close(broker.Cause{Reason: broker.ConnectionLost, Text: "the network broke"})
}

func persistent(r *broker.ConnectRequest) { r.Expiry = time.Hour }
