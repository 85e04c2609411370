package journal

import (
	"hash/maphash"
	"time"
)

// maxWindows bounds the entries that wait for repeats: a stream of ever new client ids must not fill the memory.
const maxWindows = 4096

// window is the time in which repeats join an entry. It begins with the entry and has a fixed length, so that a fault
// that never ends is told again and again.
type window struct {
	key     uint64 // what repeats have in common
	words   uint64 // what the last of them said besides
	node    *node
	until   time.Time
	repeats int
	told    int // repeats that stand for themselves
}

// maxAlone is how many repeats of a refused HTTP request stand for themselves in a window.
const maxAlone = 20

// alone reports whether a repeat is an entry of its own: the client of a refused request was told its id, and asks for it.
// Only a flood of them is counted.
func (w *window) alone(e *Entry) bool {
	if e.Protocol != "HTTP" || e.Status != Failure || e.TraceID == "" || w.told >= maxAlone {
		return false
	}
	w.told++
	return true
}

// keys hashes what repeats have in common, and what else they say. A client that never said who it is counts by its
// address and certificate, and connections are told apart by them: two clients that take one id from each other are two
// entries. Hashes, because a storm of one denial must cost little, and because entries are not clean yet:
// a key must not keep a secret.
func (ws *windows) keys(e *Entry) (key, words uint64) {
	var h maphash.Hash
	h.SetSeed(ws.seed)
	hashTexts(&h, e.ClientID, e.EventType, e.Status, e.Reason, e.DisconnectReason, e.TopicName, e.Policy, e.Statement)
	_ = h.WriteByte(e.ReasonCode)
	if e.ClientID == "" || e.EventType == Disconnect || e.EventType == Connect && e.Status == Success {
		hashTexts(&h, e.PrincipalID, e.SourceIP)
	}
	if e.Reason == "" && e.DisconnectReason == "" {
		hashTexts(&h, e.Cause) // where nobody gave the reason a name, its words are one
	}
	key = h.Sum64()
	hashTexts(&h, e.Cause, e.Remedy, e.Packet, e.PrincipalID, e.SourceIP)
	return key, h.Sum64()
}

// hashTexts marks the end of each text, so that two that meet elsewhere are others.
func hashTexts(h *maphash.Hash, texts ...string) {
	for _, s := range texts {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0xFF) // no valid text has it
	}
}

// repeat counts e, which says nothing new.
func (w *window) repeat(e *Entry) {
	entry := &w.node.entry
	entry.FirstSeen = Stamp{entry.began()}
	entry.Timestamp, entry.SourcePort = e.Timestamp.rounded(), e.SourcePort
	entry.Count = max(1, entry.Count) + max(1, e.Count)
	w.repeats++
}

// say counts e, whose words are the entry's from now on. The trace id of the first one stays.
func (w *window) say(e *Entry, words uint64) {
	w.repeat(e)
	entry := &w.node.entry
	e.TraceID, e.Count, e.FirstSeen = entry.TraceID, entry.Count, entry.FirstSeen
	*entry = *e
	w.words = words
}

// windows are the open ones, in the order of their ends.
type windows struct {
	length time.Duration
	seed   maphash.Seed
	byKey  map[uint64]*window
	queue  []*window
}

func newWindows(length time.Duration) windows {
	return windows{length: length, seed: maphash.MakeSeed(), byKey: map[uint64]*window{}}
}

func (ws *windows) find(key uint64) *window { return ws.byKey[key] }

func (ws *windows) open(key, words uint64, n *node) {
	w := &window{key: key, words: words, node: n, until: time.Now().Add(ws.length)}
	ws.byKey[key] = w
	ws.queue = append(ws.queue, w)
}

// remove takes out the first window, which is the only one that is ever closed.
func (ws *windows) remove(w *window) {
	delete(ws.byKey, w.key)
	ws.queue[0] = nil
	ws.queue = ws.queue[1:]
}

func (ws *windows) first() *window {
	if len(ws.queue) == 0 {
		return nil
	}
	return ws.queue[0]
}

// over is the first window if its time is over.
func (ws *windows) over(now time.Time) *window {
	if w := ws.first(); w != nil && !w.until.After(now) {
		return w
	}
	return nil
}

// crowded is the first window if there is no room for another one.
func (ws *windows) crowded() *window {
	if len(ws.queue) < maxWindows {
		return nil
	}
	return ws.first()
}

// next is after what time a window will be over, negative when none is open.
func (ws *windows) next(now time.Time) time.Duration {
	if w := ws.first(); w != nil {
		return max(0, w.until.Sub(now))
	}
	return -1
}
