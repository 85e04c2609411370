package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Publication is a message with every parameter of the Publish API (AWS IoT data plane API reference).
type Publication struct {
	Topic   string
	Payload []byte
	QoS     int // 0 or 1
	Retain  bool

	ContentType, ResponseTopic string
	MessageExpiry              *int64         // seconds
	UserProperties             []UserProperty // in their order, with doubles
	PayloadFormat              string         // UNSPECIFIED_BYTES, UTF8_DATA, or empty
	CorrelationData            []byte
}

// UserProperty is one user property of MQTT 5.
type UserProperty = LiveUserProperty

// Publish publishes over HTTPS and answers the trace id under which the server's journal has the message.
func (c *Client) Publish(ctx context.Context, p *Publication) (traceID string, err error) {
	header, err := p.header()
	if err != nil {
		return "", err
	}
	data, err := c.ask(ctx, request{http.MethodPost, p.path(), header, p.Payload, serviceData})
	if err != nil {
		return "", err
	}
	var out struct{ TraceID string }
	_ = json.Unmarshal(data, &out) // AWS's clients do without an answer, too
	return out.TraceID, nil
}

// path has the topic as one segment, encoded as AWS's SDKs encode it.
func (p *Publication) path() string {
	query := url.Values{"qos": {strconv.Itoa(p.QoS)}}
	if p.Retain {
		query.Set("retain", "true")
	}
	if p.ContentType != "" {
		query.Set("contentType", p.ContentType)
	}
	if p.ResponseTopic != "" {
		query.Set("responseTopic", p.ResponseTopic)
	}
	if p.MessageExpiry != nil {
		query.Set("messageExpiry", strconv.FormatInt(*p.MessageExpiry, 10))
	}
	return "/topics/" + percent(p.Topic) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// percent encodes all but the unreserved characters of RFC 3986.
func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (p *Publication) header() (http.Header, error) {
	header := http.Header{}
	if len(p.UserProperties) > 0 {
		pairs := make([]map[string]string, len(p.UserProperties))
		for i, u := range p.UserProperties {
			pairs[i] = map[string]string{u.Key: u.Value}
		}
		text, err := json.Marshal(pairs)
		if err != nil {
			return nil, err
		}
		header.Set("X-Amz-Mqtt5-User-Properties", base64.StdEncoding.EncodeToString(text))
	}
	if p.PayloadFormat != "" {
		header.Set("X-Amz-Mqtt5-Payload-Format-Indicator", p.PayloadFormat)
	}
	if p.CorrelationData != nil {
		header.Set("X-Amz-Mqtt5-Correlation-Data", base64.StdEncoding.EncodeToString(p.CorrelationData))
	}
	return header, nil
}
