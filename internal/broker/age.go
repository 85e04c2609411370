package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// eldest remembers the oldest message that waits in a queue, so that the store is asked about it at most once per
// Limits.QueueAge as long as the queue moves, and once more when it stands still.
type eldest struct {
	mu sync.Mutex
	is waiting
}

// waiting is a message in a queue: when it came and when it expires, in milliseconds since 1970 (0 for never). With seq 0
// it is nobody, and time says that nothing older waited then.
type waiting struct {
	seq           uint64
	time, expires int64
}

func (w *waiting) expired(now int64) bool { return w.expires != 0 && w.expires <= now }

func (e *eldest) get() waiting {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.is
}

func (e *eldest) set(w waiting) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.is = w
}

// tooOld reports whether the oldest message of a queue that is acknowledged up to trimmed has waited for Limits.QueueAge.
// Expired ones do not count: nobody waits for them any more.
func (b *Broker) tooOld(e *eldest, id store.QueueID, trimmed uint64) bool {
	now := millis(time.Now())
	late := now - b.limits.QueueAge.Milliseconds()
	w := e.get()
	if w.time > late {
		return false // what is the oldest now came later still
	}
	if w.seq > trimmed && !w.expired(now) {
		return true
	}
	w, err := b.firstWaiting(id, max(trimmed, w.seq), now)
	if err != nil {
		return false // the commit that follows says what is wrong with the store
	}
	e.set(w)
	return w.time <= late
}

// firstWaiting finds the first message behind after that has not expired.
func (b *Broker) firstWaiting(id store.QueueID, after uint64, now int64) (waiting, error) {
	const atOnce = 16 // all but the first one are read for nothing unless they have expired
	var entries []store.Entry
	for {
		var err error
		entries, err = b.store.Read(context.Background(), id, after, atOnce, drainBytes, entries[:0])
		if err != nil {
			return waiting{}, err
		}
		if len(entries) == 0 {
			return waiting{time: now}, nil
		}
		for i := range entries {
			after = entries[i].Seq
			var m Message
			if _, err := decodeBody(entries[i].Body, &m); err != nil {
				continue // a drain reports it
			}
			if w := (waiting{seq: after, time: m.Time, expires: m.Expires}); !w.expired(now) {
				return w, nil
			}
		}
	}
}

func (b *Broker) tooLong() string {
	return fmt.Sprintf("is at its limit of age: its oldest message has waited for %s", b.limits.QueueAge)
}
