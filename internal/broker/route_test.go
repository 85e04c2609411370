package broker

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// TestACachedRouteIsAFreshOne changes subscriptions, policies and connections at random and asks after each step whether
// what a publisher's cache answers is what it would find out anew.
func TestACachedRouteIsAFreshOne(t *testing.T) {
	t.Parallel()
	sets := []*policy.Set{
		policy.AllowAll(),
		compile(t, "allow iot:* *"),
		compile(t, "allow iot:* *\ndeny iot:Receive topic/a/*\ndeny iot:Publish topic/b"),
		compile(t, "allow iot:Connect client/*\nallow iot:Receive topic/a/b"),
	}
	filters := []string{"a/b", "a/+", "a/#", "+/b", "#", "b", "$share/g/a/b"}
	topics := []string{"a/b", "a/c", "b", "a/b/c", "c"}
	rapid.Check(t, func(rt *rapid.T) {
		s := mem.New()
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		b := openTest(t, s, OpenLimits())
		defer b.Close()
		publishers := []*Caller{anybody("p"), NewCaller("q", "q", sets[2], nil)}
		conns := map[string]*Connection{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "client")
			c := conns[id]
			set := rapid.SampledFrom(sets).Draw(rt, "policy")
			f := rapid.SampledFrom(filters).Draw(rt, "filter")
			switch op := rapid.IntRange(0, 5).Draw(rt, "step"); {
			case op == 0 || c == nil:
				r := ConnectRequest{
					Caller: NewCaller(id, id, set, varsOf(id)), Protocol: byte(rapid.SampledFrom([]int{3, 5}).Draw(rt, "protocol")),
					CleanStart: rapid.Bool().Draw(rt, "clean"), Expiry: b.limits.SessionExpiryMax, Link: newLink(),
				}
				if rapid.Bool().Draw(rt, "not persistent") {
					r.Expiry = 0
				}
				conns[id], _ = connect(t, b, r)
			case op == 1:
				c.Subscribe([]SubscribeRequest{{Filter: f, QoS: byte(rapid.IntRange(0, 1).Draw(rt, "qos"))}}, false)
			case op == 2:
				if err := c.Unsubscribe([]string{f}); err != nil {
					rt.Fatal(err)
				}
			case op == 3:
				c.caller.SetRights(set, varsOf(id))
				c.Refresh()
			case op == 4:
				c.Close(Cause{})
				delete(conns, id)
			case op == 5:
				publishers[0].SetRights(set, nil)
			}
			for _, by := range publishers {
				name := rapid.SampledFrom(topics).Draw(rt, "topic")
				cached := describeRoute(b.resolve(by, name))
				fresh := &route{}
				b.fill(by, fresh, name)
				if want := describeRoute(fresh); !slices.Equal(cached, want) {
					rt.Fatalf("%s to %s: the cache says %v, it is %v", by.ClientID, name, cached, want)
				}
			}
		}
	})
}

// describeRoute is what a publisher can see of a route, in an order.
func describeRoute(r *route) []string {
	d := []string{fmt.Sprintf("refused %v, stored %v", r.publish != nil, r.stored)}
	for _, t := range r.targets {
		if t.sub.group == nil {
			d = append(d, fmt.Sprintf("%s/%d by %s decided for %d", t.sub.session.clientID, t.sub.session.protocol,
				t.sub.filter.Full, t.decided))
			continue
		}
		var members []string
		for _, m := range t.members {
			members = append(members, fmt.Sprintf("%s/%d", m.session.clientID, m.session.protocol))
		}
		slices.Sort(members)
		d = append(d, fmt.Sprintf("group %s: %v", t.sub.group.name, members))
	}
	slices.Sort(d)
	return d
}

// A cache of 64 topics forgets any one of them when it is full, never more than it must, and stays right.
func TestTheRouteCacheIsBounded(t *testing.T) {
	t.Parallel()
	b := openTest(t, memStore(t), OpenLimits())
	defer b.Close()
	l := newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: l})
	subscribe(t, c, SubscribeRequest{Filter: "t/#"})
	by := anybody("p")
	for round := range 3 {
		for i := range 3 * routeCacheSize {
			name := fmt.Sprintf("t/%d", i/2) // each twice in a row
			if err := publishOne(b, by, &Message{Topic: name, Payload: []byte(name)}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(by.cache.routes); n > routeCacheSize {
			t.Fatalf("round %d: %d routes are cached", round, n)
		}
	}
	for i, r := range l.take() {
		if r.topic != r.payload {
			t.Fatalf("message %d on %s was published on %s", i, r.topic, r.payload)
		}
	}
}
