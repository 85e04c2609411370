package delivery

import (
	"context"
	"sync"
	"time"
)

const (
	// renewBefore is how long before their end the credentials of a role are made anew.
	renewBefore = 5 * time.Minute
	// renewAgain is how long a failed renewal waits while the old credentials are good.
	renewAgain = 10 * time.Second
	// settled is how old credentials are that a refusal may mean. A refusal of newer ones is the policy's: it must not make
	// each message of a callback that may not publish assume the role once more.
	settled = 5 * time.Second
	// maxRoles bounds the roles whose credentials are kept.
	maxRoles = 10_000
)

// session are the credentials of an assumed role.
type session struct {
	key         Key
	made, renew time.Time
	expires     time.Time
}

func (c *session) good(now time.Time) bool { return c != nil && now.Before(c.expires) }

// roleName is whose credentials are kept. Two callbacks with one role and one external id share them only if they also
// have one session name, which rules and logs show as who published.
type roleName struct{ arn, externalID, session string }

// roleCache keeps the credentials of roles. The zero value is ready.
type roleCache struct {
	mu    sync.Mutex
	roles map[roleName]*role
}

// role is one of them: its credentials, and the call that is making new ones, if there is one.
type role struct {
	mu      sync.Mutex
	current *session
	flight  *flight
	notYet  time.Time // no renewal before
}

// flight is one AssumeRole, for all who wait for it.
type flight struct {
	done chan struct{}
	got  *session
	err  error
}

func (c *roleCache) of(name roleName) *role {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.roles[name]; r != nil {
		return r
	}
	if c.roles == nil {
		c.roles = map[roleName]*role{}
	}
	for victim := range c.roles { // any: it costs its callback one AssumeRole
		if len(c.roles) < maxRoles {
			break
		}
		delete(c.roles, victim)
	}
	r := &role{}
	c.roles[name] = r
	return r
}

// session gives credentials of the target's role: kept ones, or new ones when there are none or they are to be renewed.
// Of many callers at once one assumes the role. Nobody waits for a renewal while the old ones are good.
func (s *Sender) session(ctx context.Context, t *awsTarget) (*session, error) {
	r := s.roles.of(t.name())
	now := s.cfg.Now()
	r.mu.Lock()
	current := r.current
	if current.good(now) && (now.Before(current.renew) || now.Before(r.notYet)) {
		r.mu.Unlock()
		return current, nil
	}
	if r.flight == nil {
		r.flight = s.takeOff(r, t)
	}
	f := r.flight
	r.mu.Unlock()
	if current.good(now) {
		return current, nil
	}
	select {
	case <-f.done:
		return f.got, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// takeOff assumes a role on a goroutine of its own: who began it may go away, others wait too. r.mu is held.
func (s *Sender) takeOff(r *role, t *awsTarget) *flight {
	f := &flight{done: make(chan struct{})}
	land := func() {
		r.mu.Lock()
		r.flight = nil
		if f.err == nil {
			r.current = f.got
		} else {
			r.notYet = s.cfg.Now().Add(renewAgain)
		}
		r.mu.Unlock()
		close(f.done)
	}
	if !s.work.begin() {
		f.err = context.Canceled
		close(f.done)
		return f
	}
	go func() {
		defer s.work.end()
		f.got, f.err = s.assume(s.life, t)
		land()
	}()
	return f
}

// forget drops credentials that were refused, unless others are there already. It reports whether it is worth trying
// with new ones.
func (s *Sender) forget(t *awsTarget, refused *session, certainly bool) bool {
	if !certainly && s.cfg.Now().Sub(refused.made) < settled {
		return false
	}
	r := s.roles.of(t.name())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == refused {
		r.current = nil
	}
	return true
}
