package receive

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// publish makes the message of a callback and waits until it is taken and, with QoS 1, on disk.
func (r *Receiver) publish(ctx context.Context, c *compiled, v *values) error {
	name, err := topicOf(c.topic, v)
	if err != nil {
		return err
	}
	body, err := c.message(v)
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

// message is what is published: the endpoint's body, or else all that was sent, in the order of the documentation, and all
// fields, null where the frame has no value.
func (c *compiled) message(v *values) (string, error) {
	if c.body != nil {
		return c.body.Render(v)
	}
	var b strings.Builder
	member := func(name, value string, text bool) {
		b.WriteString(map[bool]string{true: "{", false: ","}[b.Len() == 0])
		b.WriteString(quoted(name) + ":")
		if text {
			value = quoted(value)
		}
		b.WriteString(value)
	}
	for _, name := range c.kind.Variables() {
		value, sent := v.Value(name)
		text := c.kind.IsText(name)
		if sent && !text && !json.Valid([]byte(value)) {
			return "", invalid("the value of %s is %.40q", name, value).WithRemedy("send what the variable {%s} gives", name)
		}
		if sent {
			member(name, value, text)
		}
	}
	for _, f := range c.fields.Fields() {
		value, there := v.Value("customData#" + f.Name)
		if !there {
			value = "null"
		}
		member(f.Name, value, there && f.Kind == payload.Char)
	}
	return b.String() + "}", nil
}

// quoted is a text as JSON has it.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic("receive: a text that cannot be marshalled: " + err.Error())
	}
	return string(out)
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
