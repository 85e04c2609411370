package iam

import (
	"sync"
)

// maxCached bounds the keys, sessions, users and roles that are kept. A miss costs two reads or one opened seal.
const maxCached = 8192

// cache keeps what Identify made. Each change forgets what was made from it before anybody hears of the change; clock
// tells a reader that something changed while it read, so that what it made is not kept.
type cache struct {
	mu    sync.RWMutex
	clock uint64
	keys  map[string]known      // by access key id
	users map[string]*principal // by userKey
	roles map[string]*principal // by roleKey
}

func newCache() *cache {
	return &cache{keys: map[string]known{}, users: map[string]*principal{}, roles: map[string]*principal{}}
}

func (c *cache) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.clock
}

func (c *cache) get(id string) (known, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k, ok := c.keys[id]
	return k, ok
}

func (c *cache) keep(id string, k known, clock uint64) {
	keepIn(c, c.keys, id, k, clock)
}

// keepIn keeps a value in one of the maps of a cache, if nothing has changed since clock.
func keepIn[V any](c *cache, m map[string]V, key string, v V, clock uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock == clock {
		makeRoom(m)
		m[key] = v
	}
}

func (c *cache) principal(name string) *principal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.users[userKey(name)]
}

func (c *cache) keepPrincipal(p *principal, clock uint64) {
	keepIn(c, c.users, userKey(p.name), p, clock)
}

func (c *cache) role(name string) *principal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.roles[roleKey(name)]
}

func (c *cache) keepRole(p *principal, clock uint64) {
	keepIn(c, c.roles, roleKey(p.name), p, clock)
}

// makeRoom forgets at random what is too much.
func makeRoom[V any](m map[string]V) {
	for victim := range m {
		if len(m) < maxCached {
			return
		}
		delete(m, victim)
	}
}

// forget drops all that was made from what a change is about.
func (c *cache) forget(about Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if about.AccessKeyID != "" {
		delete(c.keys, about.AccessKeyID)
		return
	}
	if about.Role != "" {
		delete(c.roles, roleKey(about.Role))
	} else {
		delete(c.users, userKey(about.User))
	}
	for id, k := range c.keys {
		if about.Concerns(k.identity) {
			delete(c.keys, id)
		}
	}
}
