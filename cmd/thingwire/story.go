package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/thingwire/thingwire/internal/server"
)

// String is the story for people.
func (s *story) String() string {
	var b strings.Builder
	if len(s.Entries) == 0 {
		s.tellNothing(&b)
		return b.String()
	}
	fmt.Fprintf(&b, "%s since %s UTC:\n", plainText(s.ClientID), moment(s.Since))
	tell(&b, s.Entries)
	for i := range s.Reconnects {
		b.WriteString(s.Reconnects[i].String())
	}
	fmt.Fprintf(&b, "%s\n", s.now())
	return b.String()
}

// tellNothing says that nothing is known, and what might help.
func (s *story) tellNothing(b *strings.Builder) {
	fmt.Fprintf(b, "Nothing is known of %s since %s UTC.\n", plainText(s.ClientID), moment(s.Since))
	if s.Before != nil {
		fmt.Fprintf(b, "The last that is known of it:\n")
		tell(b, []server.JournalEntry{*s.Before})
	}
	if len(s.Strangers) == 0 {
		fmt.Fprintf(b, "No connection was refused in this time before it said who it is: the client did not reach this server.\n"+
			"    to do:  check the client id, and the address and port that the client uses (thingwire serve prints its own)\n")
		return
	}
	fmt.Fprintf(b, "These connections failed before they said who they are; one of them may be its own:\n")
	tell(b, s.Strangers)
}

// now is how things stand, as far as the entries tell. The end of a connection that another one replaced is no end.
func (s *story) now() string {
	var last *server.JournalEntry
	for i := range s.Entries {
		e := &s.Entries[i]
		connected := e.EventType == "Connect" && e.Status == "Success"
		ended := e.EventType == "Disconnect" && e.DisconnectReason != "DUPLICATE_CLIENTID"
		if (connected || ended) && (last == nil || !e.Timestamp.Before(last.Timestamp.Time)) {
			last = e
		}
	}
	switch {
	case last == nil:
		return "No connection was opened or closed in this time."
	case last.EventType == "Connect":
		return fmt.Sprintf("It connected last at %s, and no end of that connection is recorded.", moment(last.Timestamp.Time))
	}
	return fmt.Sprintf("Its last connection ended at %s (%s).", moment(last.Timestamp.Time), plainText(last.DisconnectReason))
}

// tell writes entries. A remedy stands under the last entry that it is for.
func tell(b *strings.Builder, entries []server.JournalEntry) {
	last := map[string]int{}
	for i := range entries {
		last[entries[i].Remedy] = i
	}
	for i := range entries {
		e := &entries[i]
		fmt.Fprintf(b, "%s  %s%s\n", moment(e.Timestamp.Time), what(e), repeated(e))
		detail(b, "why", why(e))
		detail(b, "policy", policyOf(e))
		if last[e.Remedy] == i {
			detail(b, "to do", e.Remedy)
		}
	}
}

func detail(b *strings.Builder, name, text string) {
	if text != "" {
		fmt.Fprintf(b, "    %-7s %s\n", name+":", plainText(text))
	}
}

// what says in words what happened.
func what(e *server.JournalEntry) string {
	failed := e.Status == "Failure"
	switch e.EventType {
	case "Connect":
		if failed {
			return "could not connect" + from(e) + code(e)
		}
		return "connected" + from(e) + terms(e)
	case "Disconnect":
		if e.DisconnectReason == "CLIENT_INITIATED_DISCONNECT" {
			return "disconnected by itself"
		}
		return "lost its connection: " + plainText(e.DisconnectReason) + code(e) + at(e)
	case "Connection.AuthNError":
		return "a connection was refused" + from(e) + ": " + plainText(e.Reason)
	case "API":
		return "its call of " + plainText(e.Packet) + " was refused" + from(e)
	case "Publish-In":
		return about(e, failed, "its message", "was accepted", "was refused")
	case "Publish-Out":
		return about(e, failed, "a message", "was sent to it", "did not reach it")
	case "Queued":
		return about(e, failed, "a message", "was kept for it", "was not kept for it")
	case "Subscribe":
		return about(e, failed, "its subscription", "was granted", "was refused")
	case "Unsubscribe":
		return about(e, failed, "its subscription", "was ended", "could not be ended")
	}
	return plainText(e.EventType+" "+e.Status) + from(e) + at(e)
}

// about is a line about a topic or a filter.
func about(e *server.JournalEntry, failed bool, subject, good, bad string) string {
	if e.TopicName != "" {
		subject += " " + strconv.Quote(e.TopicName)
	}
	if failed {
		return subject + " " + bad + code(e) + at(e)
	}
	return subject + " " + good
}

func from(e *server.JournalEntry) string {
	s := source(e)
	if e.Listener != "" {
		s += " on listener " + plainText(e.Listener)
	}
	return s
}

// source is who came, from where.
func source(e *server.JournalEntry) string {
	s := ""
	if e.SourceIP != "" {
		s += " from " + plainText(e.SourceIP)
	}
	switch {
	case e.PrincipalID == "" || e.PrincipalID == "anonymous":
	case e.AuthType == "AWS_SIGV4":
		s += " with access key " + plainText(e.PrincipalID)
	default:
		s += " with certificate " + plainText(short(e.PrincipalID))
	}
	return s
}

// short is enough of an id to know it again.
func short(id string) string {
	const enough = 12
	if len(id) > enough+4 {
		return id[:enough] + "…"
	}
	return id
}

// terms are what a connection was opened with.
func terms(e *server.JournalEntry) string {
	s := ""
	if e.KeepAliveDuration > 0 {
		s += fmt.Sprintf(", keep-alive %d s", e.KeepAliveDuration)
	}
	if e.SessionExpiry > 0 {
		s += fmt.Sprintf(", session kept for %s", time.Duration(e.SessionExpiry)*time.Second)
	}
	return s
}

func code(e *server.JournalEntry) string {
	if e.ReasonCode == 0 {
		return ""
	}
	return fmt.Sprintf(" (0x%02X)", e.ReasonCode)
}

// at names the packet that was the cause.
func at(e *server.JournalEntry) string {
	if e.Packet == "" {
		return ""
	}
	return " at " + plainText(e.Packet)
}

func repeated(e *server.JournalEntry) string {
	if e.Count < 2 {
		return ""
	}
	return fmt.Sprintf(", %d times since %s", e.Count, moment(e.FirstSeen.Time))
}

// why is the cause of a failure, or what AWS's log has in its place.
func why(e *server.JournalEntry) string {
	switch {
	case e.Status != "Failure":
		return ""
	case e.Cause != "":
		return e.Cause
	}
	return e.Details
}

func policyOf(e *server.JournalEntry) string {
	if e.Policy == "" || e.Statement == "" {
		return e.Policy
	}
	return e.Policy + ", statement " + e.Statement
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// plainText is text that may go to a terminal: clients choose parts of it, and must not move the cursor.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
