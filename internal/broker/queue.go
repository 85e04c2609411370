package broker

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// A drain reads this much of a queue at a time.
const (
	drainEntries = 256
	drainBytes   = 256 << 10
)

// offer hands out what has just become durable, from memory, to a connection that has all that came before. Everybody
// else reads it from the store later: a connection other than the one that was decided to be allowed to receive, too.
// It runs on the store's completion goroutine, so sequence numbers come in order.
func (s *session) offer(b *Broker, h *handOut, ds []Delivery, decided uint64, shared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.live.Load()
	s.q.last = max(s.q.last, ds[len(ds)-1].Seq)
	for len(ds) > 0 && ds[0].Seq < s.q.next {
		ds = ds[1:] // a drain has read them before they were offered
	}
	if c == nil || len(ds) == 0 {
		return
	}
	asDecided := c.id == decided
	if s.q.draining || s.q.next != ds[0].Seq {
		if asDecided && b.limits.Rates.StoredPerConn > 0 {
			s.overtake(b, h, c, ds, shared)
		}
		return
	}
	if !asDecided {
		c.startDrain()
		return
	}
	n := h.give(c, ds, shared)
	s.q.next += uint64(n)
	b.counts.Delivered.Add(int64(n))
}

// overtake hands out live messages at once while stored ones follow at their rate, as AWS does. Under s.mu.
func (s *session) overtake(b *Broker, h *handOut, c *Connection, ds []Delivery, shared bool) {
	n := h.give(c, ds, shared)
	for i := range n {
		s.q.goesAhead(ds[i].Seq)
	}
	b.counts.Delivered.Add(int64(n))
}

// Ready tells the broker that the connection's link has room again. A drain begins if there is something to read.
func (c *Connection) Ready() {
	c.session.mu.Lock()
	shared := slices.Clone(c.session.groups)
	c.session.mu.Unlock()
	for _, g := range shared {
		g.wake()
	}
	c.readOn()
}

// readOn starts a drain of the session's own queue.
func (c *Connection) readOn() {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live.Load() != c || s.q.draining || !s.persistent || s.q.next > s.q.last {
		return
	}
	c.startDrain()
}

// startDrain begins a drain. Under session.mu.
func (c *Connection) startDrain() {
	c.session.q.draining = c.b.work.start(func() { c.b.drain(c) })
}

// drain hands out from the store until the connection has caught up, its link is full, or it is over.
func (b *Broker) drain(c *Connection) {
	s := c.session
	var entries []store.Entry
	var ms []Message
	limit, pace := drainEntries, time.Duration(0)
	if per := b.limits.Rates.StoredPerConn; per > 0 {
		limit, pace = 1, time.Duration(float64(time.Second)/per)
	}
	for {
		after, last, ok := c.drainFrom()
		if !ok {
			return
		}
		var err error
		entries, err = b.store.Read(context.Background(), s.queue, after, limit, drainBytes, entries[:0])
		if err != nil {
			c.stopDrain()
			b.log.Error("session queue cannot be read", slog.String("client_id", s.clientID), slog.Any("err", err))
			c.link.Kick(Cause{Reason: ServerError, Code: codeUnspecified, Text: "the session's queue cannot be read: " + err.Error()})
			return
		}
		if cap(ms) < len(entries) {
			ms = make([]Message, len(entries), drainEntries)
		}
		ms = ms[:len(entries)]
		if len(entries) > 0 {
			last = entries[len(entries)-1].Seq
		} // else all up to last was trimmed or dropped meanwhile
		more, gave := b.handOutStored(c, entries, ms, last)
		if !more {
			return
		}
		clear(ms)
		if gave && pace > 0 && !b.rest(pace) {
			c.stopDrain()
			return
		}
	}
}

// rest waits; false when the broker closes.
func (b *Broker) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.quit:
		return false
	}
}

// drainFrom says after which sequence number to read on, and what the newest one is; not ok when the drain is over.
func (c *Connection) drainFrom() (after, last uint64, ok bool) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live.Load() != c {
		return 0, 0, false // the next connection starts its own
	}
	if s.q.next > s.q.last {
		s.q.draining = false
		return 0, 0, false
	}
	return s.q.next - 1, s.q.last, true
}

func (c *Connection) stopDrain() {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live.Load() == c {
		s.q.draining = false
	}
}

