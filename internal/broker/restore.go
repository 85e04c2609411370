package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/topic"
)

// restoring brings back what the store has, once, before anybody connects.
//
// A document that cannot be understood does not keep the others from coming back. What it belonged to is left in the store
// as it is, for thingwire check and for whoever can mend it, and nothing is swept away that might be a part of it. Its
// client finds no session, subscribes anew, and so replaces it.
type restoring struct {
	b       *Broker
	now     time.Time
	found   []*session          // in the order of their documents
	byQueue map[string]*session // by the prefix of their documents; without those that are set aside
	late    store.Batch         // what is to be mended
	damaged bool
}

// setAside says that a document cannot be understood.
func (r *restoring) setAside(clientID string, err error) {
	r.damaged = true
	r.b.log.Error("set aside what cannot be understood", slog.String("client_id", clientID), slog.Any("err", err))
	r.b.record(journal.Entry{
		EventType: journal.Queued, Status: journal.Failure, LogLevel: journal.LevelError, Protocol: "MQTT", ClientID: clientID,
		Cause:  err.Error() + "; it was set aside when the server started",
		Remedy: "run thingwire check; restore a backup if what is lost is needed, else let the client connect and subscribe again",
	})
}

func (r *restoring) sessions(ctx context.Context) error {
	b := r.b
	for d, err := range b.store.List(ctx, bucketSessions, "", "", 0) {
		if err != nil {
			return err
		}
		s, err := restoreSession(d)
		if err != nil {
			r.setAside(clientOf(d.Key), err)
			continue
		}
		s.rate = NewLimiter(b.limits.Rates.PublishesPerConn)
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
		r.found, r.byQueue[s.subPrefix()] = append(r.found, s), s
	}
	return nil
}

// clientOf is the client id in the key of a session's document.
func clientOf(key string) string {
	_, clientID, _ := strings.Cut(key, "/")
	return clientID
}

// subscriptions installs the filters of the sessions, and lets those rest that are whole. Of a session with a filter that
// cannot be read nothing comes back: its client would believe that it still has it.
func (r *restoring) subscriptions(ctx context.Context) error {
	b := r.b
	subs := map[*session][]*subscription{}
	for d, err := range b.store.List(ctx, bucketSubscriptions, "", "", 0) {
		if err != nil {
			return err
		}
		prefix, filter, _ := strings.Cut(d.Key, "/")
		s := r.byQueue[prefix+"/"]
		if s == nil {
			if !r.damaged { // its session went in the same moment as the server
				r.late.Docs = append(r.late.Docs, store.DocOp{Bucket: bucketSubscriptions, Key: d.Key, Delete: true})
			}
			continue
		}
		sub, err := b.restoreSubscription(d, s, filter)
		if err != nil {
			r.setAside(s.clientID, err)
			delete(r.byQueue, prefix+"/")
			delete(subs, s)
			continue
		}
		subs[s] = append(subs[s], sub)
	}
	for _, s := range r.found {
		if r.byQueue[s.subPrefix()] == s {
			r.rest(s, subs[s])
		}
	}
	return nil
}

// rest lets a whole session wait for its client.
func (r *restoring) rest(s *session, subs []*subscription) {
	if s.left == 0 { // its client was there when the server was killed: its time begins now, and only once
		s.left = millis(r.now)
		r.late.Docs = append(r.late.Docs, s.record())
		r.b.noteKilled(s)
	}
	r.b.putToRest(s, r.now)
	for _, sub := range subs {
		r.b.install(sub)
	}
}

func (b *Broker) restoreSubscription(d store.Doc, s *session, filter string) (*subscription, error) {
	var r subscriptionRecord
	if err := json.Unmarshal(d.Value, &r); err != nil {
		return nil, fmt.Errorf("subscription %q in the store is damaged: %w", d.Key, err)
	}
	f, err := topic.ParseFilter(filter, b.limits.Topic)
	if err != nil {
		return nil, fmt.Errorf("subscription %q in the store: %w", d.Key, err)
	}
	return &subscription{session: s, filter: f, qos: r.QoS, noLocal: r.NoLocal, retainAsPublished: r.RetainAsPublished}, nil
}

// groups gives groups that persistent members brought back their queues; one whose document is damaged begins a new one.
func (r *restoring) groups(ctx context.Context) error {
	b := r.b
	for d, err := range b.store.List(ctx, bucketGroups, "", "", 0) {
		if err != nil {
			return err
		}
		g := b.groups.m[d.Key]
		doc, err := readGroup(d)
		if err != nil {
			r.setAside("", err)
			if g == nil {
				continue
			}
			doc.Queue = uint64(store.NewQueueID())
			r.late.Docs = append(r.late.Docs, groupRecord(d.Key, store.QueueID(doc.Queue)))
		}
		stats, err := b.store.QueueStats(ctx, store.QueueID(doc.Queue))
		if err != nil {
			return err
		}
		if g == nil { // its last member went in the same moment as the server
			if !r.damaged {
				b.dropGroupQueue(d.Key, store.QueueID(doc.Queue))
			}
			continue
		}
		g.mu.Lock()
		g.useQueue(store.QueueID(doc.Queue), stats)
		g.mu.Unlock()
	}
	return nil
}

// sweep drops queues that nobody owns: a publisher that had not heard of a session's end has made them. It commits
// what has been gathered.
func (r *restoring) sweep(ctx context.Context) error {
	b := r.b
	if r.damaged {
		return b.commit(&r.late)
	}
	shared := map[store.QueueID]bool{}
	for _, g := range b.groups.m {
		shared[g.queue] = true
	}
	for id, err := range b.store.QueueIDs(ctx) {
		if err != nil {
			return err
		}
		if !shared[id] && r.byQueue[(&session{queue: id}).subPrefix()] == nil {
			r.late.DropQueues = append(r.late.DropQueues, id)
		}
	}
	return b.commit(&r.late)
}

// wills brings back the wills that the last server left: those that waited for their delay, and those of clients
// that were there when it was killed, whose connections are lost by that. The routes are complete by now, so that what
// is overdue reaches the queues of those who are away.
func (r *restoring) wills(ctx context.Context) error {
	var wills []*restoredWill
	for d, err := range r.b.store.List(ctx, bucketWills, "", "", 0) {
		if err != nil {
			return err
		}
		w, err := readWill(d)
		if err != nil {
			clientID := ""
			prefix, _, _ := strings.Cut(d.Key, "/")
			if s := r.byQueue[prefix+"/"]; s != nil {
				clientID = s.clientID
			}
			r.setAside(clientID, err)
			continue
		}
		wills = append(wills, w)
	}
	for _, w := range wills {
		r.b.restoreWill(w, r.byQueue[w.prefix], r.now)
	}
	return nil
}
