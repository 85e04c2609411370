package gateway

import (
	"context"
	"log/slog"
	"time"
)

// Back-pressure: a publisher may wait this long, once per so many bytes, for the receivers that are over their
// high-water mark.
const (
	maxPause   = 50 * time.Millisecond
	pauseEvery = 64 << 10
)

// slowReceiver is an outbox that a publisher waits for, and what it had written when the wait began.
type slowReceiver struct {
	out    *outbox
	relief <-chan struct{}
	freed  uint64
}

// takeSlow lists whom the connection has to pause for after its last batch. Never for itself, for a receiver whose own
// connection waits or commits (which breaks every circle), or for one that is slow. Under mu.
func (in *inbox) takeSlow(by *conn) {
	if in.published < pauseEvery {
		return
	}
	in.published = 0
	for _, l := range in.slow {
		if o, ok := l.(*outbox); ok && o.c != by {
			by.slow = append(by.slow, slowReceiver{out: o})
		}
	}
	clear(in.slow)
	in.slow = in.slow[:0]
}

// pause waits for slow receivers, for all of them together no longer than maxPause.
func (c *conn) pause() {
	if len(c.slow) == 0 {
		return
	}
	c.paused.Store(true)
	timer := time.NewTimer(maxPause)
	c.await(timer.C)
	timer.Stop()
	c.paused.Store(false)
	clear(c.slow)
	c.slow = c.slow[:0]
}

func (c *conn) await(over <-chan time.Time) {
	for i := range c.slow {
		c.slow[i].begin()
	}
	for i := range c.slow {
		if c.slow[i].relief == nil || c.slow[i].out.c.paused.Load() {
			continue
		}
		select {
		case <-c.slow[i].relief:
		case <-c.closed:
			return
		case <-over:
			for _, s := range c.slow[i:] {
				s.end()
			}
			return
		}
	}
}

// begin finds out whether the receiver is to be waited for at all.
func (s *slowReceiver) begin() {
	o := s.out
	if o.c.paused.Load() || o.c.publishing.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.congested || o.slow || o.over {
		return
	}
	if o.relief == nil {
		o.relief = make(chan struct{})
	}
	s.relief, s.freed = o.relief, o.freed
}

// end marks a receiver that has freed nothing as slow: nobody waits for it until it is half empty.
func (s *slowReceiver) end() {
	if s.relief == nil {
		return
	}
	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.freed == s.freed && o.congested && !o.slow {
		o.slow = true
		o.c.gateway.log.LogAttrs(context.Background(), slog.LevelWarn, "receiver does not read: publishers no longer wait for it",
			slog.String("client_id", o.c.clientID), slog.Int("unsent_bytes", o.unsent))
	}
}
