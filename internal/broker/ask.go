package broker

import (
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// mayAsk asks the caller's policies for an operation that is not about a message on its way. what says in words what is
// not allowed. The resource is one of this account, or * when kind is empty.
func (b *Broker) mayAsk(by *Caller, what, action, kind, name string, keys map[string][]string) error {
	if by.system {
		return nil
	}
	r := by.rights.Load()
	req := &policy.Request{Action: action, Resource: "*", Vars: r.vars, Keys: keys, Now: time.Now()}
	if kind != "" {
		req.Resource = b.arn + kind + "/" + name
		what = what + " " + strconv.Quote(name)
	}
	d := r.policies.Decide(req)
	if d.Allowed {
		return nil
	}
	return &DeniedError{
		Fault:    fault.New(fault.Denied, "not allowed to %s: %s", what, r.policies.Explain(req)),
		Action:   action,
		Decision: d,
	}
}
