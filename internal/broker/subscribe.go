package broker

import (
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// SubscribeRequest is one filter of a SUBSCRIBE.
type SubscribeRequest struct {
	Filter            string
	QoS               byte // 0 or 1 as asked; more is granted as 1
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte // MQTT 5, 3.8.3.1: 0 send retained, 1 only for a new subscription, 2 never
}

// SubscribeResult is what became of one filter.
type SubscribeResult struct {
	QoS byte  // granted
	Err error // why it was refused, nil if it was granted

	retained bool // send the retained message
	sub      *subscription
}

// Subscribe makes subscriptions. When it returns, a message that is published from now on reaches the client, and a
// persistent session has kept its filters. all says that one refusal refuses everything (MQTT 3.1.1, where it closes
// the connection). SendRetained follows when SUBACK is on its way.
func (c *Connection) Subscribe(reqs []SubscribeRequest, all bool) []SubscribeResult {
	results := make([]SubscribeResult, len(reqs))
	refused := false
	if !c.quiet && !Allow(c.b.throttles.subscribes) {
		for i := range results {
			results[i].Err = fault.New(fault.Throttled, "more than %g SUBSCRIBE per second in this account", c.b.limits.Rates.Subscribes)
		}
		return results
	}
	fresh := map[string]struct{}{} // filters of this request that the session does not have
	for i := range reqs {
		results[i] = c.checkSubscribe(&reqs[i], fresh)
		refused = refused || results[i].Err != nil && !fault.Is(results[i].Err, fault.Throttled)
	}
	if refused && all {
		return results
	}
	shared, err := c.keepSubscriptions(results)
	defer c.b.groupsKept(shared)
	if err != nil {
		for i := range results {
			if results[i].Err == nil {
				results[i] = SubscribeResult{Err: err}
			}
		}
		return results
	}
	var made []string
	for i := range reqs {
		c.install(&results[i], &reqs[i])
		if results[i].Err == nil {
			made = append(made, reqs[i].Filter)
		}
	}
	c.cleanUp()
	c.tellTopics("subscribed", made)
	return results
}

// checkSubscribe decides one filter.
func (c *Connection) checkSubscribe(r *SubscribeRequest, fresh map[string]struct{}) SubscribeResult {
	f, err := topic.ParseFilter(r.Filter, c.b.limits.Topic)
	if err != nil {
		return SubscribeResult{Err: err}
	}
	if err := subscribeReserved(f.Pattern); err != nil {
		return SubscribeResult{Err: err}
	}
	if d := c.b.decide(c.caller, "iot:Subscribe", "topicfilter", r.Filter, nil); !d.Allowed {
		return SubscribeResult{Err: c.b.denied(c.caller, d, "subscribe to", "iot:Subscribe", "topicfilter", r.Filter, nil)}
	}
	if f.Shared() && !c.b.mayChangeGroup(groupName(f)) {
		return SubscribeResult{Err: fault.New(fault.Throttled, "more than %g SUBSCRIBE and UNSUBSCRIBE per second of the shared subscription group", c.b.limits.Rates.GroupChanges).
			WithRemedy("subscribe and unsubscribe less often")}
	}
	isNew, err := c.roomFor(r.Filter, fresh)
	if err == nil && isNew {
		err = c.b.roomInAccount(f)
	}
	if err != nil {
		return SubscribeResult{Err: err}
	}
	return SubscribeResult{QoS: min(r.QoS, 1), sub: &subscription{
		session: c.session, filter: f, qos: min(r.QoS, 1), noLocal: r.NoLocal, retainAsPublished: r.RetainAsPublished,
	}}
}

// roomFor keeps the connection's count of subscriptions; one that is there takes no room.
func (c *Connection) roomFor(filter string, fresh map[string]struct{}) (isNew bool, err error) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.subs[filter]; ok {
		return false, nil
	}
	fresh[filter] = struct{}{}
	if len(s.subs)+len(fresh) <= c.b.limits.Subscriptions {
		return true, nil
	}
	delete(fresh, filter)
	return true, fault.New(fault.Throttled, "the connection has %d subscriptions already", c.b.limits.Subscriptions).
		WithRemedy("unsubscribe, or use wildcards")
}

// roomInAccount keeps the account's counts of subscriptions, groups and members.
func (b *Broker) roomInAccount(f topic.Filter) error {
	if most := b.limits.AccountSubscriptions; most > 0 && b.routes.Len() >= most {
		return fault.New(fault.Throttled, "the account has %d subscriptions already", most)
	}
	if !f.Shared() || b.limits.Groups == 0 {
		return nil
	}
	b.groups.mu.Lock()
	defer b.groups.mu.Unlock()
	g := b.groups.m[groupName(f)]
	switch {
	case g == nil && len(b.groups.m) >= b.limits.Groups:
		return fault.New(fault.Throttled, "the account has %d shared subscription groups already", b.limits.Groups)
	case g != nil && g.size() >= b.limits.GroupMembers:
		return fault.New(fault.Throttled, "the shared subscription group has %d members already", b.limits.GroupMembers)
	}
	return nil
}

