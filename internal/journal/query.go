package journal

import (
	"slices"
	"time"
)

// Query says which entries are asked for. Its zero value asks for all.
type Query struct {
	// ClientID asks for what is known of this client, thing or certificate. What happened before a client could say who
	// it is belongs to every client that has used the same certificate.
	ClientID string
	Since    time.Time // that happened at this time or later
	Limit    int       // the last so many; 0 means 1000, the most is 100000
	Failures bool      // of status Failure only
	Unnamed  bool      // of clients only that never said who they are

	principals []string // that the client has used
}

// The bounds of Query.Limit.
const (
	defaultLimit = 1000
	mostLimit    = 100_000
)

// Query answers the last entries that q asks for, in the order in which they began, oldest first. What is no longer in
// memory is read from disk.
func (j *Journal) Query(q Query) []Entry {
	found, whole := j.ask(&q, nil)
	if !whole {
		found = j.disk.find(&q, found)
	}
	return q.last(found)
}

// ask looks into memory. It registers a follower, if there is one, in the same moment. whole says that the disk has
// nothing to add.
func (j *Journal) ask(q *Query, f *follower) (found []Entry, whole bool) {
	q.clean()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain()
	found = j.memory.find(q)
	if f != nil {
		f.query = *q
		j.followers[f] = struct{}{}
	}
	complete := q.Since // all that happened after this time, or at it, is wanted
	if len(found) >= q.Limit {
		complete = later(complete, found[len(found)-q.Limit].Timestamp.Time)
	}
	missing := j.memory.missingFor(q)
	return found, j.disk == nil || missing.IsZero() || missing.Before(complete)
}

func (q *Query) clean() {
	q.ClientID = cleanText(q.ClientID, maxName)
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, mostLimit)
}

func (q *Query) last(found []Entry) []Entry {
	return found[max(0, len(found)-q.Limit):]
}

// wants reports whether q asks for e.
func (q *Query) wants(e *Entry) bool {
	switch {
	case q.Failures && e.Status != Failure,
		q.Unnamed && (e.ClientID != "" || e.EventType == OwnEvent),
		e.Timestamp.Before(q.Since):
		return false
	case q.ClientID == "", e.ClientID == q.ClientID, e.ThingName == q.ClientID, e.PrincipalID == q.ClientID:
		return true
	}
	return e.ClientID == "" && slices.Contains(q.principals, e.PrincipalID)
}

// learn finds out which certificates the client has used.
func (q *Query) learn(m *memory) {
	if q.ClientID == "" {
		return
	}
	for n := m.head; n != nil; n = n.next {
		if n.entry.ClientID == q.ClientID {
			q.knows(n.entry.PrincipalID)
		}
	}
}

func (q *Query) knows(principal string) {
	if principal != "" && principal != anonymous && !slices.Contains(q.principals, principal) {
		q.principals = append(q.principals, principal)
	}
}

// anonymous is the principal of everybody on the plain listener: it tells nothing about a client.
const anonymous = "anonymous"
