package broker

import (
	"github.com/thingwire/thingwire/internal/store"
)

// Batch is what one read of a connection gave, or a batch of one from elsewhere. Its memory is kept for the next use.
type Batch struct {
	Messages []Message

	// StopAtRefusal ends the batch at the first refusal: what came before is kept and acknowledged, what follows is
	// not touched (MQTT 3.1.1, where a refusal closes the connection).
	StopAtRefusal bool

	// Results has one entry per message, nil for an accepted one; with StopAtRefusal it ends at the first refusal.
	// It is final when the batch is done.
	Results []error

	// Done is called when a batch that Publish did not finish at once is done. It runs on the store's completion
	// goroutine and must not wait.
	Done func(*Batch)

	// also is committed with what the batch keeps, or by itself.
	also []store.DocOp
	// detached batches have a publisher who cannot be told of a full queue: wills and events. They lose messages there.
	detached bool

	b *Broker
	// commit is what the store has to do, one of two: Done may reset this batch while the store is still on its way
	// out of the commit, so the next one uses the other. When that is done, so is this.
	commit  *store.Batch
	commits [2]store.Batch
	then    func(error) // committed, made once
	runs    []keptRun
	durable []int // indexes of the messages that wait for the commit
	bodies  []byte
	queues  []store.QueueID
	seqs    []uint64
	held    []store.QueueID // of the message that is on its way, by target: what has room for it; see hold
}

// keptRun is a run of appends that went to the same sessions.
type keptRun struct {
	targets     []target
	first, last int   // appends [first, last)
	size        int   // bytes of their payloads
	message     []int // of each append, its message
}

// Reset empties the batch for another use. It must be done.
func (p *Batch) Reset() {
	clear(p.Messages)
	clear(p.Results)
	p.Messages, p.Results = p.Messages[:0], p.Results[:0]
	p.resetKept()
}

func (p *Batch) resetKept() {
	if p.commit == nil || len(p.runs) == 0 && p.commit.Empty() {
		return
	}
	for i := range p.runs {
		clear(p.runs[i].targets)
		p.runs[i].targets, p.runs[i].message = p.runs[i].targets[:0], p.runs[i].message[:0]
	}
	p.runs, p.durable = p.runs[:0], p.durable[:0]
	p.bodies, p.queues, p.seqs = p.bodies[:0], p.queues[:0], p.seqs[:0]
	if p.commit == &p.commits[0] {
		p.commit = &p.commits[1]
	} else {
		p.commit = &p.commits[0]
	}
	p.commit.Reset()
}

// begin prepares the batch for Publish.
func (p *Batch) begin(b *Broker) {
	p.b = b
	p.Results = p.Results[:0]
	if p.commit == nil {
		p.commit, p.then = &p.commits[0], p.committed
	}
}

// Add makes room for one more message and returns it. The pointer is valid until the next Add.
func (p *Batch) Add() *Message {
	if n := len(p.Messages); n < cap(p.Messages) {
		p.Messages = p.Messages[:n+1]
		return &p.Messages[n]
	}
	p.Messages = growMessages(p.Messages)
	return &p.Messages[len(p.Messages)-1]
}

// growMessages moves the messages field by field: they carry atomics that must not be copied, and are still empty.
func growMessages(old []Message) []Message {
	grown := make([]Message, len(old)+1, max(8, 2*len(old)))
	for i := range old {
		from, to := &old[i], &grown[i]
		to.Topic, to.Payload, to.QoS, to.Retain = from.Topic, from.Payload, from.QoS, from.Retain
		to.Expiry, to.Props, to.hops, to.RetainOrRefuse = from.Expiry, from.Props, from.hops, from.RetainOrRefuse
	}
	return grown
}
