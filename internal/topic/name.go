package topic

import (
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// Limits bounds names and filters. On AWS these are 256 bytes and 7 slashes ("Topic size" and "Maximum number of slashes
// in topic and topic filter" in the AWS IoT Core quotas). Neither the Basic Ingest prefix $aws/rules/<name>/ nor
// $share/<group>/ counts. A field that is zero sets no bound.
type Limits struct{ Bytes, Slashes int }

// rulesPrefix begins the names of Basic Ingest.
const rulesPrefix = "$aws/rules/"

// maxRuleBytes is the longest name of a rule. The prefix of Basic Ingest does not count towards Limits, so that it needs
// a bound of its own.
const maxRuleBytes = 128

// CheckName checks a topic name to publish to: not empty, no wildcard, valid UTF-8 without U+0000, within l. The error is
// a fault.Invalid that says what is wrong. Whether the name is reserved is a question for Classify.
func CheckName(name string, l Limits) error {
	if name == "" {
		return fault.New(fault.Invalid, "a topic name needs at least one character") // [MQTT-4.7.3-1]
	}
	if i := strings.IndexAny(name, "+#"); i >= 0 { // [MQTT-3.3.2-2]
		return fault.New(fault.Invalid, "topic name %s contains the wildcard %c", quote(name), name[i]).
			WithRemedy("wildcards are for filters; publish to a name without + and #")
	}
	if err := checkText("topic name", name); err != nil {
		return err
	}
	return checkLimits("topic name", name, l)
}

// BasicIngest takes apart a Basic Ingest name: $aws/rules/<rule>/<rest>. The message goes to that one rule and to nobody
// else; rest is the topic that the rule sees, empty for $aws/rules/<rule>. ok is false for any other name.
func BasicIngest(name string) (rule, rest string, ok bool) {
	tail, ok := strings.CutPrefix(name, rulesPrefix)
	if !ok {
		return "", "", false
	}
	rule, rest, _ = cutLevel(tail)
	if rule == "" {
		return "", "", false
	}
	return rule, rest, true
}

// checkText refuses what no UTF-8 string of MQTT may hold [MQTT-1.5.4-1] [MQTT-1.5.4-2] and topics neither
// [MQTT-4.7.3-2].
func checkText(what, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.Invalid, "%s %s contains U+0000", what, quote(s))
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Invalid, "%s %s is not valid UTF-8", what, quote(s))
	}
	return nil
}

// checkLimits checks size and depth of a name, or of a pattern without its $share/group/.
func checkLimits(what, s string, l Limits) error {
	counted := s
	if rule, rest, ok := BasicIngest(s); ok {
		if len(rule) > maxRuleBytes {
			return fault.New(fault.Invalid, "%s %s: the rule's name has %d bytes, %d are allowed", what, quote(s), len(rule), maxRuleBytes)
		}
		counted = rest
	}
	if l.Bytes > 0 && len(counted) > l.Bytes {
		return fault.New(fault.Invalid, "%s %s has %d bytes, %d are allowed", what, quote(s), len(counted), l.Bytes)
	}
	if slashes := strings.Count(counted, "/"); l.Slashes > 0 && slashes > l.Slashes {
		return fault.New(fault.Invalid, "%s %s has %d slashes, %d are allowed", what, quote(s), slashes, l.Slashes)
	}
	return nil
}
