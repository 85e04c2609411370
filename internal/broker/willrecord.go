package broker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
)

// willRecord is the will of a persistent session's connection as a document of bucket "will": it is there from CONNECT
// until the will is published or no longer due. Its key is the session's queue id in 16 hexadecimal digits, a slash, and
// the connection's versionNumber in 16 more: a session may have the will of the connection before, too.
type willRecord struct {
	Principal string `json:"principal"`
	Delay     int64  `json:"delaySeconds,omitempty"`
	// Due is when it is to be published, in milliseconds since 1970; 0 while the client is connected.
	Due int64 `json:"due,omitempty"`
	// Expiry is the Message Expiry Interval, which counts from publication.
	Expiry uint32 `json:"expirySeconds,omitempty"`
	Body   []byte `json:"body"`
}

func (s *session) willKey(version uint64) string {
	return fmt.Sprintf("%s%016x", s.subPrefix(), version)
}

// takeUp gives the connection its will, with a document if the session is persistent. Under the holder's shard.
func (c *Connection) takeUp(r *ConnectRequest) {
	if r.Will == nil {
		return
	}
	if c.session.persistent {
		c.willKey = c.session.willKey(c.presence.version)
	}
	c.will.Store(&will{message: r.Will, delay: r.WillDelay, key: c.willKey})
}

// willEnds adds to sb what becomes of the will's document when its connection ends. The one that is published now takes
// its document with it.
func (c *Connection) willEnds(sb *store.Batch, now *will, waits *waitingWill) {
	switch {
	case c.willKey == "" || now != nil:
	case waits != nil:
		sb.Docs = append(sb.Docs, waits.record(c.caller.Principal, waits.due))
	default:
		sb.Docs = append(sb.Docs, store.DocOp{Bucket: bucketWills, Key: c.willKey, Delete: true})
	}
}

// record is the write of the will's document; due is zero while the client is connected.
func (w *will) record(principal string, due time.Time) store.DocOp {
	r := willRecord{
		Principal: principal, Delay: int64(w.delay / time.Second), Expiry: w.message.Expiry,
		Body: appendBody(nil, w.message, w.message.Retain),
	}
	if !due.IsZero() {
		r.Due = millis(due)
	}
	v, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers, text and bytes always marshal
	}
	return store.DocOp{Bucket: bucketWills, Key: w.key, Value: v}
}

// restoredWill is a document of bucket "will", read.
type restoredWill struct {
	will

	principal string
	prefix    string // of the session's documents
	version   uint64 // of the connection that left it
	due       int64
}

func readWill(d store.Doc) (*restoredWill, error) {
	prefix, version, ok := strings.Cut(d.Key, "/")
	var r willRecord
	var m Message
	n, err := strconv.ParseUint(version, 16, 64)
	if !ok || err != nil {
		return nil, fmt.Errorf("will %q in the store has no such name", d.Key)
	}
	if err := json.Unmarshal(d.Value, &r); err != nil {
		return nil, fmt.Errorf("will %q in the store is damaged: %w", d.Key, err)
	}
	if _, err := decodeBody(r.Body, &m); err != nil {
		return nil, fmt.Errorf("will %q in the store is damaged: %w", d.Key, err)
	}
	m.Expiry = r.Expiry
	return &restoredWill{
		will:      will{message: &m, delay: time.Duration(r.Delay) * time.Second, key: d.Key},
		principal: r.Principal, prefix: prefix + "/", version: n, due: r.Due,
	}, nil
}

// restoreWill lets a will wait on or publishes it. A will of a connection before the last one is out of the way if a
// newer one made it void [MQTT-3.1.3-9], else the server died between takeover and publication. Its principal was
// authorised at CONNECT, as on AWS; the rights that it has now are not known here.
func (b *Broker) restoreWill(w *restoredWill, s *session, now time.Time) {
	clientID := ""
	if s != nil {
		clientID = s.clientID
	}
	by := NewCaller(w.principal, clientID, policy.AllowAll(), &policy.Connection{ClientID: clientID, HasClientID: s != nil})
	switch {
	case s == nil: // it ended with the server
	case w.version < s.version && w.delay > 0:
		b.store.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: bucketWills, Key: w.key, Delete: true}}})
		return
	case w.version == s.version && (w.due > 0 || w.delay > 0):
		wait := min(w.delay, s.expiry)
		if w.due > 0 {
			wait = time.UnixMilli(w.due).Sub(now)
		}
		b.letWaitOn(s, &waitingWill{will: w.will, by: by}, max(0, wait))
		return
	}
	b.publishWill(by, &w.will)
}

// letWaitOn lets a will wait, from now on as one whose client went: the next start does not count anew.
func (b *Broker) letWaitOn(s *session, w *waitingWill, d time.Duration) {
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	b.letWait(s, w, d)
	b.store.Commit(&store.Batch{Docs: []store.DocOp{w.record(w.by.Principal, w.due)}})
}
