package broker

import (
	"github.com/thingwire/thingwire/internal/store"
)

// Buckets of documents that belong to the broker.
const (
	bucketRetained      = "retained"
	bucketSessions      = "session"
	bucketSubscriptions = "subscription"
)

// keep gathers of a run what must be durable before it is acknowledged: retained documents, and one append per QoS 1
// message for the sessions that keep it.
func (p *Batch) keep(by *Caller, r *route, i, j int) {
	for k := i; k < j; k++ {
		m := &p.Messages[k]
		if !m.Retain {
			continue
		}
		if !p.b.mayRetainNow(m.Topic) {
			p.b.noteRetainThrottled(by, m.Topic)
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
	count, size := 0, 0
	for k := i; k < j; k++ {
		if p.Messages[k].QoS > 0 {
			count, size = count+1, size+len(p.Messages[k].Payload)
		}
	}
	if count == 0 {
		return
	}
	run := p.startRun(by, r, count, size, asPublished)
	if run == nil {
		return
	}
	n := len(run.subs)
	for k := i; k < j; k++ {
		m := &p.Messages[k]
		if m.QoS == 0 {
			continue
		}
		p.seqs = append(p.seqs, make([]uint64, n)...)
		p.commit.Appends = append(p.commit.Appends, store.Append{
			Queues: p.queues[len(p.queues)-n:],
			Body:   p.body(m, m.Retain && asPublished),
			Seqs:   p.seqs[len(p.seqs)-n:],
		})
		run.message = append(run.message, k)
		p.durable = append(p.durable, k)
	}
	run.last = len(p.commit.Appends)
}

// startRun lists the sessions with room for count more messages; nil when there are none.
func (p *Batch) startRun(by *Caller, r *route, count, size int, asPublished bool) *keptRun {
	if len(p.runs) < cap(p.runs) {
		p.runs = p.runs[:len(p.runs)+1]
	} else {
		p.runs = append(p.runs, keptRun{})
	}
	run := &p.runs[len(p.runs)-1]
	for k := range r.targets {
		sub := r.targets[k].sub
		if !sub.stored() || sub.retainAsPublished != asPublished {
			continue
		}
		if sub.session != nil && sub.noLocal && by.conn != nil && sub.session.live.Load() == by.conn {
			continue
		}
		q, ok := sub.reserve(p.b, count, size)
		if !ok {
			continue
		}
		run.subs = append(run.subs, sub)
		p.queues = append(p.queues, q)
	}
	if len(run.subs) == 0 {
		p.runs = p.runs[:len(p.runs)-1]
		return nil
	}
	run.first, run.size = len(p.commit.Appends), size
	return run
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
		for _, sub := range p.runs[i].subs {
			sub.release(p.runs[i].last-p.runs[i].first, p.runs[i].size)
		}
	}
}

func (p *Batch) handOut() {
	h := &p.b.kept
	h.begin()
	for i := range p.runs {
		run := &p.runs[i]
		for k, sub := range run.subs {
			ds := h.sets[0][:0]
			for a := run.first; a < run.last; a++ {
				m := &p.Messages[run.message[a-run.first]]
				ds = append(ds, Delivery{
					Message: m, QoS: 1, Retain: m.Retain && sub.retainAsPublished,
					Seq: p.commit.Appends[a].Seqs[k],
				})
			}
			h.sets[0] = ds
			if sub.group != nil {
				sub.group.offer(ds)
				continue
			}
			sub.session.offer(p.b, h, ds, len(run.subs) > 1)
		}
	}
	h.flush()
}
