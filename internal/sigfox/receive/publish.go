package receive

import (
	"context"
	"strings"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// publish makes the message of a callback and waits until it is taken and, with QoS 1, on disk.
func (r *Receiver) publish(ctx context.Context, c *compiled, v *values) error {
	name, err := topicOf(c.topic, v)
	if err != nil {
		return err
	}
	body, err := c.body.Render(v)
	if err != nil {
		return err
	}
	if err := r.cfg.Broker.Admit(); err != nil {
		return err
	}
	done := make(chan struct{})
	batch := &broker.Batch{Done: func(*broker.Batch) { close(done) }}
	m := batch.Add()
	m.Topic, m.Payload, m.QoS = name, []byte(body), c.QoS
	if !r.cfg.Broker.Publish(c.caller(), batch) {
		select {
		case <-done:
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "the sender went away before its message was on disk: it may have been taken or not").
				WithRemedy("send it again")
		}
	}
	return batch.Results[0]
}

// caller is the endpoint as the broker knows it.
func (c *compiled) caller() *broker.Caller {
	return broker.NewCaller(Principal(c.Name), "", c.policies, nil)
}

// topicOf renders a topic. A value stays in its level: who sends cannot choose another one.
func topicOf(t *template.Template, v *values) (string, error) {
	for _, name := range t.Variables() {
		text, ok := v.Value(name)
		if !ok || text == "" {
			return "", invalid("the topic %.80q needs the variable %s, which was not sent", t.String(), name).
				WithRemedy("put {%s} into the callback's template", name)
		}
		if strings.ContainsAny(text, "/+#\x00") || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return "", invalid("the value of %s cannot be part of a topic", name).WithRemedy("leave it out of the endpoint's topic")
		}
	}
	return t.Render(v)
}
