package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxLine is how long a line of a segment may be. What Record lets through is shorter.
const maxLine = 256 << 10

// appendLine appends e as a line.
func appendLine(dst []byte, e *Entry) []byte {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // people read it
	if err := enc.Encode(e); err != nil {
		return dst // texts and numbers always marshal, but for years over 9999
	}
	return b.Bytes()
}

// readSegment calls fn with the entry of each line that is wanted. A line that is torn, too long or no entry is left
// out: a crash, a full disk or somebody's editor made it.
func readSegment(r io.Reader, wanted func(line []byte) bool, fn func(*Entry)) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // too long: it is not ours
			line = nil
			_, err = in.ReadSlice('\n')
		}
		if err == nil && len(line) > 1 && wanted(line) {
			if e, ok := parseLine(line); ok {
				fn(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parseLine reads one line. An entry without the fields that every entry has is none.
func parseLine(line []byte) (*Entry, bool) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, false
	}
	if e.Timestamp.IsZero() || e.TraceID == "" || e.EventType == "" {
		return nil, false
	}
	e.clean() // somebody may have written into the file
	return &e, true
}

// latest joins lines of one entry: the first has the place, the last has the words.
type latest struct {
	entries []Entry
	at      map[string]int // by trace id
}

func newLatest() *latest { return &latest{at: map[string]int{}} }

func (l *latest) add(e *Entry) {
	if i, ok := l.at[e.TraceID]; ok {
		l.entries[i] = *e
		return
	}
	l.at[e.TraceID] = len(l.entries)
	l.entries = append(l.entries, *e)
}
