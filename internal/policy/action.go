package policy

import "strings"

// actionSet is a set of the actions that are asked for all the time, one bit each: a statement that is about none of the
// actions of a request is passed over with one machine instruction.
type actionSet uint32

// hotActions are the actions of message-broker traffic, folded; the bit of each is its place.
var hotActions = [...]string{
	"iot:connect", "iot:publish", "iot:receive", "iot:subscribe", "iot:retainpublish", "iot:getretainedmessage",
	"iot:listretainedmessages", "iot:getthingshadow", "iot:updatethingshadow", "iot:deletethingshadow",
}

// knownAction is the set of one action, empty if it is none of the hot ones. The switch takes the usual spelling only,
// which costs no folding; other spellings go the slow way and match all the same.
func knownAction(action string) actionSet {
	switch action {
	case "iot:Connect":
		return 1 << 0
	case "iot:Publish":
		return 1 << 1
	case "iot:Receive":
		return 1 << 2
	case "iot:Subscribe":
		return 1 << 3
	case "iot:RetainPublish":
		return 1 << 4
	case "iot:GetRetainedMessage":
		return 1 << 5
	case "iot:ListRetainedMessages":
		return 1 << 6
	case "iot:GetThingShadow":
		return 1 << 7
	case "iot:UpdateThingShadow":
		return 1 << 8
	case "iot:DeleteThingShadow":
		return 1 << 9
	}
	return 0
}

// actions is the Action or NotAction of a statement.
type actions struct {
	hot      actionSet
	patterns []pattern // folded
	texts    []string  // as written
	not      bool
}

// index computes hot once the patterns are there.
func (as *actions) index() {
	for i, name := range hotActions {
		if as.matchFolded(name) {
			as.hot |= 1 << i
		}
	}
}

func (as *actions) matchFolded(action string) bool {
	for i := range as.patterns {
		if as.patterns[i].match(action, nil) {
			return !as.not
		}
	}
	return as.not
}

// match reports whether the statement is about the action of a.
func (as *actions) match(a *asking) bool {
	if a.known != 0 {
		return as.hot&a.known != 0
	}
	return as.matchFolded(a.action)
}

// String is the element as a person would write it.
func (as *actions) String() string {
	s := strings.Join(as.texts, ", ")
	if as.not {
		return "everything but " + s
	}
	return s
}
