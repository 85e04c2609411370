package journal

import "strings"

// LevelDebug and LevelDisabled are the ends of what Levels can say; no entry has them.
const (
	LevelDebug    = "DEBUG"
	LevelDisabled = "DISABLED"
)

// verbosity orders the levels: an entry is wanted where its own is not below.
var verbosity = map[string]int{LevelDebug: 0, LevelInfo: 1, LevelWarn: 2, LevelError: 3, LevelDisabled: 4}

// Levels say which entries are kept (AWS IoT developer guide, "Configure AWS IoT logging"). Of several targets that an
// entry matches the most verbose level counts; an entry that matches none has the level of its event type, or the default.
// Entries about the journal itself are always kept.
type Levels struct {
	Off        bool // nothing is kept, whatever the levels say
	Default    string
	Events     map[string]string // by event type
	Clients    map[string]string // by client id
	Addresses  map[string]string // by source address
	Principals map[string]string // by principal id
}

// EventTypes are the types of entries that Levels decide about.
func EventTypes() []string {
	return []string{
		Connect, Disconnect, AuthNError, PublishIn, PublishOut, Queued, Subscribe, Unsubscribe,
		GetRetained, ListRetained, GetConnection, DeleteConnection, ListSubscriptions, SendDirect,
	}
}

// Obey keeps from now on only what l wants; all if it is nil. Nobody may change l any more. What is not kept is neither
// written nor shown, and not counted as lost.
func (j *Journal) Obey(l *Levels) { j.levels.Store(l) }

func (l *Levels) wants(e *Entry) bool {
	if e.EventType == OwnEvent {
		return true
	}
	return !l.Off && verbosity[e.level()] >= verbosity[l.of(e)]
}

// of is the level that counts for an entry.
func (l *Levels) of(e *Entry) string {
	level := l.Clients[e.ClientID]
	level = moreVerbose(level, l.Addresses[e.SourceIP])
	if len(l.Principals) > 0 {
		principal, _, _ := strings.Cut(e.PrincipalID, "?") // as clean leaves it
		level = moreVerbose(level, l.Principals[principal])
	}
	return first(level, first(l.Events[e.EventType], l.Default))
}

// moreVerbose is the one of two that wants more; an empty one says nothing.
func moreVerbose(a, b string) string {
	if a == "" || b != "" && verbosity[b] < verbosity[a] {
		return b
	}
	return a
}

// level is the one that fill will give.
func (e *Entry) level() string {
	if e.LogLevel != "" {
		return e.LogLevel
	}
	if first(e.Status, e.outcome()) == Failure {
		return LevelError
	}
	return LevelInfo
}
