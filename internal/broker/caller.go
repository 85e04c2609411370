package broker

import (
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/policy"
)

// Caller is who publishes or receives: a principal with its compiled policies and the variables of its connection. A
// door makes one per connection, or per request where there is no connection.
type Caller struct {
	// Principal is the certificate id, the access key's user or role, or "anonymous".
	Principal string
	// ClientID is the MQTT client id, empty for HTTP.
	ClientID string

	rights     atomic.Pointer[rights]
	generation atomic.Uint64 // grows when the rights change
	system     bool          // the broker itself: may publish on $aws/…

	// What follows is used by the one goroutine that publishes for this caller at a time.
	cache   routeCache
	scratch handOut
	conn    *Connection // nil for callers without a connection
}

// rights are the compiled policies of a principal and the variables of its connection.
type rights struct {
	policies *policy.Set
	vars     policy.Vars
}

// NewCaller makes the caller of a connection or of a request.
func NewCaller(principal, clientID string, policies *policy.Set, vars policy.Vars) *Caller {
	c := &Caller{Principal: principal, ClientID: clientID}
	c.rights.Store(&rights{policies: policies, vars: vars})
	return c
}

// SetRights replaces policies and variables; decisions from now on use the new ones. Connection.Refresh makes
// deliveries follow.
func (c *Caller) SetRights(policies *policy.Set, vars policy.Vars) {
	c.rights.Store(&rights{policies: policies, vars: vars})
	c.generation.Add(1)
}

// decide asks the caller's policies for an action on a resource of this account: kind is "topic", "topicfilter" or
// "client".
func (b *Broker) decide(c *Caller, action, kind, name string, keys map[string][]string) policy.Decision {
	r := c.rights.Load()
	return r.policies.Decide(b.ask(r, action, kind, name, keys))
}

// explain says why the caller's policies refuse.
func (b *Broker) explain(c *Caller, action, kind, name string, keys map[string][]string) string {
	r := c.rights.Load()
	return r.policies.Explain(b.ask(r, action, kind, name, keys))
}

func (b *Broker) ask(r *rights, action, kind, name string, keys map[string][]string) *policy.Request {
	return &policy.Request{Action: action, Resource: b.arn + kind + "/" + name, Vars: r.vars, Keys: keys, Now: time.Now()}
}

// owns reports whether a session is the caller's own: messages are not sent back to a session that said No Local, its
// will included [MQTT-3.8.3-3].
func (c *Caller) owns(s *session) bool {
	return c.ClientID != "" && c.ClientID == s.clientID || c.conn != nil && c.conn.session == s
}

// detached is the same principal without its connection's caches, for what the broker publishes in its name (wills).
func (c *Caller) detached() *Caller {
	r := c.rights.Load()
	return NewCaller(c.Principal, c.ClientID, r.policies, r.vars)
}
