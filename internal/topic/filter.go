package topic

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// Filter is a topic filter that ParseFilter found valid.
type Filter struct {
	Full    string // as the client gave it; UNSUBSCRIBE and policies name it so
	Share   string // the group of a shared subscription, empty for an ordinary one
	Pattern string // what names are matched against: Full without $share/group/
}

// sharePrefix begins the filters of shared subscriptions [MQTT-4.8.2-1].
const sharePrefix = "$share/"

// maxShareChars is the longest ShareName ("Shared subscriptions", AWS IoT Core Developer Guide).
const maxShareChars = 128

// ParseFilter checks a topic filter and takes it apart. The error is a fault.Invalid that says what is wrong. Whether the
// filter may be subscribed to at all is a question for ClassifyFilter, to which its Pattern goes.
func ParseFilter(s string, l Limits) (Filter, error) {
	f := Filter{Full: s, Pattern: s}
	if s == "" {
		return Filter{}, fault.New(fault.Invalid, "a topic filter needs at least one character") // [MQTT-4.7.3-1]
	}
	if err := checkText("topic filter", s); err != nil {
		return Filter{}, err
	}
	if tail, ok := strings.CutPrefix(s, sharePrefix); ok {
		f.Share, f.Pattern, _ = cutLevel(tail)
		if err := checkShare(f); err != nil {
			return Filter{}, err
		}
	}
	if err := checkWildcards(f.Pattern); err != nil {
		return Filter{}, err
	}
	if err := checkLimits("topic filter", f.Pattern, l); err != nil {
		return Filter{}, err
	}
	return f, nil
}

// Shared reports whether f is a shared subscription.
func (f Filter) Shared() bool { return f.Share != "" }

// HasWildcard reports whether f can match more than one name.
func (f Filter) HasWildcard() bool { return strings.ContainsAny(f.Pattern, "+#") }

// checkShare checks the two parts of $share/{ShareName}/{filter} [MQTT-4.8.2-1] [MQTT-4.8.2-2].
func checkShare(f Filter) error {
	if f.Share == "" || f.Pattern == "" {
		return fault.New(fault.Invalid, "shared filter %s lacks its group or its filter", quote(f.Full)).
			WithRemedy("write $share/{group}/{filter}")
	}
	if strings.ContainsAny(f.Share, "+#") {
		return fault.New(fault.Invalid, "shared filter %s has a wildcard in its group", quote(f.Full))
	}
	if n := utf8.RuneCountInString(f.Share); n > maxShareChars {
		return fault.New(fault.Invalid, "shared filter %s has a group of %d characters, %d are allowed", quote(f.Full), n, maxShareChars)
	}
	return nil
}

// checkWildcards wants # to be the last level [MQTT-4.7.1-1], and both wildcards to fill their level [MQTT-4.7.1-2].
func checkWildcards(pattern string) error {
	for rest, deeper := pattern, true; deeper; {
		var level string
		level, rest, deeper = cutLevel(rest)
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return fault.New(fault.Invalid, "topic filter %s: in level %s the wildcard does not stand alone", quote(pattern), quote(level))
		}
		if level == "#" && deeper {
			return fault.New(fault.Invalid, "topic filter %s: # must be the last level", quote(pattern))
		}
	}
	return nil
}

// quote makes foreign text fit for one line of a log: quoted, and cut where it is long.
func quote(s string) string {
	const longest = 80
	if len(s) <= longest {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:longest]) + "…"
}
