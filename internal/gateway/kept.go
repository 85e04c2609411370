package gateway

import (
	"github.com/thingwire/thingwire/internal/broker"
)

// kept are messages of queues that are to be acknowledged: the session's own, and leases from groups.
type kept struct {
	own    []uint64
	shared map[*broker.Group][]uint64 // made on first use
}

func (k *kept) add(g *broker.Group, seq uint64) {
	if g == nil {
		k.own = append(k.own, seq)
		return
	}
	if k.shared == nil {
		k.shared = map[*broker.Group][]uint64{}
	}
	k.shared[g] = append(k.shared[g], seq)
}

func (k *kept) empty() bool { return len(k.own) == 0 && len(k.shared) == 0 }

func (k *kept) clear() {
	k.own = k.own[:0]
	clear(k.shared)
}

// skip is ack for what is over without the client.
func (k *kept) skip(c *broker.Connection) {
	c.Ack(k.own)
	for g, seqs := range k.shared {
		c.SkipShared(g, seqs)
	}
}

func (k *kept) ack(c *broker.Connection) {
	c.Ack(k.own)
	for g, seqs := range k.shared {
		c.AckShared(g, seqs)
	}
}
