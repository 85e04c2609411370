package dataplane

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
)

type retainedMessage struct {
	Topic          string `json:"topic"`
	Payload        []byte `json:"payload"`
	QoS            int    `json:"qos"`
	LastModified   int64  `json:"lastModifiedTime"` // milliseconds since 1970
	UserProperties []byte `json:"userProperties,omitempty"`
}

// getRetained is GET /retainedMessage/{topic}.
func (h *Handler) getRetained(c *call) error {
	name, err := c.target.text("topic")
	if err != nil {
		return err
	}
	if err := checkTopic("topic", name, h.limits.Topic); err != nil {
		return err
	}
	m, err := h.broker.GetRetained(c.r.Context(), c.by(), name)
	if err != nil {
		return err
	}
	out := retainedMessage{Topic: m.Topic, Payload: m.Payload, QoS: int(m.QoS), LastModified: m.Time}
	if m.Props != nil && len(m.Props.User) > 0 {
		if out.UserProperties, err = appendUserProperties(nil, m.Props.User); err != nil {
			return err
		}
	}
	awsapi.WriteJSON(c.w, http.StatusOK, out)
	return nil
}

type retainedTopic struct {
	Topic        string `json:"topic"`
	PayloadSize  int64  `json:"payloadSize"`
	QoS          int    `json:"qos"`
	LastModified int64  `json:"lastModifiedTime"` // milliseconds since 1970
}

// listRetained is GET /retainedMessage.
func (h *Handler) listRetained(c *call) error {
	q := parameters{maxResults: maxPage}
	after, err := q.readPage(c)
	if err != nil {
		return err
	}
	page, next, err := h.broker.ListRetained(c.r.Context(), c.by(), after, q.maxResults)
	if err != nil {
		return err
	}
	out := struct {
		RetainedTopics []retainedTopic `json:"retainedTopics"`
		NextToken      string          `json:"nextToken,omitempty"`
	}{make([]retainedTopic, 0, len(page)), c.token(next)}
	for i := range page {
		r := &page[i]
		out.RetainedTopics = append(out.RetainedTopics, retainedTopic{r.Topic, int64(r.Size), int(r.QoS), r.Time})
	}
	awsapi.WriteJSON(c.w, http.StatusOK, out)
	return nil
}

// readPage reads which page is asked for: the key behind which it begins.
func (q *parameters) readPage(c *call) (after string, err error) {
	if err := q.read(c.r.URL.RawQuery, pageParameters); err != nil || q.nextToken == "" {
		return "", err
	}
	data, err := base64.StdEncoding.DecodeString(q.nextToken)
	name, after, ok := strings.Cut(string(data), "\x00")
	if err != nil || !ok || name != c.tokenName() || after == "" {
		return "", fault.New(fault.Invalid, "nextToken was not given by this call").
			WithRemedy("begin without one, and give back the nextToken of the answer as it is")
	}
	return after, nil
}

// token is where the next page begins. It names its operation and label, so that another one refuses it.
func (c *call) token(next string) string {
	if next == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(c.tokenName() + "\x00" + next))
}

func (c *call) tokenName() string { return c.target.name() + " " + c.target.label }
