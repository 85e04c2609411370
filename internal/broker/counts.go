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

// Census is what the broker has at this moment.
type Census struct {
	Stored        int // persistent sessions, with and without a client
	Subscriptions int // filters in the tree; a shared group counts once
}

// Census counts; it walks over all sessions, holding the lock of one shard after the other.
func (b *Broker) Census() Census {
	n := Census{Subscriptions: b.routes.Len()}
	for i := range b.shards {
		b.shards[i].census(&n)
	}
	return n
}

func (sh *holderShard) census(n *Census) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, h := range sh.m {
		for _, s := range h.stored {
			if s != nil {
				n.Stored++
			}
		}
	}
}
