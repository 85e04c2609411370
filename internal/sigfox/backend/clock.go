package backend

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/store/documents"
)

// The timers, by the part of their keys behind the time.
const (
	settleTimer = "settle/"
	silentTimer = "silent/"
)

// timersAtOnce is how many timers are worked on at the same time: their commits share a sync.
const timersAtOnce = 32

// clock rings the timers that are in the store, the earliest first.
type clock struct {
	b    *Backend
	work sync.WaitGroup

	after string // timers up to this key are done; of the goroutine alone

	mu   sync.Mutex
	next time.Time     // when it looks at the store again, zero for never
	wake chan struct{} // holds one: next is earlier than it was
}

func openClock(b *Backend) *clock {
	return &clock{b: b, wake: make(chan struct{}, 1)}
}

// start begins with whatever is in the store.
func (c *clock) start() {
	c.expect(time.Now())
	c.work.Go(c.run)
}

// expect makes sure that the clock looks at the store at a time.
func (c *clock) expect(due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.next.IsZero() && !due.Before(c.next) {
		return
	}
	c.next = due
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *clock) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.b.ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
		c.mu.Lock()
		if next := c.next; !next.IsZero() && time.Now().Before(next) {
			c.mu.Unlock()
			timer.Reset(time.Until(next))
			continue
		}
		c.next = time.Time{}
		c.mu.Unlock()
		c.ring()
	}
}

// ring works on what is due, and sets the clock to what comes next.
func (c *clock) ring() {
	for {
		keys, next, err := c.due()
		if err != nil {
			c.failed("read", err)
			return
		}
		if !next.IsZero() {
			c.expect(next)
		}
		if len(keys) == 0 || c.b.ctx.Err() != nil {
			return
		}
		failed := make(chan error, len(keys))
		var work sync.WaitGroup
		for _, key := range keys {
			work.Go(func() {
				if err := c.b.timed(c.b.ctx, key); err != nil {
					failed <- err
				}
			})
		}
		work.Wait()
		if len(failed) > 0 {
			c.failed("work on", <-failed)
			return
		}
		c.pass(keys[len(keys)-1])
	}
}

// pass remembers what is done, so that the store does not walk over what was deleted. A timer whose commit is on its way
// may be set for now; none takes a minute.
func (c *clock) pass(last string) {
	c.after = max(c.after, min(last, timeKey(time.Now().Add(-time.Minute))))
}

func (c *clock) failed(do string, err error) {
	if c.b.ctx.Err() == nil {
		c.b.log.Error("sigfox: cannot "+do+" timers; it is tried again", slog.Any("err", err))
		c.expect(time.Now().Add(c.b.cfg.Again))
	}
}

// due are some timers that are due, and when the first comes that is not.
func (c *clock) due() (keys []string, next time.Time, err error) {
	now := time.Now()
	for d, err := range c.b.cfg.Store.List(c.b.ctx, timersBucket, "", c.after, timersAtOnce) {
		if err != nil {
			return nil, time.Time{}, err
		}
		text, _, _ := strings.Cut(d.Key, "/")
		if at, ok := timeOf(text); ok && at.After(now) {
			return keys, at, nil
		}
		keys = append(keys, d.Key)
	}
	return keys, time.Time{}, nil
}

// timed works on one timer; its commit takes the timer away.
func (b *Backend) timed(ctx context.Context, key string) error {
	_, rest, _ := strings.Cut(key, "/")
	if message, ok := strings.CutPrefix(rest, settleTimer); ok {
		return b.settle(ctx, key, message)
	}
	if device, ok := strings.CutPrefix(rest, silentTimer); ok {
		return b.listen(ctx, key, strings.TrimLeft(device, "0"))
	}
	b.log.Error("sigfox: a timer cannot be read", slog.String("key", key))
	return b.commit(documents.Remove(timersBucket, key, always))
}
