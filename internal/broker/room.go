package broker

import (
	"fmt"
	"sync/atomic"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
)

// room is what a queue holds, also counting what is about to be committed.
type room struct {
	messages, bytes atomic.Int64
	eldest          eldest
}

// noRoom says why a queue does not take messages, and whose queue it is.
type noRoom struct {
	owner  string // the client id, or the shared subscription
	reason string // of the journal: QUEUE_FULL, or THROTTLED for a rate
	why    string
}

// quota is what a queue may hold.
type quota struct {
	messages int
	bytes    int64
}

// take makes room for messages that are about to be queued. It says why when the queue is at its limit: what comes now is
// lost or refused then, never what was promised before.
func (r *room) take(q quota, count, size int) (why string) {
	n := r.messages.Add(int64(count))
	m := r.bytes.Add(int64(size))
	switch {
	case n > int64(q.messages):
		why = fmt.Sprintf("is at its limit of %d messages", q.messages)
	case m > q.bytes:
		why = fmt.Sprintf("is at its limit of %d bytes", q.bytes)
	default:
		return ""
	}
	r.release(count, size)
	return why
}

func (r *room) release(count, size int) {
	r.messages.Add(-int64(count))
	r.bytes.Add(-int64(size))
}

// forget gives back the room of acknowledged messages. Their sizes are not kept: each counts as an average one.
func (r *room) forget(count int64) {
	n := r.messages.Add(-count)
	if n <= 0 {
		r.bytes.Store(0)
		return
	}
	r.bytes.Add(-r.bytes.Load() * count / (n + count))
}

func queueFull(owner, why string) *noRoom {
	return &noRoom{owner: owner, reason: journal.ReasonQueueFull, why: why}
}

func queuesTooFast(owner string) *noRoom {
	return &noRoom{owner: owner, reason: journal.ReasonThrottled, why: "Throttled while queueing offline message"}
}

// reserve takes room in the queue that keeps the subscription's messages. It gives the queue, or why it takes none; neither
// when the queue is gone.
func (s *subscription) reserve(b *Broker, count, size int) (store.QueueID, *noRoom) {
	if s.group != nil {
		return s.group.reserve(count, size)
	}
	if no := s.session.reserve(b, count, size); no != nil {
		return 0, no
	}
	return s.session.queue, nil
}

func (s *subscription) release(count, size int) {
	if s.group != nil {
		s.group.release(count, size)
		return
	}
	s.session.release(count, size)
}

// reserve takes room in the session's queue. While its client is away what is queued counts in the session's own rate,
// and in that of all.
func (s *session) reserve(b *Broker, count, size int) *noRoom {
	if s.live.Load() == nil && (!allowN(s.rate, count) || !allowN(b.throttles.queued, count)) {
		return queuesTooFast(s.clientID)
	}
	if b.limits.QueueAge > 0 && s.messages.Load() > 0 {
		s.mu.Lock()
		trimmed := s.q.trimmed
		s.mu.Unlock()
		if b.tooOld(&s.eldest, s.queue, trimmed) {
			return queueFull(s.clientID, "the session's queue "+b.tooLong())
		}
	}
	if why := s.take(quota{b.limits.QueueMessages, b.limits.QueueBytes}, count, size); why != "" {
		return queueFull(s.clientID, "the session's queue "+why)
	}
	return nil
}

// reserve is session.reserve for a group's queue.
func (g *Group) reserve(count, size int) (store.QueueID, *noRoom) {
	b := g.b
	g.mu.Lock()
	id, trimmed, away := g.queue, g.q.trimmed, b.throttles.queued != nil && !g.anyoneThere()
	g.mu.Unlock()
	if id == 0 {
		return 0, nil
	}
	if away && !allowN(b.throttles.queued, count) {
		return 0, queuesTooFast(g.owner)
	}
	if b.limits.QueueAge > 0 && g.messages.Load() > 0 && b.tooOld(&g.eldest, id, trimmed) {
		return 0, queueFull(g.owner, "the queue of the shared subscription "+b.tooLong())
	}
	if why := g.take(quota{b.limits.GroupMessages, b.limits.QueueBytes}, count, size); why != "" {
		return 0, queueFull(g.owner, "the queue of the shared subscription "+why)
	}
	return id, nil
}
