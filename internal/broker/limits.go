package broker

import (
	"time"

	"github.com/thingwire/thingwire/internal/topic"
)

// Limits are the quantities of a limits profile. Semantics never depend on them but in timing and size (AWS IoT Core
// message broker quotas).
type Limits struct {
	Topic   topic.Limits
	Payload int // bytes of one payload; will payloads too

	ClientID          int // bytes
	ContentType       int // bytes
	CorrelationData   int // bytes
	UserProperties    int // bytes of keys and values in one packet
	PacketSize        int // bytes of one whole packet, inbound
	ReceiveMaximum    int // unacknowledged inbound QoS 1 messages
	TopicAliases      int // inbound aliases per connection
	MinMaximumPacket  int // smallest Maximum Packet Size a client may ask for
	FiltersPerRequest int // filters in one SUBSCRIBE
	Subscriptions     int // per connection

	KeepAliveMin, KeepAliveMax time.Duration
	MessageExpiryMax           time.Duration
	SessionExpiryMax           time.Duration

	// SendMessages and SendBytes bound what is sent and not yet acknowledged per connection; a v5 client's Receive
	// Maximum bounds it further.
	SendMessages, SendBytes int
	// ReceiveMaximumCap bounds the Receive Maximum of a v5 client; 0 means that the client's own word counts.
	ReceiveMaximumCap int

	// QueueMessages and QueueBytes bound what is kept for one session; the newest message is lost over it.
	QueueMessages int
	QueueBytes    int64
	// QueueAge is how long the oldest message may have waited in a queue that still takes new ones; 0 means for ever. What
	// waits is not dropped for its age: it was acknowledged, and ends with its own expiry or the session's.
	QueueAge time.Duration
	// GroupMessages bounds what is kept for one shared subscription; QueueBytes and QueueAge hold for it as well.
	GroupMessages int
	// RefuseWhenFull refuses a message that a queue at its limit had to keep, for all its receivers, so that its publisher
	// knows; otherwise the publisher's message is accepted and lost for that queue.
	RefuseWhenFull bool

	// Counts of the whole account; 0 means that only memory bounds them.
	Connections          int
	AccountSubscriptions int
	Groups               int // shared subscription groups
	GroupMembers         int
	RetainedMessages     int

	Rates Rates
	// Data are the rates of the HTTPS data plane but for Publish, which is under Rates.
	Data DataRates
}

// OpenLimits is the profile `open`: AWS's numbers where clients can see them, this machine's where they only slow
// things down.
func OpenLimits() Limits {
	return Limits{
		Topic:             topic.Limits{Bytes: 256, Slashes: 7},
		Payload:           128 << 10,
		ClientID:          128,
		ContentType:       256,
		CorrelationData:   8 << 10,
		UserProperties:    8 << 10,
		PacketSize:        149504,
		ReceiveMaximum:    100,
		TopicAliases:      8,
		MinMaximumPacket:  512,
		FiltersPerRequest: 1000,
		Subscriptions:     100_000,
		KeepAliveMin:      30 * time.Second,
		KeepAliveMax:      1200 * time.Second,
		MessageExpiryMax:  604_800 * time.Second,
		SessionExpiryMax:  604_800 * time.Second,
		SendMessages:      8192,
		SendBytes:         1 << 20,
		QueueMessages:     1_000_000,
		QueueBytes:        1 << 30,
		GroupMessages:     500_000,
	}
}

// AWSLimits is the profile `aws`: every number of the service's quotas in the default regions (AWS IoT Core endpoints
// and quotas, "message broker and protocols").
func AWSLimits() Limits {
	l := OpenLimits()
	l.FiltersPerRequest = 8
	l.Subscriptions = 50
	l.SendMessages, l.ReceiveMaximumCap = 100, 100
	l.SessionExpiryMax = time.Hour
	l.Connections = 500_000
	l.AccountSubscriptions = 500_000
	l.Groups = 100
	l.GroupMembers = 100
	l.RetainedMessages = 500_000
	l.Rates = Rates{
		ConnectsPerClient: 1,
		Connects:          3000,
		PublishesPerConn:  100,
		Publishes:         20_000,
		Deliveries:        20_000,
		BytesPerConn:      512 << 10,
		Subscribes:        3000,
		Queued:            500,
		StoredPerConn:     10,
		RetainedPerTopic:  1,
		Retained:          500,
		GroupPerMember:    20,
		GroupChanges:      100,
	}
	l.Data = awsDataRates()
	return l
}

// KeepAlive is the interval that the server uses for what a client asked, in seconds (0 means the maximum).
func (l *Limits) KeepAlive(asked uint16) time.Duration {
	d := time.Duration(asked) * time.Second
	if d == 0 {
		return l.KeepAliveMax
	}
	return min(max(d, l.KeepAliveMin), l.KeepAliveMax)
}
