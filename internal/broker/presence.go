package broker

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Lifecycle events (AWS IoT Core developer guide, "Lifecycle events"): who connects, disconnects and subscribes is told
// on $aws/events/…, at QoS 0, through the door like everything else.

// lifecycleEvent is the JSON of every kind; what a kind does not have is left out.
type lifecycleEvent struct {
	ClientID        string   `json:"clientId"`
	ThingName       string   `json:"thingName,omitempty"`
	Timestamp       int64    `json:"timestamp"` // milliseconds since 1970
	EventType       string   `json:"eventType"`
	ClientInitiated *bool    `json:"clientInitiatedDisconnect,omitempty"`
	Session         string   `json:"sessionIdentifier"`
	Principal       string   `json:"principalIdentifier"`
	IPAddress       string   `json:"ipAddress,omitempty"`
	Reason          Reason   `json:"disconnectReason,omitempty"`
	Failure         string   `json:"connectFailureReason,omitempty"`
	Version         *uint64  `json:"versionNumber,omitempty"`
	Topics          []string `json:"topics,omitempty"`
}

// presence is what events say of a connection.
type presence struct {
	ip      string
	thing   string // only of an exclusive attachment
	session string // unique, a UUID
	version uint64
	told    bool // connected was told; under session.mu
}

// tell publishes an event about a client. Client ids with wildcards have none: their topic could not be one.
func (b *Broker) tell(c *Caller, p *presence, kind string, fill func(*lifecycleEvent)) {
	if strings.ContainsAny(c.ClientID, "+#") || b.closing.Load() {
		return
	}
	e := lifecycleEvent{
		ClientID: c.ClientID, Timestamp: millis(time.Now()), EventType: kind,
		Session: p.session, Principal: c.Principal,
	}
	fill(&e)
	payload, err := json.Marshal(&e)
	if err != nil {
		b.log.Error("lifecycle event", slog.Any("err", err))
		return
	}
	family := "presence"
	if kind == "subscribed" || kind == "unsubscribed" {
		family = "subscriptions"
	}
	b.publishDetached(b.builtin(), &Message{Topic: "$aws/events/" + family + "/" + kind + "/" + c.ClientID, Payload: payload}, &Batch{})
}

// Announce publishes an event of a service beside the broker on its $aws/… topic, as the broker itself. The payload is
// the broker's from here on.
func (b *Broker) Announce(topic string, payload []byte) {
	if !b.closing.Load() {
		b.publishDetached(b.builtin(), &Message{Topic: topic, Payload: payload}, &Batch{})
	}
}

// builtin is the caller of what the broker itself publishes on $aws/….
func (b *Broker) builtin() *Caller { return &Caller{Principal: "thingwire", system: true} }

func (c *Connection) tellConnected() {
	c.b.tell(c.caller, &c.presence, "connected", func(e *lifecycleEvent) {
		e.ThingName, e.IPAddress, e.Version = c.presence.thing, c.presence.ip, &c.presence.version
	})
}

func (c *Connection) tellDisconnected(cause Cause) {
	own := cause.Reason == ClientInitiated
	c.b.versions.left(c.caller.ClientID)
	c.b.tell(c.caller, &c.presence, "disconnected", func(e *lifecycleEvent) {
		e.ThingName, e.Version = c.presence.thing, &c.presence.version
		e.ClientInitiated, e.Reason = &own, cause.Reason
	})
}

// tellRefused tells of a connect that the policies refused.
func (b *Broker) tellRefused(r *ConnectRequest) {
	p := presence{session: uuid.NewString()}
	none := uint64(0)
	b.tell(r.Caller, &p, "connect_failed", func(e *lifecycleEvent) {
		e.IPAddress, e.Version, e.Failure = r.SourceIP, &none, "AUTHORIZATION_FAILED"
	})
}

func (c *Connection) tellTopics(kind string, topics []string) {
	if len(topics) == 0 || c.quiet {
		return
	}
	c.b.tell(c.caller, &c.presence, kind, func(e *lifecycleEvent) { e.Topics = topics })
}

// versions counts the connections of each client id, from 0. A count is forgotten an hour after the client went; a
// stored session remembers it for as long as it lives, and through restarts (session.version).
type versions struct {
	mu    sync.Mutex
	m     map[string]versionOf
	order []string // client ids that went, the oldest first
}

type versionOf struct {
	next uint64
	came time.Time
	gone time.Time // zero while connected
}

const (
	versionMemory = time.Hour
	maxVersions   = 100_000
)

// next is the number of a new connection: least is the smallest that it may be.
func (v *versions) next(clientID string, least uint64) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.m == nil {
		v.m = map[string]versionOf{}
	}
	e := v.m[clientID]
	if !e.gone.IsZero() && time.Since(e.gone) > versionMemory {
		e = versionOf{}
	}
	n := max(e.next, least)
	v.m[clientID] = versionOf{next: n + 1, came: time.Now()}
	return n
}

// tooSoon reports whether the client id's last connection came less than d ago.
func (v *versions) tooSoon(clientID string, d time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.m[clientID]
	return ok && time.Since(e.came) < d
}

// forget lets the count of a client that is away begin anew: its session has expired.
func (v *versions) forget(clientID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.m[clientID]; ok && !e.gone.IsZero() {
		e.next = 0
		v.m[clientID] = e
	}
}

// left notes that a client went, and forgets the oldest when there are too many.
func (v *versions) left(clientID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.m[clientID]
	if !ok || !e.gone.IsZero() {
		return
	}
	now := time.Now()
	v.m[clientID] = versionOf{next: e.next, came: e.came, gone: now}
	v.order = append(v.order, clientID)
	for len(v.order) > 0 {
		old := v.m[v.order[0]]
		if len(v.order) <= maxVersions && (old.gone.IsZero() || now.Sub(old.gone) <= versionMemory) {
			return
		}
		if !old.gone.IsZero() {
			delete(v.m, v.order[0])
		}
		v.order = v.order[1:]
	}
}
