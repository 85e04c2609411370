package broker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// maxCheckProblems is how many problems Check names.
const maxCheckProblems = 100

// Check reads everything that a broker keeps in a store and says in words what it could not work with. What a restart
// sweeps away, like a queue that nobody owns, is no problem. An error is one of reading.
func Check(ctx context.Context, s store.Store) (problems []string, err error) {
	c := checker{ctx: ctx, store: s}
	for _, part := range []func() error{c.sessions, c.subscriptions, c.sharedQueues, c.retainedMessages, c.queues} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.problems, nil
}

type checker struct {
	ctx      context.Context
	store    store.Store
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	if len(c.problems) < maxCheckProblems {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

// each reads the documents of a bucket.
func (c *checker) each(bucket string, fn func(d store.Doc)) error {
	for d, err := range c.store.List(c.ctx, bucket, "", "", 0) {
		if err != nil {
			return err
		}
		fn(d)
	}
	return nil
}

func (c *checker) sessions() error {
	return c.each(bucketSessions, func(d store.Doc) {
		if _, err := restoreSession(d); err != nil {
			c.problem("%s", err)
		}
	})
}

func (c *checker) subscriptions() error {
	limits := OpenLimits().Topic // a store is not damaged because the limits of another profile were lower
	return c.each(bucketSubscriptions, func(d store.Doc) {
		const prefix = 17 // 16 digits and a slash
		var r subscriptionRecord
		if err := json.Unmarshal(d.Value, &r); err != nil || len(d.Key) <= prefix {
			c.problem("subscription %q cannot be understood: %v", d.Key, err)
			return
		}
		if _, err := topic.ParseFilter(d.Key[prefix:], limits); err != nil {
			c.problem("subscription %q: %s", d.Key, err)
		}
	})
}

func (c *checker) sharedQueues() error {
	return c.each(bucketGroups, func(d store.Doc) {
		var g groupDocument
		if err := json.Unmarshal(d.Value, &g); err != nil || g.Queue == 0 {
			c.problem("group %q cannot be understood: %v", d.Key, err)
		}
	})
}

func (c *checker) retainedMessages() error {
	return c.each(bucketRetained, func(d store.Doc) {
		var m Message
		if _, err := decodeBody(d.Value, &m); err != nil {
			c.problem("retained message of %q cannot be understood", d.Key)
		} else if m.Topic != d.Key {
			c.problem("retained message of %q names the topic %q", d.Key, m.Topic)
		}
	})
}

// queues decodes every message of every queue.
func (c *checker) queues() error {
	var entries []store.Entry
	for id, err := range c.store.QueueIDs(c.ctx) {
		if err != nil {
			return err
		}
		for after := uint64(0); ; after = entries[len(entries)-1].Seq {
			if entries, err = c.store.Read(c.ctx, id, after, drainEntries, drainBytes, entries[:0]); err != nil {
				return fmt.Errorf("queue %016x cannot be read: %w", uint64(id), err)
			}
			if len(entries) == 0 {
				break
			}
			c.messages(id, entries)
		}
	}
	return nil
}

func (c *checker) messages(id store.QueueID, entries []store.Entry) {
	for i := range entries {
		var m Message
		if _, err := decodeBody(entries[i].Body, &m); err != nil {
			c.problem("message %d of queue %016x cannot be understood", entries[i].Seq, uint64(id))
		}
	}
}
