package broker

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/fault"
)

// Rates are the per-second quotas of a limits profile; 0 means none. Only profile aws has them.
type Rates struct {
	ConnectsPerClient float64 // CONNECT of one client id
	Connects          float64 // of all clients
	PublishesPerConn  float64 // messages of one session: inbound, outbound and queued; see pace.go
	Publishes         float64 // inbound messages of all clients
	Deliveries        float64 // outbound messages of all clients
	BytesPerConn      float64 // inbound bytes of one connection; what is over is delayed
	Subscribes        float64 // SUBSCRIBE requests of all clients
	Queued            float64 // messages that are queued for clients that are away
	StoredPerConn     float64 // stored messages handed out to one connection
	RetainedPerTopic  float64 // changes of one topic's retained message
	Retained          float64 // changes of all retained messages
	GroupPerMember    float64 // messages that waited in a group's queue, to each member who is there
	GroupChanges      float64 // SUBSCRIBE and UNSUBSCRIBE of one shared subscription
}

// NewLimiter makes a limiter of perSecond, nil for 0. A nil limiter allows everything (see Allow).
func NewLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))))
}

// Allow takes one from a limiter that may be nil.
func Allow(l *rate.Limiter) bool { return l == nil || l.Allow() }

func allowN(l *rate.Limiter, n int) bool { return l == nil || l.AllowN(time.Now(), n) }

// throttles are the account's limiters.
type throttles struct {
	connects, publishes, deliveries, subscribes, queued, retained *rate.Limiter

	mu     sync.Mutex
	topics map[string]time.Time // when a topic's retained message changed last
	groups map[string]*rate.Limiter
}

func newThrottles(r *Rates) throttles {
	return throttles{
		connects: NewLimiter(r.Connects), publishes: NewLimiter(r.Publishes), deliveries: NewLimiter(r.Deliveries),
		subscribes: NewLimiter(r.Subscribes), queued: NewLimiter(r.Queued), retained: NewLimiter(r.Retained),
	}
}

// maxRetainTopics bounds the memory of the per-topic rate; forgetting a topic allows it one change more.
const maxRetainTopics = 10_000

// mayRetainNow reports whether the retained message of a topic may change now.
func (b *Broker) mayRetainNow(name string) bool {
	per := b.limits.Rates.RetainedPerTopic
	if per == 0 {
		return true
	}
	t := &b.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if last, ok := t.topics[name]; ok && now.Sub(last) < time.Duration(float64(time.Second)/per) {
		return false
	}
	if !Allow(t.retained) {
		return false
	}
	if t.topics == nil || len(t.topics) >= maxRetainTopics {
		t.topics = map[string]time.Time{}
	}
	t.topics[name] = now
	return true
}

// maxGroupRates bounds the memory of the groups' rates; forgetting one allows its group some changes more.
const maxGroupRates = 1000

// mayChangeGroup takes one SUBSCRIBE or UNSUBSCRIBE of a shared subscription out of its rate, which outlives the group.
func (b *Broker) mayChangeGroup(name string) bool {
	per := b.limits.Rates.GroupChanges
	if per == 0 {
		return true
	}
	t := &b.throttles
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.groups[name]
	if l == nil {
		if t.groups == nil || len(t.groups) >= maxGroupRates {
			t.groups = map[string]*rate.Limiter{}
		}
		l = NewLimiter(per)
		t.groups[name] = l
	}
	return l.Allow()
}

// mayConnectNow keeps the rates of CONNECT and the number of connections.
func (b *Broker) mayConnectNow(clientID string) error {
	if per := b.limits.Rates.ConnectsPerClient; per > 0 && b.versions.tooSoon(clientID, time.Duration(float64(time.Second)/per)) {
		return fault.New(fault.Throttled, "more than %g CONNECT per second for client id %q", per, clientID).
			WithRemedy("wait a second before connecting again; two clients with one client id do this to each other")
	}
	if !Allow(b.throttles.connects) {
		return fault.New(fault.Throttled, "more than %g CONNECT per second in this account", b.limits.Rates.Connects)
	}
	if most := b.limits.Connections; most > 0 && b.connections.Load() >= int64(most) {
		return fault.New(fault.Throttled, "%d connections are open already", most)
	}
	return nil
}
