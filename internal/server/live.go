package server

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
)

// LiveMessage is one line of GET /_thingwire/v1/subscribe: a message as a subscriber gets it.
type LiveMessage struct {
	Topic     string `json:"topic"`
	Payload   string `json:"payload"`
	Encoding  string `json:"encoding,omitempty"` // base64 for a payload that is not UTF-8; else absent
	QoS       byte   `json:"qos"`
	Retain    bool   `json:"retain"`
	Timestamp int64  `json:"timestamp"` // when the server accepted it, milliseconds since 1970

	// The properties of MQTT 5, 3.3.2.3, as far as the message has them.
	PayloadFormat   *byte              `json:"payloadFormatIndicator,omitempty"`
	MessageExpiry   *uint32            `json:"messageExpiry,omitempty"` // seconds that are left
	ContentType     string             `json:"contentType,omitempty"`
	ResponseTopic   string             `json:"responseTopic,omitempty"`
	CorrelationData []byte             `json:"correlationData,omitempty"` // base64
	UserProperties  []LiveUserProperty `json:"userProperties,omitempty"`

	// Dropped is how many messages were lost so far because whoever reads the stream was too slow.
	Dropped int64 `json:"dropped,omitempty"`
}

// LiveUserProperty is one user property; order and doubles are kept.
type LiveUserProperty struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Bytes is the payload as it was published.
func (m *LiveMessage) Bytes() ([]byte, error) {
	if m.Encoding == "" {
		return []byte(m.Payload), nil
	}
	return base64.StdEncoding.DecodeString(m.Payload)
}

func newLiveMessage(r broker.Received, dropped int64, now time.Time) *LiveMessage {
	m := &LiveMessage{
		Topic: r.Message.Topic, Payload: string(r.Message.Payload),
		QoS: r.QoS, Retain: r.Retain, Timestamp: r.Message.Time, Dropped: dropped,
	}
	if !utf8.Valid(r.Message.Payload) {
		m.Payload, m.Encoding = base64.StdEncoding.EncodeToString(r.Message.Payload), "base64"
	}
	if r.Message.Expires != 0 {
		left := r.Message.Remaining(now.UnixMilli())
		m.MessageExpiry = &left
	}
	if p := r.Message.Props; p != nil {
		m.ContentType, m.ResponseTopic, m.CorrelationData = p.ContentType, p.ResponseTopic, p.CorrelationData
		if p.HasPayloadFormat {
			m.PayloadFormat = &p.PayloadFormat
		}
		for _, u := range p.User {
			m.UserProperties = append(m.UserProperties, LiveUserProperty(u))
		}
	}
	return m
}

// live streams what passes: one JSON object per line, from the answer's header on. The caller's policies decide what it
// may see, as for any subscriber.
type live struct {
	broker *broker.Broker
	log    *slog.Logger
}

func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reqs, err := liveRequests(r)
	if err != nil {
		control.Refuse(l.log, w, r, err)
		return
	}
	by, _ := awsapi.CallerFrom(r.Context()) // control has refused a request without one
	s := &liveStream{w: w, started: make(chan struct{})}
	service, results := l.broker.Serve(broker.NewCaller(by.ARN, "", by.Policies, by.Vars), reqs, s.send)
	s.dropped = service.Dropped
	for _, result := range results {
		if result.Err != nil {
			s.refused = true
			close(s.started)
			service.Close()
			control.Refuse(l.log, w, r, result.Err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // a client that is gone ends the request's context
	close(s.started)
	<-r.Context().Done()
	service.Close()
}

func liveRequests(r *http.Request) ([]broker.SubscribeRequest, error) {
	query := r.URL.Query()
	qos := query.Get("qos")
	if !slices.Contains([]string{"", "0", "1"}, qos) {
		return nil, fault.New(fault.Invalid, "qos is %q", qos).WithRemedy("use 0 or 1")
	}
	if len(query["filter"]) == 0 {
		return nil, fault.New(fault.Invalid, "there is no filter").WithRemedy("say filter=TOPIC_FILTER, once or more")
	}
	var reqs []broker.SubscribeRequest
	for _, filter := range query["filter"] {
		req := broker.SubscribeRequest{Filter: filter, QoS: 1}
		if qos == "0" {
			req.QoS = 0
		}
		reqs = append(reqs, req)
	}
	return reqs, nil
}

// liveStream writes messages on the goroutine of its service.
type liveStream struct {
	w       http.ResponseWriter
	started chan struct{} // closed when the header is out, or refused
	refused bool
	dropped func() int64
}

func (s *liveStream) send(r broker.Received) {
	<-s.started
	if s.refused {
		return
	}
	line, err := json.Marshal(newLiveMessage(r, s.dropped(), time.Now()))
	if err != nil {
		return // texts and numbers always marshal
	}
	_, _ = s.w.Write(append(line, '\n')) // a client that is gone ends the request's context
	_ = http.NewResponseController(s.w).Flush()
}
