package policy

import (
	"strings"
	"time"
)

// Request is one question: may this caller do Action on Resource?
type Request struct {
	// Action is spelled as AWS spells it, "iot:Publish".
	Action string
	// Resource is the full ARN, "arn:aws:iot:us-east-1:000000000000:topic/a/b", or "*" for actions without a resource.
	Resource string
	// Vars answers for the caller: policy variables and condition keys that stay the same for a connection. May be nil.
	Vars Vars
	// By is who asks, for trust policies; identity policies do not look at it. Only a root without a name of its own has no
	// ARNs. May be nil.
	By *Principal
	// Keys are the condition keys of this request alone, "iot:ConnectAttributes", in any case. A key that is present with
	// no values is an empty set, which is not the same as an absent key. They go before Vars.
	Keys map[string][]string
	// Now is the time of the request; aws:CurrentTime and aws:EpochTime come from it. A decision that needs it and finds
	// it zero is a refusal (Decision.NeedsTime).
	Now time.Time
}

// key is what Keys holds under the folded name. A map of a few entries is searched faster than its keys are folded.
func (r *Request) key(name string) (Value, bool) {
	for k, v := range r.Keys {
		if strings.EqualFold(k, name) {
			return valueOf(v), true
		}
	}
	return Value{}, false
}

// Vars answers what a policy variable or a condition key holds for one caller. An implementation must be safe for
// concurrent use and must answer the same for as long as decisions made with it are cached.
type Vars interface {
	// Value is what name holds; ok is false when it has no value. The engine asks with names folded by Fold.
	Value(name string) (v Value, ok bool)
}

// Value is what a variable or key holds: one string, or a set of them (which may be empty).
type Value struct {
	one  string
	many []string
	set  bool
}

// One is a Value of a single string.
func One(s string) Value { return Value{one: s} }

// Many is a Value that is a set of strings. It keeps the slice; the caller must not write to it afterwards.
func Many(s []string) Value { return Value{many: s, set: true} }

func valueOf(s []string) Value {
	if len(s) == 1 {
		return One(s[0])
	}
	return Many(s)
}

// Len is the number of strings.
func (v Value) Len() int {
	if v.set {
		return len(v.many)
	}
	return 1
}

// At is the i-th string.
func (v Value) At(i int) string {
	if v.set {
		return v.many[i]
	}
	return v.one
}

// empty reports whether v counts as an empty set for ForAllValues and ForAnyValue: no strings, or a single empty one
// (IAM, "Creating a condition that tests multiple key values", note).
func (v Value) empty() bool { return v.Len() == 0 || v.Len() == 1 && v.At(0) == "" }

// Values is a Vars made from a map, for callers that have few variables. The keys must be folded by Fold.
type Values map[string][]string

var _ Vars = Values(nil)

// Value implements Vars.
func (m Values) Value(name string) (Value, bool) {
	if len(m) == 0 {
		return Value{}, false
	}
	v, ok := m[Fold(name)]
	return valueOf(v), ok
}

// Fold is the form in which names of variables and condition keys are compared: lower case, except what stands in
// square brackets, because attribute names of things keep their case ("Key names are case-insensitive", IAM policy
// elements: Variables and tags).
func Fold(name string) string {
	head, rest := name, ""
	if i := strings.IndexByte(name, '['); i >= 0 {
		head, rest = name[:i], name[i:]
	}
	lower := strings.ToLower(head)
	if lower == head {
		return name
	}
	return lower + rest
}
