package journal

import "time"

// memory is the last entries, oldest first. A subject (a client, or an address that never said who it is) may have only
// a part of them, so that one noisy client does not push out the others.
type memory struct {
	most, mostOfOne int
	count           int
	head, tail      *node
	subjects        map[string]*subject

	// Entries up to these times may be missing: because all had too many, or because one subject had.
	missing, missingOfNoisy time.Time
}

type node struct {
	entry      Entry
	prev, next *node // of all
	later      *node // of the same subject
	of         *subject
}

type subject struct {
	name        string
	count       int
	first, last *node
	missing     time.Time
}

func newMemory(most int) memory {
	return memory{most: most, mostOfOne: max(1, min(most, max(16, most/32))), subjects: map[string]*subject{}}
}

func subjectOf(e *Entry) string {
	switch {
	case e.ClientID != "":
		return "client " + e.ClientID
	case e.PrincipalID != "":
		return "principal " + e.PrincipalID
	}
	return "address " + e.SourceIP
}

// add keeps a copy of e as the newest entry.
func (m *memory) add(e *Entry) *node {
	name := subjectOf(e)
	s := m.subjects[name]
	if s == nil {
		s = &subject{name: name}
		m.subjects[name] = s
	}
	n := &node{entry: *e, prev: m.tail, of: s}
	if m.tail != nil {
		m.tail.next = n
	} else {
		m.head = n
	}
	m.tail = n
	if s.last != nil {
		s.last.later = n
	} else {
		s.first = n
	}
	s.last = n
	s.count++
	m.count++
	if s.count > m.mostOfOne {
		s.missing = later(s.missing, s.first.entry.Timestamp.Time)
		m.missingOfNoisy = later(m.missingOfNoisy, s.missing)
		m.remove(s.first)
	}
	if m.count > m.most {
		m.missing = later(m.missing, m.head.entry.Timestamp.Time)
		m.remove(m.head)
	}
	return n
}

// remove takes out the first entry of a subject. A window may go on to count in it.
func (m *memory) remove(n *node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		m.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		m.tail = n.prev
	}
	s := n.of
	s.first = n.later
	if s.first == nil {
		s.last = nil
	}
	s.count--
	m.count--
	if s.count == 0 {
		delete(m.subjects, s.name)
	}
	n.prev, n.next, n.later = nil, nil, nil
}

// missingFor is up to which time entries that q asks for may be missing.
func (m *memory) missingFor(q *Query) time.Time {
	if q.ClientID == "" || len(q.principals) > 0 {
		return later(m.missing, m.missingOfNoisy)
	}
	if s := m.subjects["client "+q.ClientID]; s != nil {
		return later(m.missing, s.missing)
	}
	return m.missing
}

// find gives copies of the entries that q asks for, oldest first.
func (m *memory) find(q *Query) []Entry {
	q.learn(m)
	var found []Entry
	for n := m.head; n != nil; n = n.next {
		if q.wants(&n.entry) {
			found = append(found, n.entry)
		}
	}
	return found
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
