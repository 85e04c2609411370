package journal

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// followerEntries is how far a follower may be behind.
const followerEntries = 1024

// follower is somebody who wants entries as they come. Its fields are under the journal's mutex.
type follower struct {
	query   Query
	pending []Entry
	lost    int
	wake    chan struct{}
}

// offer never waits: a slow follower loses entries, and is told how many.
func (f *follower) offer(e *Entry) {
	if !f.query.wants(e) {
		return
	}
	if len(f.pending) >= followerEntries {
		f.lost++
		return
	}
	f.pending = append(f.pending, *e)
	f.nudge()
}

func (f *follower) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Follow calls fn with what Query answers, and then with each entry as it comes, until ctx ends, fn fails, or the
// journal is closed (fault.Unavailable). An entry that was repeated comes again when its window is over, with the same
// trace id and its count. fn runs on the caller's goroutine and may be slow: then entries are lost, and an entry says
// how many.
func (j *Journal) Follow(ctx context.Context, q Query, fn func(Entry) error) error {
	f := &follower{wake: make(chan struct{}, 1)}
	found, whole := j.ask(&q, f)
	defer j.unfollow(f)
	if !whole {
		found = j.disk.find(&q, found)
	}
	if err := each(q.last(found), fn); err != nil {
		return err
	}
	for {
		pending, closed := j.pending(f)
		if err := each(pending, fn); err != nil {
			return err
		}
		if closed {
			return fault.New(fault.Unavailable, "the journal was closed")
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func each(entries []Entry, fn func(Entry) error) error {
	for _, e := range entries {
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) pending(f *follower) (entries []Entry, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries = f.pending
	if f.lost > 0 {
		e := Entry{
			Timestamp: Stamp{time.Now()}, EventType: OwnEvent, Reason: ReasonFollowerSlow, LogLevel: LevelWarn, Count: f.lost,
			Cause: "whoever reads this is slower than what happens: some entries are missing here",
		}
		e.fill(j.account)
		entries = append(entries, e)
	}
	f.pending, f.lost = nil, 0
	return entries, j.closed
}

func (j *Journal) unfollow(f *follower) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.followers, f)
}
