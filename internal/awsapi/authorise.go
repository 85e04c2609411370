package awsapi

import (
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// Denial is an operation that a caller's policies refused.
type Denial struct {
	Action, Resource string
	Decision         policy.Decision
	Err              *fault.Error
}

// Authorise asks the caller's policies for an action on a resource, an ARN or "*". The words of the refusal, a
// fault.Denied, are AWS's: tools look for them. The remedy says what comes nearest.
func (c *Caller) Authorise(action, resource string) error {
	return c.AuthoriseWith(action, resource, nil)
}

// AuthoriseWith is Authorise with condition keys of this request alone.
func (c *Caller) AuthoriseWith(action, resource string, keys map[string][]string) error {
	req := &policy.Request{Action: action, Resource: resource, Vars: c.Vars, Keys: keys, Now: time.Now()}
	d := c.Policies.Decide(req)
	if d.Allowed {
		return nil
	}
	err := fault.New(fault.Denied, "User: %s is not authorized to perform: %s on resource: %s", c.ARN, action, resource).
		WithRemedy("%s", c.Policies.Explain(req))
	if c.Denied != nil {
		c.Denied(Denial{Action: action, Resource: resource, Decision: d, Err: err})
	}
	return err
}
