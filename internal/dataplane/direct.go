package dataplane

import (
	"context"
	"net/http"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
)

// usualTimeout is how long a confirmed direct message waits for PUBACK when no time is given.
const usualTimeout = 5 * time.Second

// sendDirect is POST /connections/{clientId}/messages. With confirmation it answers when the client has acknowledged.
func (h *Handler) sendDirect(c *call) error {
	id, err := h.clientID(c)
	if err != nil {
		return err
	}
	q := parameters{limits: h.limits, timeout: usualTimeout}
	m, err := h.decodeDirect(c, &q)
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	if q.confirmation {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.timeout)
		defer cancel()
	}
	if err := h.broker.SendTo(ctx, c.by(), id, m, q.confirmation); err != nil {
		return err
	}
	awsapi.WriteBody(c.w, http.StatusOK, appendOK(nil, c.id))
	return nil
}

func (h *Handler) decodeDirect(c *call, q *parameters) (m *broker.Message, err error) {
	err = q.read(c.r.URL.RawQuery, directParameters)
	c.topic = q.topic
	if err != nil {
		return nil, err
	}
	if q.topic == "" {
		return nil, fault.New(fault.Invalid, "the query has no topic").WithRemedy("give the topic to send on as topic=…")
	}
	m = &broker.Message{Topic: q.topic}
	if m.Props, err = properties(c.r.Header, q); err != nil {
		return nil, err
	}
	m.Payload, err = readBody(c.r, nil, h.limits.Payload)
	return m, err
}
