// Package fault names the kinds of error that the rooms of Thingwire answer with.
//
// A room that refuses something says what kind of refusal it is, why, and what the user can do about it. Each door
// translates the kind once: the gateway to MQTT reason codes and AWS exception names, control to HTTP statuses, the
// command line to one line on stderr. An error without a kind is internal: its text stays in the log.
package fault
