package broker

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// RetainedInfo is what a list tells of a retained message.
type RetainedInfo struct {
	Topic string
	Size  int   // bytes of the payload
	QoS   byte  // as published
	Time  int64 // when it was published, in milliseconds since 1970
}

// GetRetained reads the retained message of a topic for a caller who may (iot:GetRetainedMessage on topic/…). The message
// owns its memory. There is none: fault.NotFound.
func (b *Broker) GetRetained(ctx context.Context, by *Caller, name string) (*Message, error) {
	if err := b.mayAsk(by, "get the retained message of", "iot:GetRetainedMessage", "topic", name, nil); err != nil {
		return nil, err
	}
	if err := allowCall(b.data.getRetained, "GetRetainedMessage"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &Message{}
	switch found, err := b.retained(name, m); {
	case err != nil:
		return nil, err
	case !found:
		return nil, fault.New(fault.NotFound, "there is no retained message on topic %q", name).
			WithRemedy("publish one with retain=true; aws iot-data list-retained-messages shows what there is")
	}
	return m, nil
}

// ListRetained lists up to limit retained messages whose topics come behind after, in the order of topics, for a caller
// who may (iot:ListRetainedMessages on *). next is where the next page begins, empty when there is none. Of the payloads
// one at a time is in memory.
func (b *Broker) ListRetained(ctx context.Context, by *Caller, after string, limit int) (page []RetainedInfo, next string, err error) {
	if err := b.mayAsk(by, "list retained messages", "iot:ListRetainedMessages", "", "", nil); err != nil {
		return nil, "", err
	}
	if err := allowCall(b.data.listRetained, "ListRetainedMessages"); err != nil {
		return nil, "", err
	}
	now := millis(time.Now())
	page = make([]RetainedInfo, 0, min(limit, 64))
	for d, err := range b.store.List(ctx, bucketRetained, "", after, 0) {
		if err != nil {
			return nil, "", err
		}
		var m Message
		if _, err := decodeBody(d.Value, &m); err != nil {
			return nil, "", err
		}
		if m.Expires != 0 && m.Expires <= now {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].Topic, nil
		}
		page = append(page, RetainedInfo{Topic: m.Topic, Size: len(m.Payload), QoS: m.QoS, Time: m.Time})
	}
	return page, "", nil
}
