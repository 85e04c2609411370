package receive

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// compiled is an endpoint ready for use, and what its secret is compared with.
type compiled struct {
	Endpoint
	secret [secretSize]byte
	kind   template.Kind
	fields payload.Config
	names  map[string]string // variable to its name in the request
	must   bool              // all of names must be sent

	topic         *template.Template
	body          *template.Template // nil for everything that was sent
	downlinkTopic *template.Template // nil for none
	downlink      *template.Template // nil for none
	policies      *policy.Set
}

// compile checks an endpoint wholly. Errors are fault.Invalid and name what is wrong.
func (r *Receiver) compile(e Endpoint, secret [secretSize]byte) (*compiled, error) {
	e.normalise()
	if err := e.check(); err != nil {
		return nil, err
	}
	c := &compiled{Endpoint: e, secret: secret, kind: kinds[e.Callback], names: e.Variables, must: true}
	var err error
	if c.fields, err = payload.Parse(e.PayloadConfig); err != nil {
		return nil, err
	}
	if len(c.names) == 0 {
		c.names, c.must = map[string]string{}, false
		for _, name := range c.kind.Variables() {
			c.names[name] = name
		}
	}
	for _, part := range []struct {
		what, text string
		place      template.Place
		into       **template.Template
	}{
		{"topic", e.Topic, template.TextBody, &c.topic},
		{"body", e.Body, template.JSONBody, &c.body},
		{"downlink topic", e.DownlinkTopic, template.TextBody, &c.downlinkTopic},
		{"downlink template", e.DownlinkTemplate, template.TextBody, &c.downlink},
	} {
		if part.text == "" {
			continue
		}
		if *part.into, err = template.Parse(part.text, c.kind, c.fields, part.place); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the %s", part.what)
		}
	}
	if err := c.checkTexts(); err != nil {
		return nil, err
	}
	c.policies, err = r.allow(c)
	return c, err
}

func (c *compiled) checkTexts() error {
	switch {
	case c.topic == nil:
		return invalid("the topic is missing").WithRemedy("write a topic, for example sigfox/{device}")
	case c.body != nil && !c.canBeJSON():
		return invalid("the body is no JSON whatever the values are").WithRemedy("write {\"device\":\"{device}\"}, or leave it out")
	case c.body == nil && c.ambiguous() != "":
		return invalid("the field %s of the payload config is called like a variable", c.ambiguous()).WithRemedy("call it differently, or write a body")
	case c.Downlink == DownlinkTemplate && c.downlink == nil:
		return invalid("the downlink's template is missing").WithRemedy("write 16 hexadecimal digits")
	case !slices.Contains([]string{DownlinkNone, DownlinkQueue, DownlinkTopic, DownlinkTemplate}, c.Downlink):
		return invalid("%.40q is no source of downlinks", c.Downlink).WithRemedy("use none, queue, topic or template")
	}
	for _, t := range []*template.Template{c.topic, c.downlinkTopic} {
		if t != nil && strings.ContainsAny(anything(t), "+#\x00") { // names of fields may have a #
			return invalid("the topic %.80q has a wildcard", t.String()).WithRemedy("a message is published on one topic: leave out + and #")
		}
	}
	return nil
}

// canBeJSON reports whether the body is JSON when no variable has a value.
func (c *compiled) canBeJSON() bool {
	_, err := c.body.Render(template.Map{})
	return err == nil
}

// ambiguous is a field that would stand in the body under the name of a variable, empty for none.
func (c *compiled) ambiguous() string {
	for _, f := range c.fields.Fields() {
		if _, ok := c.names[f.Name]; ok {
			return f.Name
		}
	}
	return ""
}

// allow is the policy of an endpoint: its own topics and no other, with anything where variables stand.
func (r *Receiver) allow(c *compiled) (*policy.Set, error) {
	type statement struct {
		Effect, Action, Resource string
	}
	all := []statement{{"Allow", "iot:Publish", r.topicARN(anything(c.topic))}}
	if c.downlinkTopic != nil {
		all = append(all, statement{"Allow", actionGetRetained, r.topicARN(anything(c.downlinkTopic))})
	}
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", all})
	if err != nil {
		return nil, err
	}
	document, err := policy.Parse(text, policy.IoT)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the topic cannot be allowed")
	}
	return policy.Compile(policy.Source{Name: Principal(c.Name), Document: document}), nil
}

// actionGetRetained is what an endpoint may do that answers with retained messages.
const actionGetRetained = "iot:GetRetainedMessage"

func (r *Receiver) topicARN(topic string) string {
	return "arn:aws:iot:" + r.cfg.Region + ":" + r.cfg.Account + ":topic/" + topic
}

// anything is a template's text with * for each variable.
func anything(t *template.Template) string {
	text := t.String()
	for _, name := range t.Variables() {
		text = strings.ReplaceAll(text, "{"+name+"}", "*")
	}
	return text
}

// Principal is who publishes the messages of an endpoint: the name that the journal and policies' words have.
func Principal(endpoint string) string { return "sigfox/" + endpoint }
