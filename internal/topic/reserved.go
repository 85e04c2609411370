package topic

import (
	"slices"
	"strings"
)

// Family says which part of the service a reserved topic belongs to.
type Family uint8

// The families. FamilyNone is an ordinary topic, FamilyUnknown one that begins with $ and is none of the table's: the
// service knows no such topic, and neither publishing nor subscribing is allowed.
const (
	FamilyNone         Family = iota
	FamilyUnknown             // $… that is not in the table
	FamilyShadow              // $aws/things/{thing}/shadow/…
	FamilyJobs                // $aws/things/{thing}/jobs/…
	FamilyEvents              // $aws/events/…: registry, jobs, certificates, presence, subscriptions
	FamilyProvisioning        // $aws/certificates/… and $aws/provisioning-templates/…
	FamilyRules               // $aws/rules/…: Basic Ingest
	FamilyDefender            // $aws/things/{thing}/defender/…
	FamilyStreams             // $aws/things/{thing}/streams/…: file delivery
	FamilyTunnels             // $aws/things/{thing}/tunnels/…
	FamilyCommands            // $aws/commands/…
	FamilyLocation            // $aws/device_location/…
	FamilySiteWise            // $aws/sitewise/…
)

// String is the family's name in logs.
func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return "family?"
}

var familyNames = [...]string{
	"none", "unknown", "shadow", "jobs", "events", "provisioning", "rules", "defender", "streams", "tunnels", "commands",
	"location", "sitewise",
}

// Class is what clients may do with a topic, by its name alone; policies come after. Publish: clients may publish to it.
// Subscribe: clients may subscribe to it. Direct: the service sends it straight to the client that asked, who need not
// subscribe, and nobody else sees it.
type Class struct {
	Family                     Family
	Publish, Subscribe, Direct bool
}

// reservedPrefix begins all names of the table.
const reservedPrefix = "$aws/"

// Classify is the class of a concrete topic name, "Reserved topics" in the AWS IoT Core Developer Guide. Names are
// compared with case, as AWS does.
func Classify(name string) Class {
	if !startsReserved(name) {
		return Class{Family: FamilyNone, Publish: true, Subscribe: true}
	}
	tail, ok := strings.CutPrefix(name, reservedPrefix)
	if !ok {
		return Class{Family: FamilyUnknown}
	}
	for i := range reserved {
		if reserved[i].meets(tail, false) {
			return reserved[i].class
		}
	}
	return Class{Family: FamilyUnknown}
}

// ClassifyFilter is the class of a filter's Pattern. Subscribe says whether the pattern can match at least one reserved
// topic that may be subscribed to, the family is that topic's (the first one's, if $aws/things/+/# reaches several), and
// Direct is set if it can match a direct answer. Publish is never set for a reserved pattern.
//
// Whether AWS refuses $aws/# and the like outright is not documented; here what can match something is taken.
func ClassifyFilter(pattern string) Class {
	if !startsReserved(pattern) {
		return Class{Family: FamilyNone, Publish: true, Subscribe: true}
	}
	c := Class{Family: FamilyUnknown}
	tail, ok := strings.CutPrefix(pattern, reservedPrefix)
	if !ok {
		return c
	}
	for i := range reserved {
		if reserved[i].meets(tail, true) {
			c = c.including(reserved[i].class)
		}
	}
	return c
}

// including adds a row that a filter can match: the family of the first row that may be subscribed to wins, else that of
// the first row.
func (c Class) including(row Class) Class {
	if c.Family == FamilyUnknown || (row.Subscribe && !c.Subscribe) {
		c.Family = row.Family
	}
	c.Subscribe = c.Subscribe || row.Subscribe
	c.Direct = c.Direct || row.Direct
	return c
}

// row is one line of the table of reserved topics, compiled.
type row struct {
	levels []words
	rest   bool // any levels may follow, but at least one must
	class  Class
}

// words are the texts that a level may have; none means any text but the empty one.
type words []string

func (w words) accept(level string) bool {
	if len(w) == 0 {
		return level != ""
	}
	return slices.Contains(w, level)
}

// meets reports whether a name, or some name that a filter matches, is one of this row's. Both come without $aws/.
func (r *row) meets(s string, filter bool) bool {
	for i := 0; ; i++ {
		level, rest, deeper := cutLevel(s)
		if filter && level == "#" && !deeper {
			return i < len(r.levels) || r.rest
		}
		if i == len(r.levels) {
			return r.rest
		}
		if wild := filter && level == "+"; !wild && !r.levels[i].accept(level) {
			return false
		}
		if !deeper {
			return i+1 == len(r.levels) && !r.rest
		}
		s = rest
	}
}
