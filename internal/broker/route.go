package broker

import (
	"hash/maphash"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/topic"
)

// route is what a caller's publish to one topic leads to. It is valid as long as no filter that could match, and no
// policy of the caller, has changed.
type route struct {
	topic      string
	generation topic.Generation
	caller     uint64
	volatile   bool // a decision looked at the time: never use it again

	publish     error // why the caller may not publish here, nil if it may
	retain      error // the same for RETAIN; asked on the first retained publish
	retainAsked bool

	matched []*subscription
	targets []target
	stored  bool // some target keeps QoS 1 messages
}

// target is one subscription that matched and whose session may receive, or a shared subscription with the members
// that may.
type target struct {
	sub     *subscription
	members []*subscription
	// decided is the connection that may receive, 0 when there was none: another one is asked again.
	decided uint64
}

// routeCache is a caller's cache of routes: the last one, and up to routeCacheSize that were asked for twice.
type routeCache struct {
	last    *route
	scratch *route
	routes  map[string]*route
	seen    []uint64 // hashes of topics that were published to once, a ring
	at      int
}

const routeCacheSize = 64

// Intern gives the string of a topic name without allocating when the caller has published to it lately.
func (c *Caller) Intern(name []byte) string {
	if r := c.cache.last; r != nil && r.topic == string(name) {
		return r.topic
	}
	if r := c.cache.routes[string(name)]; r != nil {
		return r.topic
	}
	return string(name)
}

// resolve gives the route of a topic, from the cache if it is still valid.
func (b *Broker) resolve(c *Caller, name string) *route {
	rc := &c.cache
	r := rc.last
	if r == nil || r.topic != name {
		if r = rc.routes[name]; r == nil {
			r = rc.place(b.seed, name)
		}
		rc.last = r
	}
	if r.topic != name || r.volatile || r.caller != c.generation.Load() || r.generation != b.routes.Generation(name) {
		b.fill(c, r, name)
	}
	return r
}

// place finds memory for a topic's route: a cached entry for a topic seen before, else the scratch one.
func (rc *routeCache) place(seed maphash.Seed, name string) *route {
	if rc.scratch == nil {
		rc.scratch = &route{}
		return rc.scratch
	}
	h := maphash.String(seed, name)
	if slices.Contains(rc.seen, h) {
		return rc.admit(name)
	}
	if len(rc.seen) < routeCacheSize {
		rc.seen = append(rc.seen, h)
	} else {
		rc.seen[rc.at] = h
		rc.at = (rc.at + 1) % routeCacheSize
	}
	return rc.scratch
}

func (rc *routeCache) admit(name string) *route {
	if rc.routes == nil {
		rc.routes = map[string]*route{}
	}
	if len(rc.routes) >= routeCacheSize {
		for k := range rc.routes { // any one: the order of a map is random
			delete(rc.routes, k)
			break
		}
	}
	r := &route{}
	rc.routes[name] = r
	return r
}

// fill decides and matches anew. The generations are read first: a change in between makes the route invalid.
func (b *Broker) fill(c *Caller, r *route, name string) {
	r.topic = name
	r.caller = c.generation.Load()
	r.generation = b.routes.Generation(name)
	r.volatile, r.retain, r.retainAsked, r.stored = false, nil, false, false
	clear(r.matched)
	clear(r.targets)
	r.matched, r.targets = r.matched[:0], r.targets[:0]
	if r.publish = b.mayPublish(c, r, name); r.publish != nil {
		return
	}
	r.matched = b.routes.Match(name, r.matched)
	for _, sub := range r.matched {
		if sub.group != nil {
			members, volatile := b.allowedMembers(sub.group, name)
			r.volatile = r.volatile || volatile
			r.targets = append(r.targets, target{sub: sub, members: members})
			r.stored = r.stored || sub.stored()
			continue
		}
		t := target{sub: sub}
		if live := sub.session.live.Load(); live != nil {
			d := b.decide(live.caller, "iot:Receive", "topic", name, nil)
			r.volatile = r.volatile || d.TimeDependent
			if !d.Allowed {
				b.noteReceiveDenied(live, d, name)
				continue
			}
			t.decided = live.id
		}
		r.targets = append(r.targets, t)
		r.stored = r.stored || sub.stored()
	}
}

// mayPublish checks name and policy. Its error is kept in the route, so it is made once.
func (b *Broker) mayPublish(c *Caller, r *route, name string) error {
	if c.system {
		return nil
	}
	if err := topic.CheckName(name, b.limits.Topic); err != nil {
		return err
	}
	if err := publishReserved(name); err != nil {
		return err
	}
	d := b.decide(c, "iot:Publish", "topic", name, nil)
	r.volatile = r.volatile || d.TimeDependent
	if !d.Allowed {
		return b.denied(c, d, "publish to", "iot:Publish", "topic", name, nil)
	}
	return nil
}

func (b *Broker) mayRetain(c *Caller, r *route) error {
	if r.retainAsked {
		return r.retain
	}
	r.retainAsked = true
	d := b.decide(c, "iot:RetainPublish", "topic", r.topic, nil)
	r.volatile = r.volatile || d.TimeDependent
	if !d.Allowed {
		r.retain = b.denied(c, d, "publish with RETAIN to", "iot:RetainPublish", "topic", r.topic, nil)
	}
	return r.retain
}

// publishReserved refuses what begins with $: what no client may publish to, and what belongs to a service that
// Thingwire does not have.
func publishReserved(name string) error {
	switch cl := topic.Classify(name); {
	case cl.Family == topic.FamilyNone:
		return nil
	case cl.Family == topic.FamilyUnknown:
		return fault.New(fault.Invalid, "topic %q is reserved: no service of AWS IoT Core uses it", name).
			WithRemedy("publish to a topic that does not begin with $")
	case !cl.Publish:
		return fault.New(fault.Denied, "topic %q is reserved: clients may only subscribe to it", name)
	default:
		return fault.New(fault.Unsupported, "topic %q belongs to a service that Thingwire does not have yet", name).
			WithRemedy("see docs/compatibility.md")
	}
}
