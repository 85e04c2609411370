package broker

import (
	"sync"
	"time"
)

// departed remembers for a while how connections ended.
type departed struct {
	mu    sync.Mutex
	m     map[string]ConnectionInfo
	order []departure // the oldest first
}

type departure struct {
	clientID string
	at       int64
}

const (
	connectionMemory = 30 * time.Minute // AWS IoT Core developer guide, "GetConnection"
	departedMemory   = time.Hour        // AWS IoT API reference, "ThingConnectivity"
	maxDeparted      = 50_000           // the oldest are forgotten first
)

// note remembers the end of a connection.
func (d *departed) note(info ConnectionInfo, cause Cause) {
	info.Connected, info.Since, info.Reason = false, millis(time.Now()), cause.Reason
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m == nil {
		d.m = map[string]ConnectionInfo{}
	}
	d.m[info.ClientID] = info
	d.order = append(d.order, departure{info.ClientID, info.Since})
	for len(d.order) > 0 && (len(d.order) > maxDeparted || isOver(d.order[0].at, info.Since, departedMemory)) {
		if first := d.order[0]; d.m[first.clientID].Since == first.at {
			delete(d.m, first.clientID)
		}
		d.order = d.order[1:]
	}
}

func isOver(at, now int64, memory time.Duration) bool { return now-at > memory.Milliseconds() }

// find tells how the last connection of a client ended, if that is not longer ago.
func (d *departed) find(clientID string, memory time.Duration) (ConnectionInfo, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, ok := d.m[clientID]
	if !ok || isOver(info.Since, millis(time.Now()), memory) {
		return ConnectionInfo{}, false
	}
	return info, true
}
