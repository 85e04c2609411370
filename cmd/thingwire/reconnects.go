package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/server"
)

// reconnects are connections of one client that follow one another without end. The journal joins repeats, so a loop is
// a few entries with large counts, which says little to whoever reads them one by one.
type reconnects struct {
	Connections int       `json:"connections"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	// Sources are the addresses and certificates that connected: two of them share a client id.
	Sources []string `json:"sources"`
	// Ends are why the connections ended, the most frequent first.
	Ends []reconnectEnd `json:"ends"`
}

type reconnectEnd struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// loopOf is how many connections in how short a time, one to the next, are a loop.
const (
	loopOf   = 4
	loopPace = 30 * time.Second
)

// findReconnects finds the loops of a story: runs of connects that follow each other fast, told or joined.
func findReconnects(entries []server.JournalEntry) (loops []reconnects) {
	var run reconnects
	done := func() {
		if run.Connections >= loopOf && run.To.Sub(run.From) <= time.Duration(run.Connections)*loopPace {
			run.Ends = endsWithin(entries, run.From, run.To.Add(loopPace))
			loops = append(loops, run)
		}
		run = reconnects{}
	}
	connects := slices.Clone(entries)
	connects = slices.DeleteFunc(connects, func(e server.JournalEntry) bool { return e.EventType != "Connect" || e.Status == "Failure" })
	slices.SortStableFunc(connects, func(a, b server.JournalEntry) int { return began(&a).Compare(began(&b)) })
	for i := range connects {
		e := &connects[i]
		if run.Connections > 0 && began(e).Sub(run.To) > loopPace {
			done()
		}
		if run.Connections == 0 {
			run.From = began(e)
		}
		run.Connections += max(1, e.Count)
		if e.Timestamp.After(run.To) {
			run.To = e.Timestamp.Time
		}
		if s := strings.TrimPrefix(source(e), " "); !slices.Contains(run.Sources, s) && s != "" {
			run.Sources = append(run.Sources, s)
		}
	}
	done()
	return loops
}

// began is when the first of the repeats of an entry was.
func began(e *server.JournalEntry) time.Time {
	if e.FirstSeen.IsZero() {
		return e.Timestamp.Time
	}
	return e.FirstSeen.Time
}

func endsWithin(entries []server.JournalEntry, from, to time.Time) (ends []reconnectEnd) {
	for i := range entries {
		e := &entries[i]
		if e.EventType != "Disconnect" || began(e).Before(from) || began(e).After(to) {
			continue
		}
		at := slices.IndexFunc(ends, func(r reconnectEnd) bool { return r.Reason == e.DisconnectReason })
		if at < 0 {
			at = len(ends)
			ends = append(ends, reconnectEnd{Reason: e.DisconnectReason})
		}
		ends[at].Count += max(1, e.Count)
	}
	slices.SortStableFunc(ends, func(a, b reconnectEnd) int { return b.Count - a.Count })
	return ends
}

// String is the loop in words.
func (r *reconnects) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "It connected %d times from %s to %s: it connects again and again.\n", r.Connections, moment(r.From), moment(r.To))
	var ends []string
	for _, e := range r.Ends {
		ends = append(ends, fmt.Sprintf("%d times %s", e.Count, e.Reason))
	}
	detail(&b, "ends", strings.Join(ends, ", "))
	if len(r.Sources) > 1 {
		detail(&b, "who", strings.Join(r.Sources, "; "))
	}
	detail(&b, "to do", r.remedy())
	return b.String()
}

// remedy is what ends such a loop, by why most of its connections ended.
func (r *reconnects) remedy() string {
	most := ""
	if len(r.Ends) > 0 {
		most = r.Ends[0].Reason
	}
	switch most {
	case "DUPLICATE_CLIENTID":
		return "two clients use this client id and take it from each other: give each its own"
	case "CLIENT_INITIATED_DISCONNECT":
		return "the client says goodbye and comes again by itself: keep one connection open, it costs less than a new one for each message"
	case "AUTH_ERROR", "FORBIDDEN_ACCESS":
		return "each connection asks for what its policies refuse, and is closed: the entries above say what"
	case "MQTT_KEEP_ALIVE_TIMEOUT", "CONNECTION_LOST":
		return "the connection does not last: look at the client's network and at what it does after CONNECT, and let it wait between tries, with a delay that grows"
	}
	return "the entries above say why each connection ended; let the client wait between tries, with a delay that grows"
}
