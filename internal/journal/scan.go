package journal

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"time"
)

// newestFirst are the segments that there are now. One may be gone when it is read.
func (d *disk) newestFirst() []segment {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Clone(d.segments)
	slices.Reverse(all)
	return all
}

// load fills an empty memory with the last entries, so that what happened before a restart is still known. Older ones
// stay on disk.
func (d *disk) load(m *memory) error {
	seen := map[string]bool{}
	var parts [][]Entry // newest first
	total, more := 0, false
	for _, s := range d.newestFirst() {
		if more = total >= m.most; more {
			break
		}
		part, _, err := d.read(s, everyLine, seen)
		if err != nil {
			return unusable(err)
		}
		parts = append(parts, part)
		total += len(part)
	}
	for _, part := range slices.Backward(parts) {
		for i := range part {
			m.add(&part[i])
		}
	}
	if more && m.head != nil {
		m.missing = later(m.missing, m.head.entry.Timestamp.Time)
	}
	return nil
}

func everyLine([]byte) bool { return true }

// find adds to what memory has found what only the disk has. It reads backwards until nothing older is wanted.
func (d *disk) find(q *Query, found []Entry) []Entry {
	seen := map[string]bool{}
	for i := range found {
		seen[found[i].TraceID] = true
	}
	for _, s := range d.newestFirst() {
		part, oldest, err := d.read(s, q.needles(), seen)
		if err != nil {
			d.log.Debug("a segment of the journal cannot be read", slog.Int("segment", s.number), slog.Any("err", err))
			continue // it was removed meanwhile
		}
		for i := range part {
			if q.ClientID != "" && part[i].ClientID == q.ClientID {
				q.knows(part[i].PrincipalID)
			}
			if q.wants(&part[i]) {
				found = append(found, part[i])
			}
		}
		if oldest.Before(q.Since) || since(found, oldest) >= q.Limit {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b Entry) int { return a.began().Compare(b.began()) })
	return found
}

// since counts the entries at or after a time.
func since(entries []Entry, t time.Time) int {
	n := 0
	for i := range entries {
		if !entries[i].began().Before(t) {
			n++
		}
	}
	return n
}

// began is when an entry happened first.
func (e *Entry) began() time.Time {
	if e.FirstSeen.IsZero() {
		return e.Timestamp.Time
	}
	return e.FirstSeen.Time
}

// needles tells lines that may be wanted from those that cannot be, without decoding them: most are about others.
func (q *Query) needles() func(line []byte) bool {
	if q.ClientID == "" {
		return everyLine
	}
	texts := [][]byte{inLine(q.ClientID)}
	for _, p := range q.principals {
		texts = append(texts, inLine(p))
	}
	return func(line []byte) bool {
		return slices.ContainsFunc(texts, func(t []byte) bool { return bytes.Contains(line, t) })
	}
}

// inLine is a text as a line has it, with its quotes.
func inLine(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return []byte(s) // a text always marshals
	}
	return bytes.TrimSpace(b.Bytes())
}

// read gives the entries of a segment that are wanted and were not seen, in the order in which they began, and the time
// of its first line.
func (d *disk) read(s segment, wanted func([]byte) bool, seen map[string]bool) (part []Entry, oldest time.Time, err error) {
	f, err := os.Open(d.path(s.number))
	if err != nil {
		return nil, oldest, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	joined := newLatest()
	err = readSegment(f, func(line []byte) bool { return oldest.IsZero() || wanted(line) }, func(e *Entry) {
		if oldest.IsZero() {
			oldest = e.Timestamp.Time
		}
		if !seen[e.TraceID] {
			joined.add(e)
		}
	})
	for i := range joined.entries {
		seen[joined.entries[i].TraceID] = true
	}
	return joined.entries, oldest, err
}
