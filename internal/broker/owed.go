package broker

import (
	"log/slog"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// owedPause is how long the store is left alone before what it refused is tried again.
const owedPause = 5 * time.Second

// owed are changes that the store refused while it could not write and has to have nevertheless: without them a session
// that is over comes back with the next start, or the will of a client that said goodbye is published by it. There are at
// most a few for each session that was there when the store stopped writing, because it takes no new ones until it goes on.
type owed struct {
	mu     sync.Mutex
	chores []chore
	set    bool // the alarm
}

// chore is one of them. do must be right at any later time: it writes what holds then.
type chore struct {
	do   func() error
	what []any // for the log
}

// owe keeps a chore that the store refused with err until the store takes it. What ends with the broker is left to the
// next start, and what is wrong with a chore itself to the log.
func (b *Broker) owe(err error, c chore) {
	log := b.log.With(c.what...)
	if !fault.Is(err, fault.Unavailable) {
		log.Error("the store did not take a change", slog.Any("err", err))
		return
	}
	if b.closing.Load() {
		log.Warn("a change is left to the next start", slog.Any("err", err))
		return
	}
	b.owed.mu.Lock()
	defer b.owed.mu.Unlock()
	if !b.owed.set {
		b.owed.set = true
		log.Warn("a change waits until the store can be written", slog.Any("err", err))
		b.alarms.set(&alarm{call: func() { b.work.start(b.payOwed) }}, owedPause)
	}
	b.owed.chores = append(b.owed.chores, c)
}

// payOwed tries all chores, in their order.
func (b *Broker) payOwed() {
	b.owed.mu.Lock()
	chores := b.owed.chores
	b.owed.chores, b.owed.set = nil, false
	b.owed.mu.Unlock()
	for _, c := range chores {
		if err := c.do(); err != nil {
			b.owe(err, c)
		}
	}
}

// remove deletes documents that nobody reads any more; nobody waits for it.
func (b *Broker) remove(docs []store.DocOp, what ...any) {
	if len(docs) == 0 {
		return
	}
	again := chore{do: func() error { return b.commit(&store.Batch{Docs: docs}) }, what: what}
	b.store.Commit(&store.Batch{Docs: docs, Then: func(err error) {
		if err != nil {
			b.owe(err, again)
		}
	}})
}

// deletions are those of a batch.
func deletions(docs []store.DocOp) []store.DocOp {
	var out []store.DocOp
	for _, d := range docs {
		if d.Delete {
			out = append(out, d)
		}
	}
	return out
}
