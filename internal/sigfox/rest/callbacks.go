package rest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// callback is a callback as the API shows it. Those of the channel AWS_IOT, an extension, are listed for who asks for them:
// a strict client may refuse a channel that it does not know.
type callback struct {
	ID              string            `json:"id"`
	Channel         string            `json:"channel"`
	CallbackType    int               `json:"callbackType"`
	CallbackSubtype int               `json:"callbackSubtype"`
	PayloadConfig   string            `json:"payloadConfig,omitempty"`
	Enabled         bool              `json:"enabled"`
	Dead            bool              `json:"dead"`
	URL             string            `json:"url,omitempty"`
	HTTPMethod      string            `json:"httpMethod,omitempty"`
	DownlinkHook    *bool             `json:"downlinkHook,omitempty"`
	Headers         map[string]string `json:"headers,omitempty"`
	SendSNI         *bool             `json:"sendSni,omitempty"`
	BodyTemplate    string            `json:"bodyTemplate,omitempty"`
	ContentType     string            `json:"contentType,omitempty"`
	LinePattern     string            `json:"linePattern,omitempty"`

	RoleARN    string `json:"roleArn,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	Region     string `json:"region,omitempty"`
	Topic      string `json:"topic,omitempty"`
}

func showCallback(s *backend.CallbackStatus) *callback {
	out := &callback{
		ID: s.ID, Channel: s.Channel, CallbackType: s.Type, CallbackSubtype: s.Subtype, PayloadConfig: s.PayloadConfig, Enabled: s.Enabled, Dead: s.Dead,
		URL: s.URL, HTTPMethod: s.Method, BodyTemplate: s.Body, ContentType: s.ContentType, LinePattern: s.LinePattern,
		RoleARN: s.RoleARN, ExternalID: s.ExternalID, Region: s.Region, Topic: s.Topic,
	}
	for _, h := range s.Headers {
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[h.Name] = h.Value
	}
	if s.Channel != backend.ChannelAWS {
		out.SendSNI, out.DownlinkHook = &s.SendSNI, &s.DownlinkHook
	}
	return out
}

func listCallbacks(c *call) error {
	all, err := c.Callbacks(c.ctx(), c.path[0])
	if err != nil {
		return err
	}
	data := []*callback{}
	for i := range all {
		if channel := c.query.Get("channel"); channel == all[i].Channel || channel == "" && all[i].Channel != backend.ChannelAWS {
			data = append(data, showCallback(&all[i]))
		}
	}
	return c.answer(http.StatusOK, map[string]any{"data": data}) // without paging
}

// takeCallback takes the members that a callback may be created and changed with.
func takeCallback(m *members, b *backend.Callback) error {
	take(m, "callbackType", &b.Type)
	take(m, "callbackSubtype", &b.Subtype)
	take(m, "payloadConfig", &b.PayloadConfig)
	take(m, "enabled", &b.Enabled)
	take(m, "url", &b.URL)
	take(m, "httpMethod", &b.Method)
	takeOr(m, "sendSni", &b.SendSNI, true)
	take(m, "bodyTemplate", &b.Body)
	take(m, "contentType", &b.ContentType)
	take(m, "linePattern", &b.LinePattern)
	take(m, "roleArn", &b.RoleARN)
	take(m, "region", &b.Region)
	take(m, "topic", &b.Topic)
	var headers map[string]string
	if take(m, "headers", &headers) {
		b.Headers = nil
		for name, value := range headers {
			b.Headers = append(b.Headers, backend.Header{Name: name, Value: value})
		}
		slices.SortFunc(b.Headers, func(x, y backend.Header) int { return cmp.Compare(x.Name, y.Name) })
	}
	for _, name := range []string{"downlinkHook", "externalId"} {
		if _, there := m.left[name]; there {
			delete(m.left, name)
			m.wrong(name, map[string]string{
				"downlinkHook": "it is set with PUT …/callbacks/{id}/downlink", "externalId": "it is made by the server: nobody chooses it",
			}[name])
		}
	}
	return m.done()
}

func createCallback(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	m.require("channel", "callbackType", "enabled")
	b := backend.Callback{DeviceType: c.path[0], SendSNI: true}
	draft := ""
	take(m, "channel", &b.Channel)
	take(m, "draft", &draft)
	switch b.Channel {
	case backend.ChannelURL, backend.ChannelBatch:
		m.require("url", "httpMethod")
	case backend.ChannelAWS:
		m.require("roleArn", "region", "topic")
	}
	if err := takeCallback(m, &b); err != nil {
		return err
	}
	made, err := c.CreateCallback(c.ctx(), b, draft)
	if err != nil {
		return err
	}
	var more map[string]string
	if made.ExternalID != "" {
		more = map[string]string{"externalId": made.ExternalID}
	}
	return c.created(made.ID, more, "device-types", c.path[0], "callbacks", made.ID)
}

func updateCallback(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	_, err = c.EditCallback(c.ctx(), c.path[0], c.path[1], func(b *backend.Callback) error {
		channel := b.Channel
		if take(m, "channel", &channel); channel != b.Channel {
			m.wrong("channel", "it stays "+b.Channel+": delete the callback and make another")
		}
		return takeCallback(m, b)
	})
	return c.done(err)
}

func deleteCallback(c *call) error { return c.done(c.DeleteCallback(c.ctx(), c.path[0], c.path[1])) }

func enableCallback(c *call) error {
	enabled, err := strconv.ParseBool(c.query.Get("enabled"))
	if err != nil {
		return wrong("query", "enabled", "use true or false")
	}
	_, err = c.EditCallback(c.ctx(), c.path[0], c.path[1], func(b *backend.Callback) error {
		b.Enabled = enabled
		return nil
	})
	return c.done(err)
}

func selectDownlink(c *call) error { return c.done(c.SelectDownlink(c.ctx(), c.path[0], c.path[1])) }
