package registry

import (
	"encoding/hex"
	"sync"

	"github.com/thingwire/thingwire/internal/policy"
)

// maxCached bounds the identities, policies and sets that are kept. A miss costs a few reads and a parsed certificate,
// far less than the handshake before it, so forgetting at random is good enough.
const maxCached = 8192

// fingerprint is the SHA-256 of a certificate's DER.
type fingerprint = [32]byte

// document names a document in the store.
type document struct{ bucket, key string }

// source is a policy ready to compile; key names its content: the name, the version and the generation.
type source struct {
	policy.Source
	key string
}

// cache keeps what Identify made. Each change forgets what was made from it, before anybody hears of the change; clock
// tells a reader that something changed while it read, so that what it made is not kept.
type cache struct {
	mu         sync.RWMutex
	clock      uint64
	identities map[fingerprint]*Identity
	users      map[document]map[fingerprint]struct{} // which identities were made from a policy, a thing or a group
	policies   map[string]source
	sets       map[string]*policy.Set // by the names and versions in it: a fleet with one policy shares one set
}

func newCache() *cache {
	return &cache{
		identities: map[fingerprint]*Identity{},
		users:      map[document]map[fingerprint]struct{}{},
		policies:   map[string]source{},
		sets:       map[string]*policy.Set{},
	}
}

// identity looks fp up. It allocates nothing.
func (c *cache) identity(fp *fingerprint) (id *Identity, clock uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.identities[*fp], c.clock
}

// keep remembers id unless something changed since clock. It reports whether id is as good as new.
func (c *cache) keep(fp fingerprint, id *Identity, clock uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock != clock {
		return false
	}
	for victim := range c.identities {
		if len(c.identities) < maxCached {
			break
		}
		c.drop(victim)
	}
	c.identities[fp] = id
	for _, d := range id.madeFrom {
		if c.users[d] == nil {
			c.users[d] = map[fingerprint]struct{}{}
		}
		c.users[d][fp] = struct{}{}
	}
	return true
}

// unchanged reports whether nothing changed since clock: what was read since then belongs together.
func (c *cache) unchanged(clock uint64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.clock == clock
}

// forget drops all that was made from a document.
func (c *cache) forget(bucket, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch bucket {
	case certificatesBucket:
		var fp fingerprint
		if n, err := hex.Decode(fp[:], []byte(key)); err == nil && n == len(fp) {
			c.drop(fp)
		}
	case policiesBucket:
		delete(c.policies, key)
		clear(c.sets)
		c.dropUsers(document{bucket, key})
	case thingsBucket, groupsBucket:
		c.dropUsers(document{bucket, key})
	default:
		return
	}
	c.clock++
}

func (c *cache) dropUsers(d document) {
	for fp := range c.users[d] {
		c.drop(fp)
	}
}

func (c *cache) drop(fp fingerprint) {
	id := c.identities[fp]
	if id == nil {
		return
	}
	delete(c.identities, fp)
	for _, d := range id.madeFrom {
		delete(c.users[d], fp)
		if len(c.users[d]) == 0 {
			delete(c.users, d)
		}
	}
}

func (c *cache) source(name string) (s source, clock uint64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok = c.policies[name]
	return s, c.clock, ok
}

func (c *cache) keepSource(name string, s source, clock uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock != clock {
		return
	}
	if len(c.policies) >= maxCached {
		clear(c.policies)
	}
	c.policies[name] = s
}

// set gives the set with this key, made by compile if need be. Keys name content, not policies, so a set is never stale:
// two versions have two keys.
func (c *cache) set(key string, compile func() *policy.Set) *policy.Set {
	c.mu.RLock()
	s := c.sets[key]
	c.mu.RUnlock()
	if s != nil {
		return s
	}
	s = compile()
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.sets[key]; other != nil {
		return other
	}
	if len(c.sets) >= maxCached {
		clear(c.sets)
	}
	c.sets[key] = s
	return s
}
