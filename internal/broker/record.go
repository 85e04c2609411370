package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// sessionRecord is a persistent session as a document of bucket "session"; its key is "3/" or "5/" and the client id.
type sessionRecord struct {
	Queue  uint64 `json:"queue"`
	Expiry int64  `json:"expirySeconds"`
	// Left is when the client went, in milliseconds since 1970; 0 while it is connected.
	Left int64 `json:"left,omitempty"`
	// Identifier is the sessionIdentifier of lifecycle events.
	Identifier string `json:"identifier,omitempty"`
	// Version is the versionNumber of its newest connection in lifecycle events.
	Version uint64 `json:"version,omitempty"`
}

// subscriptionRecord is one filter of a persistent session as a document of bucket "subscription"; its key is the
// session's queue id in 16 hexadecimal digits, a slash, and the filter.
type subscriptionRecord struct {
	QoS               byte `json:"qos"`
	NoLocal           bool `json:"noLocal,omitempty"`
	RetainAsPublished bool `json:"retainAsPublished,omitempty"`
}

// record is the write of the session's document. Under the holder's shard.
func (s *session) record() store.DocOp {
	v, err := json.Marshal(sessionRecord{
		Queue: uint64(s.queue), Expiry: int64(s.expiry / time.Second), Left: s.left, Identifier: s.identifier,
		Version: s.version,
	})
	if err != nil {
		panic(err) // numbers and text always marshal
	}
	return store.DocOp{Bucket: bucketSessions, Key: s.key(), Value: v}
}

func (s *session) key() string { return string('0'+rune(s.protocol)) + "/" + s.clientID }

func (s *session) subKey(filter string) string { return s.subPrefix() + filter }

func (s *session) subPrefix() string { return fmt.Sprintf("%016x/", uint64(s.queue)) }

func (sub *subscription) record() store.DocOp {
	v, err := json.Marshal(subscriptionRecord{
		QoS: sub.qos, NoLocal: sub.noLocal, RetainAsPublished: sub.retainAsPublished,
	})
	if err != nil {
		panic(err) // numbers and booleans always marshal
	}
	return store.DocOp{Bucket: bucketSubscriptions, Key: sub.session.subKey(sub.filter.Full), Value: v}
}

// keepRecord adds to sb the document of the session that a client id has now, or the deletion of the one that it had,
// and commits. Several connections of one client id may be on their way here: what they write is what the registry
// says, in the order in which it said so, never what each of them remembers.
func (b *Broker) keepRecord(s *session, sb *store.Batch) *store.Ticket {
	sh := b.shard(s.clientID)
	sh.records.Lock()
	defer sh.records.Unlock()
	sb.Docs = append(sb.Docs, sh.record(s))
	return b.store.Commit(sb)
}

func (sh *holderShard) record(s *session) store.DocOp {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if h := sh.m[s.clientID]; h != nil && h.stored[slot(s.protocol)] != nil {
		return h.stored[slot(s.protocol)].record()
	}
	return store.DocOp{Bucket: bucketSessions, Key: s.key(), Delete: true}
}

// forget adds to sb what removes the subscriptions and the queue of a session from the store; keepRecord does the rest.
func (b *Broker) forget(s *session, sb *store.Batch) error {
	for d, err := range b.store.List(context.Background(), bucketSubscriptions, s.subPrefix(), "", 0) {
		if err != nil {
			return err
		}
		sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketSubscriptions, Key: d.Key, Delete: true})
	}
	sb.DropQueues = append(sb.DropQueues, s.queue)
	return nil
}

// forgetLater removes a session that is over; nobody waits for it.
func (b *Broker) forgetLater(s *session) {
	forget := func() error {
		var sb store.Batch
		if err := b.forget(s, &sb); err != nil {
			return err
		}
		return b.keepRecord(s, &sb).Wait()
	}
	run := func() {
		if err := forget(); err != nil {
			b.owe(err, chore{forget, []any{slog.String("change", "end of a session"), slog.String("client_id", s.clientID)}})
		}
	}
	if !b.work.start(run) {
		run()
	}
}

// leave notes when the client went, so that expiry counts through restarts; sb is what else is over by that.
func (b *Broker) leave(s *session, sb *store.Batch) {
	over := deletions(sb.Docs) // what else sb writes may not hold any more when it is tried again
	note := func() error { return b.keepRecord(s, &store.Batch{Docs: over}).Wait() }
	sb.Then = func(err error) {
		if err != nil {
			b.owe(err, chore{note, []any{slog.String("change", "time of disconnect"), slog.String("client_id", s.clientID)}})
		}
	}
	b.keepRecord(s, sb)
}

// expireAfter sets the alarm that ends a session whose client does not come back. Under the holder's shard.
func (b *Broker) expireAfter(s *session, d time.Duration) {
	al := &alarm{}
	al.call = func() { b.expire(s, al) }
	s.gone = al
	b.alarms.set(al, d)
}

// expire ends a session whose client did not come back. An alarm that rang in the moment when the client came is not
// the session's any more.
func (b *Broker) expire(s *session, al *alarm) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	h := sh.get(s.clientID)
	mine := h.stored[slot(s.protocol)] == s && s.gone == al
	var last *waitingWill
	if mine {
		h.stored[slot(s.protocol)] = nil
		last = b.takeWill(s)
		if h.live == nil && h.least() == 0 {
			b.versions.forget(s.clientID)
		}
	}
	sh.drop(s.clientID, h)
	sh.mu.Unlock()
	if !mine {
		return
	}
	b.unroute(s)
	b.forgetLater(s)
	b.publishWaiting(last)
}

// restore brings back the sessions of the store.
func (b *Broker) restore(ctx context.Context) error {
	r := restoring{b: b, now: time.Now(), byQueue: map[string]*session{}}
	for _, part := range []func(context.Context) error{r.sessions, r.subscriptions, r.groups, r.sweep, r.wills} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// putToRest puts a session whose client is away into the registry, with its alarm.
func (b *Broker) putToRest(s *session, now time.Time) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.get(s.clientID).stored[slot(s.protocol)] = s
	b.expireAfter(s, max(0, s.expiry-now.Sub(time.UnixMilli(s.left))))
}

func restoreSession(d store.Doc) (*session, error) {
	protocol, clientID, _ := strings.Cut(d.Key, "/")
	var r sessionRecord
	err := json.Unmarshal(d.Value, &r)
	switch {
	case err != nil:
	case protocol != "3" && protocol != "5":
		err = errors.New("its protocol is neither 3 nor 5")
	case r.Queue == 0:
		err = errors.New("it has no queue")
	}
	if err != nil {
		return nil, fmt.Errorf("session %q in the store is damaged: %w", d.Key, err)
	}
	return &session{
		clientID: clientID, protocol: protocol[0] - '0', persistent: true,
		queue: store.QueueID(r.Queue), expiry: time.Duration(r.Expiry) * time.Second, left: r.Left,
		identifier: r.Identifier, version: r.Version,
	}, nil
}
