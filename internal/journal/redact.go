package journal

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of texts, in bytes. Clients choose most of them.
const (
	maxName          = 256
	maxText          = 1024
	maxWords         = 2048
	maxSubscriptions = 64
)

const redacted = "[redacted]"

// clean takes secrets out of an entry and bounds its texts. No field is trusted: a secret that a client put into the
// wrong place is still a secret.
func (e *Entry) clean() {
	e.PrincipalID, _, _ = strings.Cut(e.PrincipalID, "?") // a user name may carry a query with a token
	for _, s := range []*string{
		&e.LogLevel, &e.TraceID, &e.AccountID, &e.Status, &e.EventType, &e.Protocol, &e.ClientID, &e.PrincipalID,
		&e.SourceIP, &e.QoS, &e.Retain, &e.Reason, &e.DisconnectReason, &e.CleanSession, &e.ThingName, &e.AuthType,
		&e.ServerName, &e.Packet, &e.Policy, &e.Statement, &e.Listener,
	} {
		*s = cleanText(*s, maxName)
	}
	e.TopicName = cleanText(e.TopicName, maxText)
	for _, s := range []*string{&e.Details, &e.Cause, &e.Remedy} {
		*s = cleanText(*s, maxWords)
	}
	if len(e.Subscriptions) == 0 {
		return
	}
	subs := make([]Subscription, 0, min(len(e.Subscriptions), maxSubscriptions))
	for _, s := range e.Subscriptions[:min(len(e.Subscriptions), maxSubscriptions)] {
		subs = append(subs, Subscription{TopicName: cleanText(s.TopicName, maxName), ReasonCode: s.ReasonCode})
	}
	e.Subscriptions = subs
}

// size is about how much memory an entry holds besides itself.
func (e *Entry) size() int {
	n := len(e.ClientID) + len(e.PrincipalID) + len(e.TopicName) + len(e.Details) + len(e.ThingName) + len(e.ServerName) +
		len(e.Packet) + len(e.Cause) + len(e.Remedy)
	for i := range e.Subscriptions {
		n += len(e.Subscriptions[i].TopicName)
	}
	return n
}

// cleanText is s as valid UTF-8, without secrets, and not longer than most bytes.
func cleanText(s string, most int) string {
	if s == "" {
		return s
	}
	if len(s) > 4*most { // what is far too long is not searched to its end
		s = s[:4*most]
	}
	s = redact(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= most {
		return s
	}
	cut := most - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// secretEnds are how names of parameters, headers and fields end whose values are secrets, in lower case and without
// - and _.
var secretEnds = []string{
	"signature", "token", "password", "passwd", "pwd", "secret", "secretkey", "secretaccesskey", "credential",
	"credentials", "authorization", "apikey", "privatekey", "cookie", "bearer",
}

// redact replaces what looks like a secret: a query, the value behind a name that ends like one of secretEnds, a
// private key in PEM, a JSON web token. It rather takes too much.
func redact(s string) string {
	if i := strings.Index(s, "PRIVATE KEY-----"); i >= 0 {
		s = s[:max(0, strings.LastIndex(s[:i], "-----"))] + redacted
	}
	if !strings.ContainsAny(s, "=:?%") && !strings.Contains(s, "eyJ") {
		return s
	}
	if name, ok := refusedName(s); ok {
		return redactWords(s[:name]) + redactWords(s[name:])
	}
	return redactWords(s)
}

// refusedName is where the name ends that one of our own refusals is about: not allowed to publish to "secret": no policy
// allows …. What follows explains the refusal and is not the value of anything, whatever the topic is called.
func refusedName(s string) (end int, ok bool) {
	at := strings.IndexByte(s, '"')
	if at < 0 || !strings.HasPrefix(s, "not allowed to ") {
		return 0, false
	}
	quoted, err := strconv.QuotedPrefix(s[at:])
	end = at + len(quoted)
	return end, err == nil && strings.HasPrefix(s[end:], ": ")
}

func redactWords(s string) string {
	var b strings.Builder
	for s != "" {
		at, end := nextSecret(s)
		if at < 0 {
			break
		}
		b.WriteString(s[:at])
		b.WriteString(redacted)
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}

// nextSecret finds the first secret of s; at is negative if there is none.
func nextSecret(s string) (at, end int) {
	for i := range len(s) {
		switch {
		case s[i] == '?' && isQuery(s[i+1:]):
			return i + 1, i + 1 + untilSpace(s[i+1:])
		case s[i] == 'e' && strings.HasPrefix(s[i:], "eyJ") && (i == 0 || !isNameByte(s[i-1])) && untilSpace(s[i:]) > 20:
			return i, i + untilSpace(s[i:])
		}
		if n := separator(s[i:]); n > 0 && isSecretName(nameBefore(s[:i])) {
			if at, end = value(s, i+n, nameBefore(s[:i])); end > at {
				return at, end
			}
		}
	}
	return -1, 0
}

// separator is the length of what stands between a name and its value at the beginning of s.
func separator(s string) int {
	switch {
	case s[0] == '=', s[0] == ':':
		return 1
	case len(s) >= 3 && s[0] == '%' && s[1] == '3' && strings.ContainsRune("dDaA", rune(s[2])):
		return 3
	}
	return 0
}

// isQuery reports whether s begins like the query of a URL: a name and an equals sign.
func isQuery(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) && s[i] != '%' && s[i] != '.' {
			return i > 0 && s[i] == '='
		}
	}
	return false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// nameBefore is the name at the end of s, which may be quoted. The end of a quoted topic ("home/secret": …) is none.
func nameBefore(s string) string {
	name := strings.TrimRight(s, "\"'\\ ")
	i := len(name)
	for i > 0 && isNameByte(name[i-1]) {
		i--
	}
	if i > 0 && name[i-1] == '/' && len(name) < len(s) {
		return ""
	}
	return name[i:]
}

var plainName = strings.NewReplacer("-", "", "_", "")

func isSecretName(name string) bool {
	if name == "" {
		return false
	}
	name = strings.ToLower(plainName.Replace(name))
	for _, end := range secretEnds {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// value is where the value begins and ends that stands at i. Behind Authorization, Cookie and Bearer it has several
// words.
func value(s string, i int, name string) (at, end int) {
	for i < len(s) && strings.IndexByte(" \t\"'\\", s[i]) >= 0 {
		i++
	}
	if strings.HasPrefix(s[i:], redacted) {
		return i, i
	}
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "authorization") || strings.HasSuffix(name, "cookie") {
		if n := strings.IndexAny(s[i:], "\r\n\"'"); n >= 0 {
			return i, i + n
		}
		return i, len(s)
	}
	return i, i + untilSpace(s[i:])
}

// untilSpace is how far a word reaches: up to a space, a quote or what separates parameters.
func untilSpace(s string) int {
	if n := strings.IndexAny(s, " \t\r\n\"'<>;,"); n >= 0 {
		return n
	}
	return len(s)
}
