package broker

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// session is what outlives a connection: subscriptions and, if it is persistent, a queue. A session is one of (client
// id, protocol 3 or 5): the two never mix.
type session struct {
	clientID string
	protocol byte
	// identifier is the sessionIdentifier of lifecycle events, a UUID; it never changes.
	identifier string
	// version is the versionNumber of the newest connection; it belongs to the holder's shard.
	version uint64

	// live is the connection that may receive, nil while there is none. It changes under mu; hand-out reads it
	// without a lock.
	live atomic.Pointer[Connection]

	// persistent sessions have a queue in the store; it never changes.
	persistent bool
	queue      store.QueueID

	// rate is the quota of messages of the session's connections, nil for none; it never changes.
	rate *rate.Limiter

	// owner is the newest connection, expiry how long the session outlives it, left when it went (in milliseconds
	// since 1970, 0 while it is there), gone the alarm that ends the session and will the one that waits for its
	// delay: all of them belong to the holder's shard.
	owner  *Connection
	expiry time.Duration
	left   int64
	gone   *alarm
	will   *waitingWill

	// routing is held while filters come and go in the tree, so that the tree and subs agree. over says that the
	// session has ended: nothing is installed for it any more. It comes before mu.
	routing sync.Mutex
	over    bool

	mu     sync.Mutex
	subs   map[string]*subscription // by filter as given
	groups []*Group                 // of its shared subscriptions
	q      queueState

	room
}

// queueState is where a persistent session stands in its queue; under session.mu.
type queueState struct {
	next     uint64 // the sequence number to hand out next
	last     uint64 // the newest durable one
	trimmed  uint64 // all up to here is acknowledged
	done     map[uint64]struct{}
	ahead    map[uint64]struct{} // handed out before their turn (profile aws)
	draining bool                // a drain reads the store; nothing is handed out from memory
}

// subscription is one filter of one session. It never changes: a new SUBSCRIBE replaces it.
type subscription struct {
	session           *session // nil for the subscription that stands in the tree for a group
	group             *Group   // of a shared subscription
	filter            topic.Filter
	qos               byte
	noLocal           bool
	retainAsPublished bool
}

// stored reports whether QoS 1 messages for the subscription are kept in the session's queue.
func (s *subscription) stored() bool {
	if s.group != nil {
		return s.group.queued.Load()
	}
	return s.qos > 0 && s.session.persistent
}

// holder is one client id: its live connection and its stored sessions by protocol. Under its shard's lock.
type holder struct {
	live   *Connection
	stored [2]*session
}

const holderShards = 64

type holderShard struct {
	// records is held while a session's document is made from the registry and handed to the store, so that
	// documents become durable in the order in which the registry changed.
	records sync.Mutex

	mu sync.Mutex
	m  map[string]*holder
}

func (b *Broker) shard(clientID string) *holderShard {
	return &b.shards[maphash.String(b.seed, clientID)%holderShards]
}

// slot is the index of a protocol in holder.stored.
func slot(protocol byte) int {
	if protocol == 5 {
		return 1
	}
	return 0
}

func (sh *holderShard) get(clientID string) *holder {
	h := sh.m[clientID]
	if h == nil {
		h = &holder{}
		sh.m[clientID] = h
	}
	return h
}

// least is the smallest versionNumber that a new connection may have: one more than what stored sessions remember.
func (h *holder) least() (n uint64) {
	for _, s := range h.stored {
		if s != nil {
			n = max(n, s.version+1)
		}
	}
	return n
}

func (sh *holderShard) drop(clientID string, h *holder) {
	if h.live == nil && h.stored[0] == nil && h.stored[1] == nil {
		delete(sh.m, clientID)
	}
}

// kickAll ends every connection.
func (b *Broker) kickAll(cause Cause) {
	for i := range b.shards {
		sh := &b.shards[i]
		sh.mu.Lock()
		live := make([]*Connection, 0, len(sh.m))
		for _, h := range sh.m {
			if h.live != nil {
				live = append(live, h.live)
			}
		}
		sh.mu.Unlock()
		for _, c := range live {
			c.link.Kick(cause)
		}
	}
}

// unroute takes all the filters of a session that is over out of the tree, for good.
func (b *Broker) unroute(s *session) {
	s.routing.Lock()
	defer s.routing.Unlock()
	s.over = true
	s.mu.Lock()
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	for _, sub := range subs {
		b.uninstall(sub)
	}
}
