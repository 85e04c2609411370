package journal

import (
	"time"
)

// Event types of AWS IoT's logs (developer guide, "CloudWatch Logs: AWS IoT log entries"), and our own.
const (
	Connect     = "Connect"
	Disconnect  = "Disconnect"
	AuthNError  = "Connection.AuthNError" // nobody we know: before there is a client id
	PublishIn   = "Publish-In"
	PublishOut  = "Publish-Out"
	Queued      = "Queued"
	Subscribe   = "Subscribe"
	Unsubscribe = "Unsubscribe"
	OwnEvent    = "Journal" // about the journal itself
)

// The two values of Entry.Status, and the levels.
const (
	Success = "Success"
	Failure = "Failure"

	LevelInfo  = "INFO"
	LevelWarn  = "WARN"
	LevelError = "ERROR"
)

// Entry is one line of the journal. The first block has AWS's names and meanings, the second is ours and documented in
// docs/operations.md. Record fills what is empty and can be known: timestamp, level, trace id, account, status, and
// from DisconnectReason and ReasonCode also reason, details and remedy. It keeps the strings and the slice as they are:
// they must not alias memory that is used again.
type Entry struct {
	Timestamp         Stamp          `json:"timestamp,omitzero"`
	LogLevel          string         `json:"logLevel,omitempty"`
	TraceID           string         `json:"traceId,omitempty"` // the id that a v5 client got behind its reason string
	AccountID         string         `json:"accountId,omitempty"`
	Status            string         `json:"status,omitempty"`
	EventType         string         `json:"eventType,omitempty"`
	Protocol          string         `json:"protocol,omitempty"` // MQTT or HTTP
	ClientID          string         `json:"clientId,omitempty"`
	PrincipalID       string         `json:"principalId,omitempty"`
	SourceIP          string         `json:"sourceIp,omitempty"`
	SourcePort        uint16         `json:"sourcePort,omitempty"`
	TopicName         string         `json:"topicName,omitempty"` // filters of a SUBSCRIBE are joined with commas
	Subscriptions     []Subscription `json:"subscriptions,omitempty"`
	QoS               string         `json:"qos,omitempty"`    // "0", "1"
	Retain            string         `json:"retain,omitempty"` // "True" or nothing
	Reason            string         `json:"reason,omitempty"`
	Details           string         `json:"details,omitempty"`
	DisconnectReason  string         `json:"disconnectReason,omitempty"`
	KeepAliveDuration int            `json:"keepAliveDuration,omitempty"` // seconds
	SessionExpiry     int            `json:"sessionExpiry,omitempty"`     // seconds
	CleanSession      string         `json:"cleanSession,omitempty"`      // "True", "False"
	ThingName         string         `json:"thingName,omitempty"`
	AuthType          string         `json:"authenticationType,omitempty"` // AWS_X509, AWS_SIGV4, CUSTOM_AUTH
	ServerName        string         `json:"serverNameIndication,omitempty"`

	Packet     string `json:"packet,omitempty"`     // which packet: "PUBLISH", "SUBSCRIBE 3 of 5"
	ReasonCode byte   `json:"reasonCode,omitempty"` // of MQTT 5, also where a 3.1.1 client got none
	Policy     string `json:"policy,omitempty"`     // the policy that decided
	Statement  string `json:"statement,omitempty"`  // its statement: Sid, or index from 0
	Cause      string `json:"cause,omitempty"`      // in words; for a denial with the nearest miss
	Remedy     string `json:"remedy,omitempty"`     // what to do, in words
	Count      int    `json:"count,omitempty"`      // how often, when more than once
	FirstSeen  Stamp  `json:"firstSeen,omitzero"`   // when first, when more than once; Timestamp is the last time
	Listener   string `json:"listener,omitempty"`
}

// Subscription is one filter of a SUBSCRIBE and its answer.
type Subscription struct {
	TopicName  string `json:"topicName"`
	ReasonCode byte   `json:"reasonCode"`
}

// Stamp is a time as AWS IoT's logs write it: UTC, to the millisecond.
type Stamp struct{ time.Time }

const stampLayout = "2006-01-02 15:04:05.000"

// rounded is the time as it will be read back.
func (s Stamp) rounded() Stamp { return Stamp{s.UTC().Truncate(time.Millisecond)} }

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return s.UTC().AppendFormat(nil, `"`+stampLayout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Stamp) UnmarshalJSON(text []byte) (err error) {
	s.Time, err = time.Parse(`"`+stampLayout+`"`, string(text))
	return err
}
