package broker

import (
	"fmt"

	"github.com/thingwire/thingwire/internal/store"
)

// Buckets of documents that belong to the broker.
const (
	bucketRetained      = "retained"
	bucketSessions      = "session"
	bucketSubscriptions = "subscription"
	bucketWills         = "will"
)

// Owns reports whether a bucket of documents is one of the broker's.
func Owns(bucket string) bool {
	switch bucket {
	case bucketRetained, bucketSessions, bucketSubscriptions, bucketWills, bucketGroups:
		return true
	}
	return false
}

// keep gathers of a run what must be durable before it is acknowledged: retained documents, and one append per QoS 1
// message for the sessions that keep it.
func (p *Batch) keep(by *Caller, r *route, i, j int) {
	for k := i; k < j; k++ {
		m := &p.Messages[k]
		if !m.Retain {
			continue
		}
		if !m.RetainOrRefuse && !p.b.mayRetainNow(m.Topic) {
			p.b.noteRetainThrottled(by, m.Topic, "retained messages change more often than their quota allows",
				"publish with RETAIN at most once a second per topic, and less on all of them together")
			continue
		}
		if !p.b.roomForRetained(m.Topic, len(m.Payload) == 0) {
			p.b.noteRetainThrottled(by, m.Topic, fmt.Sprintf("the account has %d retained messages already", p.b.limits.RetainedMessages),
				"delete retained messages that nobody needs: publish an empty payload with RETAIN on their topics")
			continue
		}
		p.retain(m)
		p.durable = append(p.durable, k)
	}
	if r.stored {
		p.enqueue(by, r, i, j, false)
		p.enqueue(by, r, i, j, true)
	}
}

// retain replaces or deletes the retained message of the topic: an empty payload deletes it [MQTT-3.3.1-6].
func (p *Batch) retain(m *Message) {
	op := store.DocOp{Bucket: bucketRetained, Key: m.Topic, Delete: len(m.Payload) == 0}
	if !op.Delete {
		op.Value = p.body(m, true)
	}
	p.commit.Docs = append(p.commit.Docs, op)
}

// enqueue appends the run's QoS 1 messages to the queues of the route's sessions: those that take RETAIN as published,
// or the others. Only for retained messages does it make a difference.
func (p *Batch) enqueue(by *Caller, r *route, i, j int, asPublished bool) {
	count, size := p.qos1(i, j)
	if count == 0 {
		return
	}
	run := p.startRun()
	var tight []int // targets without room for all
	for k := range r.targets {
		t := &r.targets[k]
		if t.sub.retainAsPublished != asPublished || !t.keeps(by) {
			continue
		}
		if q, no := p.place(r, k, count, size); q != 0 {
			run.targets = append(run.targets, *t)
			p.queues = append(p.queues, q)
		} else if no != nil && count > 1 {
			tight = append(tight, k)
		} else if no != nil {
			p.b.noteNotQueued(no)
		}
	}
	p.finishRun(run, i, j, size)
	for _, k := range tight {
		p.squeeze(&r.targets[k], i, j)
	}
}

// keeps reports whether the target's queue takes what by publishes at QoS 1.
func (t *target) keeps(by *Caller) bool {
	return t.sub.stored() && (!t.sub.noLocal || !by.owns(t.sub.session))
}

// place is the queue of a target, with room for messages that may have been reserved before.
func (p *Batch) place(r *route, k, count, size int) (store.QueueID, *noRoom) {
	if p.asksFirst(r) {
		return p.held[k], nil
	}
	return r.targets[k].sub.reserve(p.b, count, size)
}

// qos1 counts the messages of a run that are kept, and their payloads.
func (p *Batch) qos1(i, j int) (count, size int) {
	for k := i; k < j; k++ {
		if p.Messages[k].QoS > 0 {
			count, size = count+1, size+len(p.Messages[k].Payload)
		}
	}
	return count, size
}

// squeeze appends the run's messages one by one to a queue that has not room for all: the newest are lost.
func (p *Batch) squeeze(t *target, i, j int) {
	for k := i; k < j; k++ {
		m := &p.Messages[k]
		if m.QoS == 0 {
			continue
		}
		q, no := t.sub.reserve(p.b, 1, len(m.Payload))
		if no != nil {
			p.b.noteNotQueued(no)
		}
		if q == 0 {
			continue
		}
		run := p.startRun()
		run.targets = append(run.targets, *t)
		p.queues = append(p.queues, q)
		p.finishRun(run, k, k+1, len(m.Payload))
	}
}

