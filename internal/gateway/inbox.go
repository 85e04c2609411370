package gateway

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/mqtt"
)

// maxBatchBytes bounds the messages that wait while a batch is being committed; an empty one takes messageBytes.
const (
	maxBatchBytes = 256 << 10
	messageBytes  = 64
)

// inbox is what a connection has published and not yet acknowledged: the batch that is being filled, and the one whose
// ticket is not done. There is at most one of each, so acknowledgements keep the order of the publishes.
//
// The store's completion goroutine never waits for mu: it leaves a note, and whoever holds mu acts on it in unlock.
type inbox struct {
	c *conn

	mu         sync.Mutex
	filling    *batch
	committing *batch
	spare      *batch
	unacked    int           // QoS 1 messages in both
	largest    uint16        // packet id among them, or more
	wake       chan struct{} // tells a reader that waits for the commit
	dead       bool          // a refusal has ended the connection: what follows it is not touched
	slow       []broker.Link // receivers of the last batch that are over their high-water mark
	published  int           // bytes since the reader has paused for them

	durable atomic.Bool // the committing batch is done
}

// batch is a broker batch with what the connection needs to acknowledge it.
type batch struct {
	broker.Batch
	ids    []uint16 // packet id of each message, 0 at QoS 0
	bytes  int
	buffer uint64   // the newest read buffer that the messages alias
	lent   [][]byte // read buffers that are the batch's alone now
}

// take gives the batch to fill.
func (in *inbox) take() *batch {
	if in.filling != nil {
		return in.filling
	}
	if in.filling, in.spare = in.spare, nil; in.filling == nil {
		in.filling = &batch{}
		in.filling.StopAtRefusal = in.c.version != mqtt.V5
		in.filling.Done = in.committed
	}
	return in.filling
}

// holds reports whether a packet id is that of a message in either batch, and if not takes note of it. Ids that grow, as
// most clients give them, need no search. Under mu.
func (in *inbox) holds(id uint16) bool {
	if in.unacked == 0 || id > in.largest {
		in.largest = id
		return false
	}
	return in.filling != nil && slices.Contains(in.filling.ids, id) ||
		in.committing != nil && slices.Contains(in.committing.ids, id)
}

// pending reports whether there are messages that were not submitted.
func (in *inbox) pending() bool { return in.filling != nil && len(in.filling.Messages) > 0 }

// atBound reports whether the reader has to wait before it takes one more.
func (in *inbox) atBound(qos byte) bool {
	return qos > 0 && in.unacked >= in.c.gateway.limits.ReceiveMaximum || in.pending() && in.filling.bytes >= maxBatchBytes
}

// submit publishes the batch that is being filled, unless another one is committing. Under mu.
func (in *inbox) submit() {
	if in.committing != nil || !in.pending() {
		return
	}
	if in.dead {
		in.filling.Reset()
		in.unacked, in.filling.ids = 0, in.filling.ids[:0]
		return
	}
	p := in.filling
	in.filling, in.committing = nil, p
	in.c.publishing.Store(true)
	done := in.c.gateway.broker.Publish(in.c.caller, &p.Batch)
	in.slow = append(in.slow[:0], in.c.caller.Congested()...)
	in.published += p.bytes
	if done {
		in.finish()
	}
}

// committed is called on the store's completion goroutine.
func (in *inbox) committed(*broker.Batch) {
	in.durable.Store(true)
	if in.mu.TryLock() {
		in.unlock()
	}
}

// unlock releases mu, after acting on what was left by committed, also in the last moment.
func (in *inbox) unlock() {
	for {
		if in.durable.Swap(false) {
			in.finish()
			if in.pending() {
				in.c.gateway.serving.Go(in.submitLater) // routing is not for this goroutine: it may be the store's
			}
		}
		in.mu.Unlock()
		if !in.durable.Load() || !in.mu.TryLock() {
			return
		}
	}
}

func (in *inbox) submitLater() {
	in.mu.Lock()
	in.submit()
	in.unlock()
}

// wait waits until nothing is committing and nothing is left to submit: a barrier. Under mu, which it gives up
// meanwhile.
func (in *inbox) wait() {
	in.submit()
	for in.committing != nil {
		if in.wake == nil {
			in.wake = make(chan struct{}, 1)
		}
		in.unlock()
		<-in.wake
		in.mu.Lock()
		in.submit()
	}
}

// finish acknowledges the committing batch and makes it spare. Under mu.
func (in *inbox) finish() {
	p := in.committing
	in.c.acknowledge(p)
	for _, id := range p.ids {
		if id != 0 {
			in.unacked--
		}
	}
	for i, b := range p.lent {
		giveBuffer(b)
		p.lent[i] = nil
	}
	p.lent, p.ids, p.bytes, p.buffer = p.lent[:0], p.ids[:0], 0, 0
	p.Reset()
	in.committing, in.spare = nil, p
	in.c.publishing.Store(false)
	if in.wake != nil {
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
}

// holder is the batch that aliases the read buffer with a number, the one that is done last; nil if there is none.
func (in *inbox) holder(buffer uint64) *batch {
	if in.pending() && in.filling.buffer == buffer {
		return in.filling
	}
	if in.committing != nil && in.committing.buffer == buffer {
		return in.committing
	}
	return nil
}
