package journal

import "time"

// maxWindows bounds the entries that wait for repeats: a stream of ever new client ids must not fill the memory.
const maxWindows = 4096

// repeatKey is what repeats have in common. A client that never said who it is counts by its address and certificate.
type repeatKey struct {
	client, event, status, reason, disconnect, topic, principal, address, statement string
	code                                                                            byte
}

func keyOf(e *Entry) repeatKey {
	k := repeatKey{
		client: e.ClientID, event: e.EventType, status: e.Status, reason: e.Reason, disconnect: e.DisconnectReason,
		topic: e.TopicName, code: e.ReasonCode, statement: e.Policy + "\x00" + e.Statement,
	}
	if e.ClientID == "" {
		k.principal, k.address = e.PrincipalID, e.SourceIP
	}
	if e.Reason == "" && e.DisconnectReason == "" {
		k.reason = e.Cause // where nobody gave the reason a name, its words are one
	}
	return k
}

// window is the time in which repeats join an entry. It begins with the entry and has a fixed length, so that a fault
// that never ends is told again and again.
type window struct {
	key     repeatKey
	node    *node
	until   time.Time
	repeats int
}

// repeat makes e the last of the window's entries: its words count, and the trace id of the first one stays.
func (w *window) repeat(e *Entry) {
	first := &w.node.entry
	e.TraceID = first.TraceID
	e.Count = max(1, e.Count) + max(1, first.Count)
	e.FirstSeen = first.FirstSeen
	if first.FirstSeen.IsZero() {
		e.FirstSeen = first.Timestamp
	}
	w.node.entry = *e
	w.repeats++
}

// windows are the open ones, in the order of their ends.
type windows struct {
	length time.Duration
	byKey  map[repeatKey]*window
	queue  []*window
}

func newWindows(length time.Duration) windows {
	return windows{length: length, byKey: map[repeatKey]*window{}}
}

func (ws *windows) find(k repeatKey) *window { return ws.byKey[k] }

func (ws *windows) open(k repeatKey, n *node) {
	w := &window{key: k, node: n, until: time.Now().Add(ws.length)}
	ws.byKey[k] = w
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