// mayReceiveStored decides on a message that waited, and records a refusal: it is lost for this client.
func (b *Broker) mayReceiveStored(c *Connection, name string) bool {
	d := b.decide(c.caller, "iot:Receive", "topic", name, nil)
	if !d.Allowed {
		b.noteReceiveDenied(c, d, name)
	}
	return d.Allowed
}

// handOutStored delivers entries, the last of which has the number last; more is false when the link took no more or the
// connection is over, gave says whether there was anything to deliver.
func (b *Broker) handOutStored(c *Connection, entries []store.Entry, ms []Message, last uint64) (more, gave bool) {
	now := millis(time.Now())
	ds := make([]Delivery, 0, len(entries))
	var skipped []uint64
	for i := range entries {
		m, seq := &ms[i], entries[i].Seq
		retain, err := decodeBody(entries[i].Body, m)
		switch {
		case err != nil:
			b.log.Error("message in the store is damaged and skipped", slog.String("client_id", c.session.clientID), slog.Uint64("sequence", seq))
		case m.Expires != 0 && m.Expires <= now:
			b.noteExpired(c.session.clientID, m.Topic)
		case c.isDone(seq):
		case c.wentAhead(seq):
			continue // it waits for its PUBACK
		case !b.mayReceiveStored(c, m.Topic):
		default:
			ds = append(ds, Delivery{Message: m, QoS: min(m.QoS, 1), Retain: retain, Seq: seq})
			continue
		}
		skipped = append(skipped, seq)
	}
	more = c.deliverStored(ds, last)
	c.Ack(skipped)
	return more, len(ds) > 0
}

// deliverStored gives the link what it takes, and moves on.
func (c *Connection) deliverStored(ds []Delivery, last uint64) (more bool) {
	s := c.session
	s.mu.Lock()
	if s.live.Load() != c {
		s.mu.Unlock()
		return false
	}
	took, flush := 0, false
	if len(ds) > 0 {
		took, flush = c.deliver(ds, false)
	}
	s.q.next = last + 1
	if took < len(ds) {
		s.q.next = ds[took].Seq
		s.q.draining = false
	}
	s.mu.Unlock()
	c.b.counts.Delivered.Add(int64(took))
	if flush {
		c.link.Flush()
	}
	return took == len(ds)
}

func (c *Connection) isDone(seq uint64) bool {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	_, done := s.q.done[seq]
	return done || seq <= s.q.trimmed
}

// wentAhead reports whether a message was handed out before its turn, and forgets it.
func (c *Connection) wentAhead(seq uint64) bool {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.q.ahead[seq]
	delete(s.q.ahead, seq)
	return ok
}

// Ack says that the client has acknowledged messages of its queue. The queue is trimmed up to the first one that is
// still missing.
func (c *Connection) Ack(seqs []uint64) {
	if len(seqs) == 0 {
		return
	}
	s := c.session
	s.mu.Lock()
	if s.live.Load() != c {
		s.mu.Unlock()
		return
	}
	before := s.q.trimmed
	for _, seq := range seqs {
		s.q.ack(seq)
	}
	trimmed := s.q.trimmed
	s.q.forgetAhead(before)
	s.mu.Unlock()
	if trimmed == before {
		return
	}
	s.forget(int64(trimmed - before))
	c.b.store.Trim(s.queue, trimmed)
}

func (q *queueState) goesAhead(seq uint64) {
	if q.ahead == nil {
		q.ahead = map[uint64]struct{}{}
	}
	q.ahead[seq] = struct{}{}
}

// forgetAhead forgets which of the messages that were trimmed since went ahead: no drain will meet them.
func (q *queueState) forgetAhead(before uint64) {
	for seq := before + 1; seq <= q.trimmed && len(q.ahead) > 0; seq++ {
		delete(q.ahead, seq)
	}
}

func (q *queueState) ack(seq uint64) {
	if seq <= q.trimmed {
		return
	}
	if seq != q.trimmed+1 {
		if q.done == nil {
			q.done = map[uint64]struct{}{}
		}
		q.done[seq] = struct{}{}
		return
	}
	q.trimmed = seq
	for len(q.done) > 0 {
		if _, ok := q.done[q.trimmed+1]; !ok {
			return
		}
		q.trimmed++
		delete(q.done, q.trimmed)
	}
}
