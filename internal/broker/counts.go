package broker

import "github.com/thingwire/thingwire/internal/fault"

// refuse counts a message that was refused.
func (n *Counts) refuse(err error) {
	n.Refused.Add(1)
	switch fault.KindOf(err) {
	case fault.Denied, fault.Unauthenticated:
		n.RefusedFor.Auth.Add(1)
	case fault.Throttled:
		n.RefusedFor.Throttled.Add(1)
	case fault.Internal, fault.Unavailable:
		n.RefusedFor.Server.Add(1)
	case fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict, fault.InUse, fault.TooLarge, fault.Unsupported:
	}
}

// Subscriptions is how many filters are subscribed to; a shared group counts once.
func (b *Broker) Subscriptions() int { return b.routes.Len() }

// StoredSessions is how many persistent sessions there are, with and without a connection. It walks over all of them,
// holding the lock of one shard after the other.
func (b *Broker) StoredSessions() int {
	n := 0
	for i := range b.shards {
		n += b.shards[i].storedSessions()
	}
	return n
}

func (sh *holderShard) storedSessions() (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, h := range sh.m {
		for _, s := range h.stored {
			if s != nil {
				n++
			}
		}
	}
	return n
}
