package gateway

import (
	"github.com/thingwire/thingwire/internal/broker"
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
	v3 := c.version != mqtt.V5
	reqs := make([]broker.SubscribeRequest, len(s.Filters))
	for i, sf := range s.Filters {
		if sf.QoS > 1 && v3 {
			return clientError(mqtt.CodeQoSNotSupported, "SUBSCRIBE with QoS 2 is not supported by AWS IoT Core")
		}
		reqs[i] = broker.SubscribeRequest{
			Filter: string(sf.Filter), QoS: sf.QoS, NoLocal: sf.NoLocal,
			RetainAsPublished: sf.RetainAsPublished, RetainHandling: sf.RetainHandling,
		}
		if sf.QoS > 1 {
			return clientError(mqtt.CodeQoSNotSupported, "SUBSCRIBE with QoS 2 is not supported by AWS IoT Core")
		}
	}
	if len(reqs) > c.gateway.limits.FiltersPerRequest {
		return c.tooManyFilters(s.PacketID, len(reqs))
	}
	results := c.session.Subscribe(reqs, v3)
	ack := mqtt.Suback{PacketID: s.PacketID, Codes: make([]mqtt.Code, len(results))}
	for i, r := range results {
		ack.Codes[i] = mqtt.Code(r.QoS)
		if r.Err == nil {
			continue
		}
		if v3 {
			return closeCause(r.Err, opSubscribe)
		}
		ack.Codes[i] = reasonCode(r.Err, opSubscribe)
		if ack.Reason == "" {
			ack.Reason = c.reasonString("SUBACK:" + r.Err.Error())
		}
	}
	c.out.put(func(dst []byte) []byte { return mqtt.AppendSuback(dst, c.version, &ack) })
	c.session.SendRetained(results)
	return nil
}

// tooManyFilters refuses the whole request.
func (c *conn) tooManyFilters(id uint16, n int) error {
	if c.version != mqtt.V5 {
		return clientError(mqtt.CodeQuotaExceeded, "too many filters in one SUBSCRIBE")
	}
	ack := mqtt.Suback{PacketID: id, Codes: make([]mqtt.Code, n), Reason: c.reasonString("SUBACK:too many filters in one request")}
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
		code, ack.Reason = reasonCode(err, opUnsubscribe), c.reasonString("UNSUBACK:"+err.Error())
	}
	if c.version == mqtt.V5 {
		for range filters {
			ack.Codes = append(ack.Codes, code)
		}
	}
	c.out.put(func(dst []byte) []byte { return mqtt.AppendUnsuback(dst, c.version, &ack) })
	return nil
}