func subscribeReserved(pattern string) error {
	switch cl := topic.ClassifyFilter(pattern); {
	case cl.Family == topic.FamilyNone:
		return nil
	case cl.Family == topic.FamilyUnknown:
		return fault.New(fault.Invalid, "filter %q is reserved: no service of AWS IoT Core publishes there", pattern)
	case !cl.Subscribe:
		return fault.New(fault.Invalid, "filter %q is reserved: it cannot be subscribed to", pattern)
	}
	return nil
}

// keepSubscriptions makes the filters of a persistent session durable. It gives those of shared subscriptions, for
// groupsKept.
func (c *Connection) keepSubscriptions(results []SubscribeResult) (shared []topic.Filter, err error) {
	if !c.session.persistent {
		return nil, nil
	}
	var sb store.Batch
	for i := range results {
		if results[i].Err != nil {
			continue
		}
		sb.Docs = append(sb.Docs, results[i].sub.record())
		if results[i].sub.filter.Shared() {
			c.b.keepGroup(results[i].sub, &sb)
			shared = append(shared, results[i].sub.filter)
		}
	}
	return shared, c.b.commit(&sb)
}

// install puts a granted filter into the tree in place of the session's older one, and says whether its retained
// message is due.
func (c *Connection) install(res *SubscribeResult, r *SubscribeRequest) {
	if res.Err != nil {
		return
	}
	isNew, ok := c.b.install(res.sub)
	if !ok {
		*res = SubscribeResult{Err: errSessionOver()}
		return
	}
	res.retained = r.RetainHandling == 0 || r.RetainHandling == 1 && isNew
}

// cleanUp removes what was kept for a session that was over by then.
func (c *Connection) cleanUp() {
	s := c.session
	s.routing.Lock()
	over := s.over
	s.routing.Unlock()
	if over && s.persistent {
		c.b.forgetLater(s)
	}
}

// errSessionOver answers a connection that was taken over while it waited for the store, and whose session is gone.
func errSessionOver() error { return fault.New(fault.Unavailable, "the session is over") }

// install reports whether the filter is new to the session; not ok says that the session is over.
func (b *Broker) install(sub *subscription) (isNew, ok bool) {
	s := sub.session
	s.routing.Lock()
	defer s.routing.Unlock()
	if s.over {
		return false, false
	}
	s.mu.Lock()
	if s.subs == nil {
		s.subs = map[string]*subscription{}
	}
	old := s.subs[sub.filter.Full]
	s.subs[sub.filter.Full] = sub
	s.mu.Unlock()
	if sub.filter.Shared() {
		b.join(sub)
	} else {
		b.routes.Add(sub.filter.Pattern, sub)
	}
	if old != nil {
		b.uninstall(old)
	}
	return old == nil, true
}

// uninstall takes a subscription out of the tree, or out of its group.
func (b *Broker) uninstall(sub *subscription) {
	if sub.group != nil {
		b.leaveGroup(sub)
		return
	}
	b.routes.Remove(sub.filter.Pattern, sub)
}

// Unsubscribe removes filters; one that was not there is no error. When it returns nil a persistent session has
// forgotten them for good. Those of shared subscriptions count in the group's rate and are never refused: 3.1.1 has no word
// for it.
func (c *Connection) Unsubscribe(filters []string) error {
	s := c.session
	c.countGroupChanges(filters)
	if s.persistent {
		var sb store.Batch
		for _, f := range filters {
			sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketSubscriptions, Key: s.subKey(f), Delete: true})
		}
		if err := c.b.commit(&sb); err != nil {
			return err
		}
	}
	s.routing.Lock()
	defer s.routing.Unlock()
	for _, f := range filters {
		s.mu.Lock()
		sub := s.subs[f]
		delete(s.subs, f)
		s.mu.Unlock()
		if sub != nil {
			c.b.uninstall(sub)
		}
	}
	c.tellTopics("unsubscribed", filters)
	return nil
}

func (c *Connection) countGroupChanges(filters []string) {
	if c.b.limits.Rates.GroupChanges == 0 {
		return
	}
	for _, name := range filters {
		if f, err := topic.ParseFilter(name, c.b.limits.Topic); err == nil && f.Shared() {
			c.b.mayChangeGroup(groupName(f))
		}
	}
}
