package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// sessionRecord is a persistent session as a document of bucket "session"; its key is "3/" or "5/" and the client id.
type sessionRecord struct {
	Queue  uint64 `json:"queue"`
	Expiry int64  `json:"expirySeconds"`
	// Left is when the client went, in milliseconds since 1970; 0 while it is connected.
	Left int64 `json:"left,omitempty"`
}

// subscriptionRecord is one filter of a persistent session as a document of bucket "subscription"; its key is the
// session's queue id in 16 hexadecimal digits, a slash, and the filter.
type subscriptionRecord struct {
	QoS               byte `json:"qos"`
	NoLocal           bool `json:"noLocal,omitempty"`
	RetainAsPublished bool `json:"retainAsPublished,omitempty"`
}

// record is the write of the session's document. left is the time the client went, 0 while it is there.
func (s *session) record(left int64) store.DocOp {
	v, err := json.Marshal(sessionRecord{Queue: uint64(s.queue), Expiry: int64(s.expiry / time.Second), Left: left})
	if err != nil {
		panic(err) // numbers always marshal
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

// forget adds to sb what removes a session from the store.
func (b *Broker) forget(s *session, sb *store.Batch) error {
	if !s.persistent {
		return nil
	}
	sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketSessions, Key: s.key(), Delete: true})
	for d, err := range b.store.List(context.Background(), bucketSubscriptions, s.subPrefix(), "", 0) {
		if err != nil {
			return err
		}
		sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketSubscriptions, Key: d.Key, Delete: true})
	}
	sb.DropQueues = append(sb.DropQueues, s.queue)
	return nil
}

// forgetLater removes a session that is over; nobody waits for it. If the store cannot do it now, the session's own
// expiry after the next start does.
func (b *Broker) forgetLater(s *session) {
	b.work.Go(func() {
		var sb store.Batch
		err := b.forget(s, &sb)
		if err == nil {
			err = b.commit(&sb)
		}
		if err != nil {
			b.log.Error("session that is over stays in the store until it expires", "client_id", s.clientID, "err", err)
		}
	})
}

// leave notes when the client went, so that expiry counts through restarts.
func (b *Broker) leave(s *session) {
	op := s.record(millis(time.Now()))
	b.store.Commit(&store.Batch{Docs: []store.DocOp{op}, Then: func(err error) {
		if err != nil {
			b.log.Warn("time of disconnect was not kept", "client_id", s.clientID, "err", err)
		}
	}})
}

// expire ends a session whose client did not come back.
func (b *Broker) expire(s *session) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	h := sh.get(s.clientID)
	if h.stored[slot(s.protocol)] != s || s.gone == nil {
		sh.drop(s.clientID, h)
		sh.mu.Unlock()
		return
	}
	h.stored[slot(s.protocol)] = nil
	sh.drop(s.clientID, h)
	sh.mu.Unlock()
	b.unroute(s)
	b.forgetLater(s)
}

// restore brings back the sessions of the store.
func (b *Broker) restore(ctx context.Context) error {
	byQueue := map[string]*session{}
	now := time.Now()
	for d, err := range b.store.List(ctx, bucketSessions, "", "", 0) {
		if err != nil {
			return err
		}
		s, left, err := restoreSession(d)
		if err != nil {
			return err
		}
		stats, err := b.store.QueueStats(ctx, s.queue)
		if err != nil {
			return err
		}
		s.q.last = stats.Last
		s.q.trimmed = stats.Last
		if stats.First > 0 {
			s.q.trimmed = stats.First - 1
		}
		s.messages.Store(int64(s.q.last - s.q.trimmed))
		s.bytes.Store(stats.Bytes)
		byQueue[s.subPrefix()] = s
		b.putToRest(s, now, left)
	}
	return b.restoreSubscriptions(ctx, byQueue)
}

// putToRest puts a session whose client is away into the registry, with its alarm.
func (b *Broker) putToRest(s *session, now time.Time, left int64) {
	wait := s.expiry
	if left > 0 { // a session whose client was there when the server stopped counts from now
		wait = max(0, s.expiry-now.Sub(time.UnixMilli(left)))
	}
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.get(s.clientID).stored[slot(s.protocol)] = s
	s.gone = b.alarms.after(wait, func() { b.expire(s) })
}

func restoreSession(d store.Doc) (s *session, left int64, err error) {
	var r sessionRecord
	if err := json.Unmarshal(d.Value, &r); err != nil || len(d.Key) < 2 {
		return nil, 0, fmt.Errorf("session %q in the store is damaged: %w", d.Key, err)
	}
	s = &session{
		clientID: d.Key[2:], protocol: d.Key[0] - '0', persistent: true,
		queue: store.QueueID(r.Queue), expiry: time.Duration(r.Expiry) * time.Second,
	}
	return s, r.Left, nil
}

func (b *Broker) restoreSubscriptions(ctx context.Context, byQueue map[string]*session) error {
	for d, err := range b.store.List(ctx, bucketSubscriptions, "", "", 0) {
		if err != nil {
			return err
		}
		prefix, filter, _ := strings.Cut(d.Key, "/")
		s := byQueue[prefix+"/"]
		if s == nil {
			continue // its session went in the same moment as the server
		}
		var r subscriptionRecord
		if err := json.Unmarshal(d.Value, &r); err != nil {
			return fmt.Errorf("subscription %q in the store is damaged: %w", d.Key, err)
		}
		f, err := topic.ParseFilter(filter, b.limits.Topic)
		if err != nil {
			return fmt.Errorf("subscription %q in the store: %w", d.Key, err)
		}
		b.install(&subscription{
			session: s, filter: f, qos: r.QoS, noLocal: r.NoLocal, retainAsPublished: r.RetainAsPublished,
		})
	}
	return b.restoreGroups(ctx)
}