func (p *Batch) startRun() *keptRun {
	if len(p.runs) < cap(p.runs) {
		p.runs = p.runs[:len(p.runs)+1]
	} else {
		p.runs = append(p.runs, keptRun{})
	}
	return &p.runs[len(p.runs)-1]
}

// finishRun appends messages i to j to the queues of the run's targets, which are the last ones of p.queues.
func (p *Batch) finishRun(run *keptRun, i, j, size int) {
	n := len(run.targets)
	if n == 0 {
		p.runs = p.runs[:len(p.runs)-1]
		return
	}
	run.first, run.size = len(p.commit.Appends), size
	for k := i; k < j; k++ {
		m := &p.Messages[k]
		if m.QoS == 0 {
			continue
		}
		p.seqs = append(p.seqs, make([]uint64, n)...)
		p.commit.Appends = append(p.commit.Appends, store.Append{
			Queues: p.queues[len(p.queues)-n:],
			Body:   p.body(m, m.Retain && run.targets[0].sub.retainAsPublished),
			Seqs:   p.seqs[len(p.seqs)-n:],
		})
		run.message = append(run.message, k)
		p.durable = append(p.durable, k)
	}
	run.last = len(p.commit.Appends)
}

// body encodes a message into the batch's memory.
func (p *Batch) body(m *Message, retain bool) []byte {
	at := len(p.bodies)
	p.bodies = appendBody(p.bodies, m, retain)
	return p.bodies[at:len(p.bodies):len(p.bodies)]
}

// committed hands out what became durable, in the order of the queues, and finishes the batch. It runs on the store's
// completion goroutine.
func (p *Batch) committed(err error) {
	if err != nil {
		for _, k := range p.durable {
			if k < len(p.Results) {
				p.Results[k] = err
			}
		}
		p.giveBack()
	} else {
		p.handOut()
	}
	if p.Done != nil {
		p.Done(p)
	}
}

// giveBack returns the room that sessions had reserved for what could not be kept.
func (p *Batch) giveBack() {
	for i := range p.runs {
		for _, t := range p.runs[i].targets {
			t.sub.release(p.runs[i].last-p.runs[i].first, p.runs[i].size)
		}
	}
}

func (p *Batch) handOut() {
	h := &p.b.kept
	h.begin()
	for i := range p.runs {
		run := &p.runs[i]
		if !p.overlapping(run) {
			p.handOutRun(h, run, run.first, run.last)
			continue
		}
		for a := run.first; a < run.last; a++ {
			p.handOutRun(h, run, a, a+1)
		}
	}
	h.flush()
}

// overlapping reports whether a queue is in the run twice, because two filters of one session match. Its numbers then
// alternate between the two, and only message by message do they come in order.
func (p *Batch) overlapping(run *keptRun) bool {
	if run.last-run.first < 2 {
		return false
	}
	one, two := &p.commit.Appends[run.first], &p.commit.Appends[run.first+1]
	for k := range one.Seqs {
		if two.Seqs[k] != one.Seqs[k]+1 {
			return true
		}
	}
	return false
}

// handOutRun offers the appends from first to last, which have consecutive numbers in each queue, to their sessions.
func (p *Batch) handOutRun(h *handOut, run *keptRun, first, last int) {
	for k := range run.targets {
		t := &run.targets[k]
		ds := h.sets[0][:0]
		for a := first; a < last; a++ {
			m := &p.Messages[run.message[a-run.first]]
			ds = append(ds, Delivery{
				Message: m, QoS: 1, Retain: m.Retain && t.sub.retainAsPublished,
				Seq: p.commit.Appends[a].Seqs[k],
			})
		}
		h.sets[0] = ds
		if t.sub.group != nil {
			t.sub.group.offer(p.commit.Appends[first].Queues[k], ds)
			continue
		}
		t.sub.session.offer(p.b, h, ds, t.decided, len(run.targets) > 1)
	}
}
