package broker

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// Group is a shared subscription: the members of one share name on one pattern. Each message goes to one of them, picked
// at random (AWS IoT Core developer guide, "Shared subscriptions"). While a member has a persistent session the group
// owns a queue: QoS 1 messages wait in it, online members lease them, and what a member has not acknowledged when its
// connection ends goes to another one.
type Group struct {
	b      *Broker
	name   string        // share name, slash, pattern
	owner  string        // the name in journal and log, as clients have it: $share/…
	route  *subscription // what stands in the tree for the group
	queue  store.QueueID // set while there is a persistent member; changes under mu and the groups' lock
	queued atomic.Bool   // queue is set

	mu         sync.Mutex
	members    []*subscription
	persistent int
	pending    int // subscriptions that are being kept, and will be persistent members
	q          queueState
	leases     map[uint64]*Connection
	returned   []uint64 // leases that came back, in order

	room
}

// groups are all groups by name.
type groups struct {
	mu sync.Mutex
	m  map[string]*Group
}

// groupName is the name of a shared filter's group.
func groupName(f topic.Filter) string { return f.Share + "/" + f.Pattern }

// groupOf finds or makes the group of a shared filter. Under the groups' lock.
func (b *Broker) groupOf(f topic.Filter) *Group {
	name := groupName(f)
	g := b.groups.m[name]
	if g == nil {
		g = &Group{b: b, name: name, owner: "$share/" + name}
		g.route = &subscription{group: g, filter: f, qos: 1}
		b.groups.m[name] = g
	}
	return g
}

// join makes a subscription a member of its group.
func (b *Broker) join(sub *subscription) {
	b.groups.mu.Lock()
	defer b.groups.mu.Unlock()
	g := b.groupOf(sub.filter)
	g.mu.Lock()
	sub.group = g
	g.members = append(g.members, sub)
	if sub.session.persistent {
		g.persistent++
	}
	g.mu.Unlock()
	b.routes.Add(sub.filter.Pattern, g.route) // adding again makes cached routes look anew
	sub.session.mu.Lock()
	sub.session.groups = append(sub.session.groups, g)
	sub.session.mu.Unlock()
}

// leaveGroup takes a member out of its group. The last persistent one takes the queue with it.
func (b *Broker) leaveGroup(sub *subscription) {
	g := sub.group
	b.groups.mu.Lock()
	defer b.groups.mu.Unlock()
	g.mu.Lock()
	g.members = slices.DeleteFunc(g.members, func(m *subscription) bool { return m == sub })
	left := len(g.members)
	if sub.session.persistent {
		g.persistent--
	}
	g.mu.Unlock()
	s := sub.session
	s.mu.Lock()
	if i := slices.Index(s.groups, g); i >= 0 { // a subscription that replaces this one has the group there again
		s.groups = slices.Delete(s.groups, i, i+1)
	}
	s.mu.Unlock()
	if left == 0 {
		b.routes.Remove(sub.filter.Pattern, g.route)
	} else {
		b.routes.Touch(sub.filter.Pattern)
	}
	b.tidyGroup(g)
}

// tidyGroup drops the queue that no persistent member needs any more, and a group without members. Under the groups'
// lock.
func (b *Broker) tidyGroup(g *Group) {
	g.mu.Lock()
	drop := store.QueueID(0)
	if g.persistent+g.pending == 0 && g.queue != 0 {
		drop = g.queue
		g.queue = 0
		g.queued.Store(false)
		g.q, g.leases, g.returned = queueState{}, nil, nil
	}
	empty := len(g.members)+g.pending == 0
	g.mu.Unlock()
	if empty {
		delete(b.groups.m, g.name)
	}
	if drop != 0 {
		b.dropGroupQueue(g.name, drop)
	}
}

// dropGroupQueue removes the queue that a group had; nobody waits for it.
func (b *Broker) dropGroupQueue(name string, q store.QueueID) {
	again := chore{
		do:   func() error { return b.dropGroupQueueAgain(name, q) },
		what: []any{slog.String("change", "end of a shared subscription"), slog.String("group", name)},
	}
	b.store.Commit(&store.Batch{
		Docs:       []store.DocOp{{Bucket: bucketGroups, Key: name, Delete: true}},
		DropQueues: []store.QueueID{q},
		Then: func(err error) {
			if err != nil {
				b.owe(err, again)
			}
		},
	})
}

