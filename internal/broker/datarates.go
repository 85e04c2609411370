package broker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/fault"
)

// DataRates are the per-second quotas of the calls of the data plane; 0 means none. Only profile aws has them (AWS IoT
// Core quotas, "message broker and protocols").
type DataRates struct {
	// Manage bounds GetConnection, DeleteConnection and ListSubscriptions, each on its own, ManagePerClient the same of
	// one client id.
	Manage, ManagePerClient float64
	DirectMessages          float64 // SendDirectMessage
	GetRetained             float64 // GetRetainedMessage
	ListRetained            float64 // ListRetainedMessages
}

func awsDataRates() DataRates {
	return DataRates{Manage: 100, ManagePerClient: 1, DirectMessages: 20_000, GetRetained: 500, ListRetained: 10}
}

// dataThrottles are the limiters of the data plane.
type dataThrottles struct {
	get, remove, subscriptions *manageThrottle
	direct                     *rate.Limiter
	getRetained, listRetained  *rate.Limiter
}

func newDataThrottles(r *DataRates) dataThrottles {
	return dataThrottles{
		get: newManageThrottle(r), remove: newManageThrottle(r), subscriptions: newManageThrottle(r),
		direct: NewLimiter(r.DirectMessages), getRetained: NewLimiter(r.GetRetained), listRetained: NewLimiter(r.ListRetained),
	}
}

// manageThrottle is the limiter of one operation on connections: of the account, and of each client id.
type manageThrottle struct {
	all   *rate.Limiter
	apart time.Duration // between two calls for one client id; 0 for none

	mu   sync.Mutex
	last map[string]time.Time
}

func newManageThrottle(r *DataRates) *manageThrottle {
	t := &manageThrottle{all: NewLimiter(r.Manage)}
	if r.ManagePerClient > 0 {
		t.apart = time.Duration(float64(time.Second) / r.ManagePerClient)
	}
	return t
}

// maxManaged bounds the memory of the rate per client id; forgetting one allows it one call more.
const maxManaged = 10_000

// allow takes one call for a client id.
func (t *manageThrottle) allow(what, clientID string) error {
	if t.apart > 0 && t.tooSoon(clientID) {
		return fault.New(fault.Throttled, "%s was called for client id %q less than %s ago", what, clientID, t.apart).
			WithRemedy("wait between calls for one client, or run with --limits open")
	}
	return allowCall(t.all, what)
}

func (t *manageThrottle) tooSoon(clientID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if last, ok := t.last[clientID]; ok && now.Sub(last) < t.apart {
		return true
	}
	if t.last == nil || len(t.last) >= maxManaged {
		t.last = map[string]time.Time{}
	}
	t.last[clientID] = now
	return false
}

// allowCall takes one call from a limiter that may be nil.
func allowCall(l *rate.Limiter, what string) error {
	if Allow(l) {
		return nil
	}
	return fault.New(fault.Throttled, "%s is called more than %g times per second in this account", what, float64(l.Limit())).
		WithRemedy("call it less often, or run with --limits open")
}

// canRetain refuses a message that would be handed out but not kept.
func (b *Broker) canRetain(m *Message) error {
	if !b.mayRetainNow(m.Topic) {
		return errRetainThrottled(m.Topic)
	}
	if !b.roomForRetained(m.Topic, len(m.Payload) == 0) {
		return fault.New(fault.Throttled, "the account has %d retained messages already", b.limits.RetainedMessages).
			WithRemedy("delete some that nobody needs: publish an empty payload with retain on their topics, or run with --limits open")
	}
	return nil
}

func errRetainThrottled(name string) error {
	return fault.New(fault.Throttled, "the retained message of %q, or all of them, change more often than the quota allows", name).
		WithRemedy("publish with RETAIN at most once a second per topic, or run with --limits open")
}
