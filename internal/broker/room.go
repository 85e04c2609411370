package broker

import (
	"sync/atomic"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
)

// room is what a queue holds, also counting what is about to be committed.
type room struct {
	messages, bytes atomic.Int64
}

// quota is what a queue may hold, and how those who lose messages are told of it.
type quota struct {
	b        *Broker
	owner    string // the client id, or the shared subscription
	messages int
	full     string // why the newest is lost
}

// take makes room for messages that are about to be queued. It reports false when the queue is at its limit: the newest
// is lost then, never what was promised before.
func (r *room) take(q *quota, count, size int) bool {
	n := r.messages.Add(int64(count))
	m := r.bytes.Add(int64(size))
	if n <= int64(q.messages) && m <= q.b.limits.QueueBytes {
		return true
	}
	r.release(count, size)
	q.lost(count, journal.ReasonQueueFull, q.full)
	return false
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

// lost counts and records what is not kept; several messages are tried again one by one first.
func (q *quota) lost(count int, reason, why string) {
	if count == 1 {
		q.b.noteNotQueued(q.owner, count, reason, why)
	}
}

// mayQueue keeps the rate of what is queued for those who are away, of all.
func (q *quota) mayQueue(count int) bool {
	if allowN(q.b.throttles.queued, count) {
		return true
	}
	q.lost(count, journal.ReasonThrottled, "Throttled while queueing offline message")
	return false
}

// reserve takes room in the session's queue. While its client is away what is queued counts in the session's own rate,
// too.
func (s *session) reserve(b *Broker, count, size int) bool {
	q := quota{b, s.clientID, b.limits.QueueMessages, "the session's queue is at its limit: the newest messages are lost"}
	if s.live.Load() == nil {
		if !allowN(s.rate, count) {
			q.lost(count, journal.ReasonThrottled, "Throttled while queueing offline message")
			return false
		}
		if !q.mayQueue(count) {
			return false
		}
	}
	return s.take(&q, count, size)
}

// reserve is session.reserve for a group's queue.
func (g *Group) reserve(count, size int) (store.QueueID, bool) {
	g.mu.Lock()
	id, away := g.queue, g.b.throttles.queued != nil && !g.anyoneThere()
	g.mu.Unlock()
	if id == 0 {
		return 0, false
	}
	q := quota{g.b, g.owner, g.b.limits.GroupMessages, "the queue of the shared subscription is at its limit: the newest messages are lost"}
	if away && !q.mayQueue(count) {
		return 0, false
	}
	return id, g.take(&q, count, size)
}
