package broker

import (
	"errors"
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
)

// DeniedError is the refusal of an operation by a policy: a fault.Error of kind Denied, and what decided.
type DeniedError struct {
	Fault    *fault.Error
	Action   string
	Decision policy.Decision
}

func (d *DeniedError) Error() string { return d.Fault.Error() }

// Unwrap makes the kind known.
func (d *DeniedError) Unwrap() error { return d.Fault }

// Entry fills in what a journal entry says of a refusal: the words, and of a denial the policy and its statement.
func Entry(e journal.Entry, err error) journal.Entry {
	e.Because(err)
	if d, ok := errors.AsType[*DeniedError](err); ok {
		e.Reason, e.Details = journal.ReasonAuthorization, "Authorization Failure"
		if d.Decision.Explicit {
			e.Remedy = "take away or narrow the Deny that the cause names: it wins over every Allow"
		}
		if d.Decision.Statement >= 0 {
			e.Policy, e.Statement = d.Decision.Policy, statementName(d.Decision)
		}
	}
	if q, ok := errors.AsType[*QueueFullError](err); ok {
		e.Reason, e.Cause = journal.ReasonQueueFull, q.Fault.Cause+": it is that of "+strconv.Quote(q.Owner)
	}
	return e
}

func statementName(d policy.Decision) string {
	if d.Sid != "" {
		return d.Sid
	}
	return strconv.Itoa(d.Statement)
}

// denied is the refusal of an action on a resource, with the nearest miss in words.
func (b *Broker) denied(c *Caller, d policy.Decision, what, action, kind, name string, keys map[string][]string) error {
	return &DeniedError{
		Fault:    fault.New(fault.Denied, "not allowed to %s %q: %s", what, name, b.explain(c, action, kind, name, keys)),
		Action:   action,
		Decision: d,
	}
}

// record writes to the journal, if there is one.
func (b *Broker) record(e journal.Entry) {
	if b.journal != nil {
		b.journal.Record(e)
	}
}

// entry is what the journal says of a message that a queue did not take, for the queue's owner.
func (no *noRoom) entry() journal.Entry {
	return journal.Entry{
		EventType: journal.Queued, Status: journal.Failure, LogLevel: journal.LevelError, Protocol: "MQTT",
		ClientID: no.owner, QoS: "1", Details: no.why, Cause: no.why, Reason: no.reason,
	}
}

// noteNotQueued counts and records a message that could not be kept for a client that is away or slow.
func (b *Broker) noteNotQueued(no *noRoom) {
	b.counts.DroppedQueueFull.Add(1)
	e := no.entry()
	if no.reason == journal.ReasonQueueFull {
		e.Cause += ": the newest messages are lost"
		e.Details = e.Cause
	} else {
		e.Remedy = "let fewer messages wait for clients that are away, keep the session's client connected, or run with --limits open"
	}
	b.record(e)
}

// noteQueueRefused records for the owner of a full queue that a publisher was refused.
func (b *Broker) noteQueueRefused(no *noRoom, name string) {
	e := no.entry()
	e.TopicName = name
	e.Cause += ": its publisher was refused"
	e.Details = e.Cause
	e.Remedy = "let the client connect and read more often, publish less, or raise the limit that the cause names (queue in the configuration)"
	b.record(e)
}

// noteExpired counts and records a message whose Message Expiry Interval passed while it waited.
func (b *Broker) noteExpired(owner, name string) {
	b.counts.DroppedExpired.Add(1)
	b.record(journal.Entry{
		EventType: journal.Queued, Status: journal.Failure, LogLevel: journal.LevelWarn, Protocol: "MQTT",
		ClientID: owner, TopicName: name, QoS: "1", Reason: journal.ReasonExpired,
		Cause: "the message's expiry interval passed while it waited",
	})
}

// noteRetainThrottled records a retained message that was delivered but not kept.
func (b *Broker) noteRetainThrottled(by *Caller, name, cause, remedy string) {
	b.record(journal.Entry{
		EventType: journal.PublishIn, Status: journal.Failure, LogLevel: journal.LevelError, Protocol: "MQTT",
		ClientID: by.ClientID, PrincipalID: by.Principal, TopicName: name, Retain: "True", Packet: "PUBLISH",
		Reason: journal.ReasonThrottled, Cause: cause + ": this one was delivered and not kept", Remedy: remedy,
	})
}

// noteReceiveDenied records a message that a subscriber did not get because it may not receive on the topic.
func (b *Broker) noteReceiveDenied(c *Connection, d policy.Decision, name string) {
	e := Entry(journal.Entry{
		EventType: journal.PublishOut, LogLevel: journal.LevelError, Protocol: "MQTT", ClientID: c.caller.ClientID,
		PrincipalID: c.caller.Principal, TopicName: name, Packet: "PUBLISH",
	}, b.denied(c.caller, d, "receive on", "iot:Receive", "topic", name, nil))
	b.record(e)
}

// noteWillRefused records a will that could not be published.
func (b *Broker) noteWillRefused(by *Caller, name string, err error) {
	b.record(Entry(journal.Entry{
		EventType: journal.PublishIn, LogLevel: journal.LevelError, Protocol: "MQTT", ClientID: by.ClientID,
		PrincipalID: by.Principal, TopicName: name, Packet: "will",
	}, err))
}

// noteKilled records the end of a connection that the last server did not live to record.
func (b *Broker) noteKilled(s *session) {
	b.record(journal.Entry{
		EventType: journal.Disconnect, Status: journal.Failure, LogLevel: journal.LevelError, Protocol: "MQTT",
		ClientID: s.clientID, DisconnectReason: string(ConnectionLost),
		Cause:  "the server ended without notice while the client was connected; this was found at its next start",
		Remedy: "none for the client; find out what ended the server: kill -9, lack of memory, or a power cut",
	})
}
