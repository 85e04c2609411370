package dataplane

import (
	"net/netip"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
)

// note writes a refused call to the journal. Calls that succeed are not written, as the messages of a connection are not.
func (h *Handler) note(c *call, err error) {
	if h.journal == nil {
		return
	}
	e := broker.Entry(journal.Entry{
		EventType: journal.PublishIn, Protocol: "HTTP", LogLevel: journal.LevelError, TraceID: c.id,
		PrincipalID: c.caller.Principal, Packet: c.r.Method, TopicName: fault.Shortened(c.topic),
	}, err)
	if fault.Is(err, fault.NotFound) {
		e.LogLevel = journal.LevelWarn
	}
	if op := c.target.op; op != nil {
		e.EventType = op.event
		e.Packet = op.name
		c.noteTarget(&e)
	}
	if from, err := netip.ParseAddrPort(c.r.RemoteAddr); err == nil {
		e.SourceIP, e.SourcePort = from.Addr().Unmap().String(), from.Port()
	}
	if v, ok := c.caller.Vars.(*policy.Connection); ok && v != nil && v.SourceIP.IsValid() {
		e.SourceIP = v.SourceIP.Unmap().String()
	}
	h.journal.Record(e)
}

// noteTarget tells the client or the topic that the call was about.
func (c *call) noteTarget(e *journal.Entry) {
	label, err := c.target.text("label")
	if err != nil {
		label = c.target.label
	}
	label = fault.Shortened(label)
	switch e.EventType {
	case journal.PublishIn:
		e.TopicName, e.QoS = label, string('0'+rune(c.qos))
		if c.retain {
			e.Retain = "True"
		}
	case journal.GetRetained:
		e.TopicName = label
	case journal.GetConnection, journal.DeleteConnection, journal.ListSubscriptions, journal.SendDirect:
		e.ClientID = label
	}
}
