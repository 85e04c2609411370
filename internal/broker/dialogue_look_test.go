package broker

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// look prints the queue of a session as the broker and the store see it.
func (d *dialogue) look(id string, protocol byte) {
	sh := d.broker.shard(id)
	sh.mu.Lock()
	var s *session
	if h := sh.m[id]; h != nil {
		s = h.stored[slot(protocol)]
	}
	sh.mu.Unlock()
	if s == nil {
		d.say("", "no stored session")
		return
	}
	stats, err := d.store.QueueStats(d.t.Context(), s.queue)
	if err != nil {
		d.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.say("", "holds %d messages; durable up to %d, acknowledged up to %d and %d beyond; the store holds %d to %d",
		s.messages.Load(), s.q.last, s.q.trimmed, len(s.q.done), stats.First, stats.Last)
}

// docs prints the keys of what the store keeps, queue ids replaced by the session's key.
func (d *dialogue) docs() {
	names := map[string]string{}
	for doc, err := range d.store.List(d.t.Context(), bucketSessions, "", "", 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		s, err := restoreSession(doc)
		if err != nil {
			d.t.Fatal(err)
		}
		names[s.subPrefix()] = doc.Key
		state := "connected"
		if s.left > 0 {
			state = "away for " + time.Since(time.UnixMilli(s.left)).Round(time.Second).String()
		}
		d.say("", "session %s expires after %s, %s", doc.Key, s.expiry, state)
	}
	var subs []string
	for doc, err := range d.store.List(d.t.Context(), bucketSubscriptions, "", "", 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		prefix, filter, _ := strings.Cut(doc.Key, "/")
		name := names[prefix+"/"]
		if name == "" {
			name = "NOBODY"
		}
		subs = append(subs, fmt.Sprintf("subscription of %s to %s %s", name, filter, doc.Value))
	}
	sort.Strings(subs)
	for _, s := range subs {
		d.say("", "%s", s)
	}
	d.wills(names)
	for doc, err := range d.store.List(d.t.Context(), bucketRetained, "", "", 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		d.say("", "retained %s", doc.Key)
	}
	for doc, err := range d.store.List(d.t.Context(), bucketGroups, "", "", 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		var g groupDocument
		if err := json.Unmarshal(doc.Value, &g); err != nil {
			d.t.Fatal(err)
		}
		names[(&session{queue: store.QueueID(g.Queue)}).subPrefix()] = "group"
		d.say("", "group %s has a queue", doc.Key)
	}
	d.orphans(names)
}

func (d *dialogue) wills(names map[string]string) {
	var wills []string
	for doc, err := range d.store.List(d.t.Context(), bucketWills, "", "", 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		w, err := readWill(doc)
		if err != nil {
			d.t.Fatal(err)
		}
		owner, when := names[w.prefix], "at the end of the connection"
		if owner == "" {
			owner = "NOBODY"
		}
		if w.due > 0 {
			when = "in " + time.Until(time.UnixMilli(w.due)).Round(time.Second).String()
		}
		wills = append(wills, fmt.Sprintf("will of %s, version %d, to %s, due %s", owner, w.version, w.message.Topic, when))
	}
	sort.Strings(wills)
	for _, w := range wills {
		d.say("", "%s", w)
	}
}

func (d *dialogue) orphans(names map[string]string) {
	for id, err := range d.store.QueueIDs(d.t.Context()) {
		if err != nil {
			d.t.Fatal(err)
		}
		if names[(&session{queue: id}).subPrefix()] == "" {
			d.say("", "a queue of NOBODY")
		}
	}
}
