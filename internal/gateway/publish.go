package gateway

import (
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// onPublish puts a PUBLISH into the batch. Under in.mu.
func (c *conn) onPublish(f mqtt.Frame) error {
	p := &c.packet
	if err := mqtt.DecodePublish(f, c.version, mqtt.FromClient, p); err != nil {
		return err
	}
	if p.QoS > 1 {
		return clientError(mqtt.CodeQoSNotSupported, "QoS 2 is not supported by AWS IoT Core")
	}
	if err := c.waitForRoom(p.QoS); err != nil {
		return err
	}
	topic, err := c.topicOf(p)
	if err != nil {
		return err
	}
	if err := c.session.Admit(); err != nil {
		c.noteThrottled(topic, err)
		return nil
	}
	if p.QoS > 0 && c.version == mqtt.V5 && c.in.holds(p.PacketID) {
		c.refusePacketID(p.PacketID, topic)
		return nil
	}
	b := c.in.take()
	m := b.Add()
	m.Topic, m.Payload, m.QoS, m.Retain = topic, p.Payload, p.QoS, p.Retain
	if p.Props.Has != 0 {
		if m.Props, err = c.properties(&p.Props); err != nil {
			b.Messages = b.Messages[:len(b.Messages)-1]
			return err
		}
		if p.Props.Has.Has(mqtt.PropMessageExpiry) {
			m.Expiry = max(1, p.Props.MessageExpiry) // AWS takes 0 for 1
		}
	}
	b.ids = append(b.ids, p.PacketID)
	b.bytes += len(f.Body) + messageBytes
	b.buffer = c.rb.id
	if p.QoS > 0 {
		c.in.unacked++
	}
	return nil
}

// refusePacketID answers a PUBLISH whose packet id is that of another one that was not acknowledged yet (MQTT 5, 2.2.1). The
// other one is not touched; a 3.1.1 client cannot be told, and both of its messages are taken.
func (c *conn) refusePacketID(id uint16, topic string) {
	err := fault.New(fault.Invalid, "packet id %d is in use: another PUBLISH with it was not acknowledged yet", id).
		WithRemedy("give each message a packet id of its own until its PUBACK has come")
	trace := uuid.NewString()
	c.noteRefusal(journal.PublishIn, "PUBLISH", topic, mqtt.CodePacketIDInUse, trace, err)
	c.out.put(func(dst []byte) []byte {
		return mqtt.AppendPubackCode(dst, id, mqtt.CodePacketIDInUse, c.reasonString("PUBACK:"+err.Error(), trace))
	})
}

// waitForRoom keeps the bounds of what waits for a commit. A v5 client that sends more than the Receive Maximum breaks
// its promise [MQTT-3.3.4-9]; a v3 client is read later.
func (c *conn) waitForRoom(qos byte) error {
	if !c.in.atBound(qos) {
		return nil
	}
	c.in.submit()
	if !c.in.atBound(qos) {
		return nil
	}
	if qos > 0 && c.version == mqtt.V5 && c.in.unacked >= c.gateway.limits.ReceiveMaximum && c.in.committing != nil && !c.in.durable.Load() {
		return clientError(mqtt.CodeReceiveMaximumExceeded, "more unacknowledged QoS 1 messages than the Receive Maximum of 100")
	}
	c.in.wait()
	return nil
}

// topicOf resolves a topic alias; an alias without a topic name stands for what it was set to.
func (c *conn) topicOf(p *mqtt.Publish) (string, error) {
	if !p.Props.Has.Has(mqtt.PropTopicAlias) {
		return c.caller.Intern(p.Topic), nil
	}
	alias := int(p.Props.TopicAlias)
	if alias > c.gateway.limits.TopicAliases {
		return "", clientError(mqtt.CodeTopicAliasInvalid, "topic alias above the Topic Alias Maximum of 8")
	}
	if c.aliases == nil {
		c.aliases = make([]string, c.gateway.limits.TopicAliases+1)
	}
	if len(p.Topic) > 0 {
		c.aliases[alias] = c.caller.Intern(p.Topic)
	} else if c.aliases[alias] == "" {
		return "", clientError(mqtt.CodeProtocolError, "topic alias that was not set [MQTT-3.3.2-8]")
	}
	return c.aliases[alias], nil
}

// properties copies what is forwarded, within AWS's limits; nil when there is nothing to forward.
func (c *conn) properties(p *mqtt.PublishProperties) (*broker.Properties, error) {
	const forwarded = mqtt.PropPayloadFormat | mqtt.PropContentType | mqtt.PropResponseTopic | mqtt.PropCorrelationData | mqtt.PropUser
	if p.Has&forwarded == 0 {
		return nil, nil
	}
	l := c.gateway.limits
	switch {
	case len(p.ContentType) > l.ContentType:
		return nil, clientError(mqtt.CodeQuotaExceeded, "content type over 256 bytes")
	case len(p.CorrelationData) > l.CorrelationData:
		return nil, clientError(mqtt.CodeQuotaExceeded, "correlation data over 8 KB")
	case len(p.ResponseTopic) > l.Topic.Bytes:
		return nil, clientError(mqtt.CodeTopicNameInvalid, "response topic over 256 bytes")
	}
	if err := c.checkUser(p.User); err != nil {
		return nil, err
	}
	to := &broker.Properties{
		HasPayloadFormat: p.Has.Has(mqtt.PropPayloadFormat),
		PayloadFormat:    p.PayloadFormat,
		ContentType:      string(p.ContentType),
		ResponseTopic:    string(p.ResponseTopic),
	}
	if p.Has.Has(mqtt.PropCorrelationData) {
		to.CorrelationData = append([]byte{}, p.CorrelationData...)
	}
	for k, v := range p.User.All() {
		to.User = append(to.User, broker.UserProperty{Key: string(k), Value: string(v)})
	}
	return to, nil
}

// checkUser keeps the limit of the user properties of one packet.
func (c *conn) checkUser(u mqtt.UserProperties) error {
	if len(u) > c.gateway.limits.UserProperties {
		return clientError(mqtt.CodeQuotaExceeded, "user properties over 8 KB")
	}
	return nil
}

// acknowledge answers a batch: PUBACKs in order, in one append. Refusals are told as message-broker "unauthorised
// operations" has them: a reason code for QoS 1 on v5, the end of the connection otherwise, and for what is too large,
// for which PUBACK has no code. Under in.mu.
func (c *conn) acknowledge(p *batch) {
	var end *broker.Cause
	c.out.put(func(dst []byte) []byte {
		for i, err := range p.Results {
			id := p.ids[i]
			switch {
			case err == nil && id != 0:
				dst = mqtt.AppendPuback(dst, id)
			case err == nil:
			case id != 0 && c.version == mqtt.V5 && !fault.Is(err, fault.TooLarge):
				trace, code := uuid.NewString(), reasonCode(err, opPublish)
				c.noteRefusal(journal.PublishIn, "PUBLISH", p.Messages[i].Topic, code, trace, err)
				dst = mqtt.AppendPubackCode(dst, id, code, c.reasonString("PUBACK:"+err.Error(), trace))
			default:
				cause := closeCause(err, opPublish)
				cause.Packet = mqtt.PUBLISH.String()
				end = &cause
				return dst
			}
		}
		return dst
	})
	if end != nil {
		c.in.dead = true
		c.fail(*end)
	}
}

// slowDown waits as long as the connection is over its quota of bytes per second: AWS delays, it does not drop.
func (c *conn) slowDown(n int) {
	if c.flow == nil {
		return
	}
	r := c.flow.ReserveN(time.Now(), min(n, c.flow.Burst()))
	if d := r.Delay(); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.closed:
		}
	}
}
