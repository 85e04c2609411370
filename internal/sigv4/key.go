package sigv4

import "sync"

// maxKeys bounds the signing keys that are kept. There is one per client, day and service; making one costs four HMACs.
const maxKeys = 1024

// keyName is what a signing key is derived from.
type keyName struct{ secret, date, region, service string }

// signingKey derives the key of one day, region and service from a secret.
func (n *keyName) signingKey() [32]byte {
	key := mac([]byte("AWS4"+n.secret), []byte(n.date))
	key = mac(key[:], []byte(n.region))
	key = mac(key[:], []byte(n.service))
	return mac(key[:], []byte(terminator))
}

// keyCache keeps signing keys that have verified a request. Others are not kept: who only knows a key id cannot fill it.
type keyCache struct {
	mu   sync.RWMutex
	keys map[keyName][32]byte
}

func (c *keyCache) get(n keyName) (key [32]byte, kept bool) {
	c.mu.RLock()
	key, kept = c.keys[n]
	c.mu.RUnlock()
	if !kept {
		key = n.signingKey()
	}
	return key, kept
}

func (c *keyCache) keep(n keyName, key [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = map[keyName][32]byte{}
	}
	for victim := range c.keys {
		if len(c.keys) < maxKeys {
			break
		}
		delete(c.keys, victim)
	}
	c.keys[n] = key
}