// dropGroupQueueAgain leaves alone the document of a group that has another queue by now. The order of commits is that
// of the groups' lock, as in keepGroup.
func (b *Broker) dropGroupQueueAgain(name string, q store.QueueID) error {
	sb := store.Batch{DropQueues: []store.QueueID{q}}
	b.groups.mu.Lock()
	if g := b.groups.m[name]; g == nil || !g.queued.Load() {
		sb.Docs = []store.DocOp{{Bucket: bucketGroups, Key: name, Delete: true}}
	}
	t := b.store.Commit(&sb)
	b.groups.mu.Unlock()
	return t.Wait()
}

func (g *Group) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// keepGroup gives the group of a new persistent subscription a queue, if it has none, and adds its document to sb.
func (b *Broker) keepGroup(sub *subscription, sb *store.Batch) {
	b.groups.mu.Lock()
	defer b.groups.mu.Unlock()
	g := b.groupOf(sub.filter)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue == 0 {
		g.useQueue(store.NewQueueID(), store.QueueStats{})
	}
	g.pending++ // until groupKept
	sb.Docs = append(sb.Docs, groupRecord(g.name, g.queue))
}

// useQueue makes a queue the group's. Under g.mu.
func (g *Group) useQueue(id store.QueueID, stats store.QueueStats) {
	g.queue = id
	g.q = queueState{next: stats.Last + 1, last: stats.Last, trimmed: stats.Last}
	if stats.First > 0 {
		g.q.trimmed = stats.First - 1
		g.q.next = stats.First
	}
	g.leases = map[uint64]*Connection{}
	g.eldest.set(waiting{})
	g.messages.Store(int64(g.q.last - g.q.trimmed))
	g.bytes.Store(stats.Bytes)
	g.queued.Store(true)
}

// groupsKept ends what keepGroup began: by now the subscriptions are members, or never will be.
func (b *Broker) groupsKept(shared []topic.Filter) {
	if len(shared) == 0 {
		return
	}
	b.groups.mu.Lock()
	defer b.groups.mu.Unlock()
	for _, f := range shared {
		g := b.groups.m[groupName(f)]
		g.mu.Lock()
		g.pending--
		g.mu.Unlock()
		b.tidyGroup(g)
	}
}

// handOutShared gives each message of a run to one member. Those that the group's queue keeps come later.
func (b *Broker) handOutShared(h *handOut, t *target) {
	queued := t.sub.group.queued.Load()
	for i := range h.messages {
		m := &h.messages[i]
		if queued && m.QoS > 0 {
			continue
		}
		sub, c := pickSub(t.members)
		if c == nil {
			continue
		}
		h.one[0] = Delivery{Message: m, QoS: min(m.QoS, sub.qos)}
		b.counts.Delivered.Add(int64(h.give(c, h.one[:], false)))
	}
}

// pickSub chooses at random among the members who are there, one with room in its rate if there is any.
func pickSub(members []*subscription) (sub *subscription, c *Connection) {
	if len(members) == 0 {
		return nil, nil
	}
	at := rand.IntN(len(members)) //nolint:gosec // fairness, not a secret
	for i := range members {
		s := members[(at+i)%len(members)]
		l := s.session.live.Load()
		switch {
		case l == nil:
		case l.overRate():
			sub, c = s, l
		default:
			return s, l
		}
	}
	return sub, c
}

// allowedMembers lists the members that may receive on a topic: by either form of it, and by no explicit deny of one.
func (b *Broker) allowedMembers(g *Group, name string) (members []*subscription, volatile bool) {
	g.mu.Lock()
	all := slices.Clone(g.members)
	g.mu.Unlock()
	for _, sub := range all {
		c := sub.session.live.Load()
		if c == nil {
			continue
		}
		ok, v := b.mayReceiveShared(c, sub, name)
		volatile = volatile || v
		if ok {
			members = append(members, sub)
		}
	}
	return members, volatile
}

func (b *Broker) mayReceiveShared(c *Connection, sub *subscription, name string) (ok, volatile bool) {
	plain := b.decide(c.caller, "iot:Receive", "topic", name, nil)
	shared := b.decide(c.caller, "iot:Receive", "topic", "$share/"+sub.filter.Share+"/"+name, nil)
	volatile = plain.TimeDependent || shared.TimeDependent
	return (plain.Allowed || shared.Allowed) && !plain.Explicit && !shared.Explicit, volatile
}
