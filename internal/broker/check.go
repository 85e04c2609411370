package broker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
	"github.com/thingwire/thingwire/internal/topic"
)

// Check reads everything that a broker keeps in a store and says in words what it could not work with. What a restart
// sweeps away, like a queue that nobody owns, is no problem. An error is one of reading.
func Check(ctx context.Context, s store.Store) (problems []string, err error) {
	c := checker{Checker: documents.Checker{Context: ctx, Store: s}, queueStore: s}
	for _, part := range []func() error{c.sessions, c.subscriptions, c.wills, c.sharedQueues, c.retainedMessages, c.queues} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.Problems, nil
}

type checker struct {
	documents.Checker
	queueStore store.Queues
}

func (c *checker) sessions() error {
	return c.Each(bucketSessions, func(d store.Doc) {
		if _, err := restoreSession(d); err != nil {
			c.Problem("%s", err)
		}
	})
}

func (c *checker) subscriptions() error {
	limits := OpenLimits().Topic // a store is not damaged because the limits of another profile were lower
	return c.Each(bucketSubscriptions, func(d store.Doc) {
		const prefix = 17 // 16 digits and a slash
		var r subscriptionRecord
		if err := json.Unmarshal(d.Value, &r); err != nil || len(d.Key) <= prefix {
			c.Problem("subscription %q cannot be understood: %v", d.Key, err)
			return
		}
		if _, err := topic.ParseFilter(d.Key[prefix:], limits); err != nil {
			c.Problem("subscription %q: %s", d.Key, err)
		}
	})
}

func (c *checker) wills() error {
	return c.Each(bucketWills, func(d store.Doc) {
		if _, err := readWill(d); err != nil {
			c.Problem("%s", err)
		}
	})
}

func (c *checker) sharedQueues() error {
	return c.Each(bucketGroups, func(d store.Doc) {
		if _, err := readGroup(d); err != nil {
			c.Problem("%s", err)
		}
	})
}

func (c *checker) retainedMessages() error {
	return c.Each(bucketRetained, func(d store.Doc) {
		var m Message
		if _, err := decodeBody(d.Value, &m); err != nil {
			c.Problem("retained message of %q cannot be understood", d.Key)
		} else if m.Topic != d.Key {
			c.Problem("retained message of %q names the topic %q", d.Key, m.Topic)
		}
	})
}

// queues decodes every message of every queue.
func (c *checker) queues() error {
	var entries []store.Entry
	for id, err := range c.queueStore.QueueIDs(c.Context) {
		if err != nil {
			return err
		}
		for after := uint64(0); ; after = entries[len(entries)-1].Seq {
			if entries, err = c.queueStore.Read(c.Context, id, after, drainEntries, drainBytes, entries[:0]); err != nil {
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
			c.Problem("message %d of queue %016x cannot be understood", entries[i].Seq, uint64(id))
		}
	}
}
