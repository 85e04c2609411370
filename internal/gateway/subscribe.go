package gateway

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// onSubscribe answers SUBSCRIBE: on v5 with one code per filter; on v3 one refusal closes the connection, as AWS does.
func (c *conn) onSubscribe(f mqtt.Frame) error {
	var s mqtt.Subscribe
	if err := mqtt.DecodeSubscribe(f, c.version, &s); err != nil {
		return err
	}
	if s.SubscriptionID != 0 {
		return clientError(mqtt.CodeSubscriptionIDsNotSupported, "subscription identifiers are not supported by AWS IoT Core")
	}
	if err := c.checkUser(s.User); err != nil {
		return err
	}
	v3 := c.version != mqtt.V5
	reqs := make([]broker.SubscribeRequest, len(s.Filters))
	for i, sf := range s.Filters {
		if sf.QoS > 1 {
			return clientError(mqtt.CodeQoSNotSupported, "SUBSCRIBE with QoS 2 is not supported by AWS IoT Core")
		}
		reqs[i] = broker.SubscribeRequest{
			Filter: string(sf.Filter), QoS: sf.QoS, NoLocal: sf.NoLocal,
			RetainAsPublished: sf.RetainAsPublished, RetainHandling: sf.RetainHandling,
		}
	}
	if len(reqs) > c.gateway.limits.FiltersPerRequest {
		return c.tooManyFilters(s.PacketID, len(reqs))
	}
	results := c.session.Subscribe(reqs, v3)
	ack := mqtt.Suback{PacketID: s.PacketID, Codes: make([]mqtt.Code, len(results))}
	trace := uuid.NewString()
	var made []string
	for i, r := range results {
		ack.Codes[i] = mqtt.Code(r.QoS)
		if r.Err == nil {
			made = append(made, reqs[i].Filter)
			continue
		}
		which := fmt.Sprintf("SUBSCRIBE %d of %d", i+1, len(results))
		if v3 && !fault.Is(r.Err, fault.Throttled) {
			cause := closeCause(r.Err, opSubscribe)
			cause.Packet = which
			return cause
		}
		ack.Codes[i] = reasonCode(r.Err, opSubscribe)
		c.noteRefusal(journal.Subscribe, which, reqs[i].Filter, ack.Codes[i], trace, r.Err)
		if ack.Reason == "" {
			ack.Reason = c.reasonString("SUBACK:"+r.Err.Error(), trace)
		}
	}
	if len(made) > 0 {
		c.noteSubscribed(journal.Subscribe, made)
	}
	// Whoever has seen the SUBACK and publishes finds the retained messages in the outbox before his own.
	c.out.hold(func(dst []byte) []byte { return mqtt.AppendSuback(dst, c.version, &ack) })
	c.session.SendRetained(results)
	c.out.Flush()
	return nil
}

// tooManyFilters refuses the whole request.
func (c *conn) tooManyFilters(id uint16, n int) error {
	err := fault.New(fault.Throttled, "SUBSCRIBE with %d filters: at most %d are allowed in one request", n, c.gateway.limits.FiltersPerRequest)
	if c.version != mqtt.V5 {
		return closeCause(err, opSubscribe)
	}
	trace := uuid.NewString()
	c.noteRefusal(journal.Subscribe, "SUBSCRIBE", "", mqtt.CodeQuotaExceeded, trace, err)
	ack := mqtt.Suback{PacketID: id, Codes: make([]mqtt.Code, n), Reason: c.reasonString("SUBACK:"+err.Error(), trace)}
	for i := range ack.Codes {
		ack.Codes[i] = mqtt.CodeQuotaExceeded
	}
	c.out.put(func(dst []byte) []byte { return mqtt.AppendSuback(dst, c.version, &ack) })
	return nil
}

// onUnsubscribe answers UNSUBSCRIBE. AWS answers success also for a filter that was not there.
func (c *conn) onUnsubscribe(f mqtt.Frame) error {
	var u mqtt.Unsubscribe
	if err := mqtt.DecodeUnsubscribe(f, c.version, &u); err != nil {
		return err
	}
	if err := c.checkUser(u.User); err != nil {
		return err
	}
	filters := make([]string, len(u.Filters))
	for i, f := range u.Filters {
		filters[i] = string(f)
	}
	ack := mqtt.Unsuback{PacketID: u.PacketID}
	code := mqtt.CodeSuccess
	if err := c.session.Unsubscribe(filters); err != nil {
		if c.version != mqtt.V5 {
			return closeCause(err, opUnsubscribe)
		}
		trace := uuid.NewString()
		code, ack.Reason = reasonCode(err, opUnsubscribe), c.reasonString("UNSUBACK:"+err.Error(), trace)
		c.noteRefusal(journal.Unsubscribe, "UNSUBSCRIBE", strings.Join(filters, ","), code, trace, err)
	} else {
		c.noteSubscribed(journal.Unsubscribe, filters)
	}
	if c.version == mqtt.V5 {
		for range filters {
			ack.Codes = append(ack.Codes, code)
		}
	}
	c.out.put(func(dst []byte) []byte { return mqtt.AppendUnsuback(dst, c.version, &ack) })
	return nil
}
