package backend

import (
	"context"
	"sync"
)

// hot are the devices that something is done with at this moment. Each has its life in memory from its first user to its
// last, so that messages of one device follow each other without waiting for the disk: what they commit becomes durable in
// the order of their commits. A commit that fails leaves numbers that are never used.
type hot struct {
	load func(ctx context.Context, id string) (*life, error)

	mu sync.Mutex
	by map[string]*held
}

// held is one device. Its mutex is held while numbers are given and the commit is handed over, never while it is waited for.
type held struct {
	hot  *hot
	id   string
	uses int // under hot.mu

	mu      sync.Mutex
	life    *life          // nil until the first holder has read it
	commits sync.WaitGroup // handed over, not answered
}

// hold locks a device and gives its life. The holder unlocks it, and drops it when its commit was answered.
func (h *hot) hold(ctx context.Context, id string) (*held, error) {
	h.mu.Lock()
	d := h.by[id]
	if d == nil {
		d = &held{hot: h, id: id}
		h.by[id] = d
	}
	d.uses++
	h.mu.Unlock()
	d.mu.Lock()
	if d.life != nil {
		return d, nil
	}
	l, err := h.load(ctx, id)
	if err != nil {
		d.mu.Unlock()
		d.drop()
		return nil, err
	}
	d.life = l
	return d, nil
}

func (d *held) unlock() { d.mu.Unlock() }

// drop ends a use; the last one forgets the life, which is in the store by then.
func (d *held) drop() {
	d.hot.mu.Lock()
	defer d.hot.mu.Unlock()
	if d.uses--; d.uses == 0 {
		delete(d.hot.by, d.id)
	}
}

// settle waits for the commits that others have handed over; the caller holds the lock, so that no others come.
func (d *held) settle() { d.commits.Wait() }
