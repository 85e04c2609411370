package broker

import (
	"context"
	"hash/maphash"
	"sync"
)

// retainedTopics knows which topics have a retained message, where a profile limits how many there may be: a hash of
// each, so that a publish need not ask the store. It is empty, and costs nothing, where there is no limit.
type retainedTopics struct {
	mu    sync.Mutex
	known map[uint64]struct{} // nil without a limit
}

// countRetained reads which there are.
func (b *Broker) countRetained(ctx context.Context) error {
	if b.limits.RetainedMessages == 0 {
		return nil
	}
	b.retainedTopics.known = map[uint64]struct{}{}
	for d, err := range b.store.List(ctx, bucketRetained, "", "", 0) {
		if err != nil {
			return err
		}
		b.retainedTopics.known[maphash.String(b.seed, d.Key)] = struct{}{}
	}
	return nil
}

// roomForRetained notes that a topic's retained message is about to be there, or gone, and reports whether there is room.
// What the store then refuses is counted until the next start: the store is degraded by then.
func (b *Broker) roomForRetained(name string, gone bool) bool {
	r := &b.retainedTopics
	if r.known == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := maphash.String(b.seed, name)
	if gone {
		delete(r.known, h)
		return true
	}
	if _, ok := r.known[h]; !ok && len(r.known) >= b.limits.RetainedMessages {
		return false
	}
	r.known[h] = struct{}{}
	return true
}
