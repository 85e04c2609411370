package policy

import (
	"math/bits"
	"strings"
	"testing"
)

// TestKnownAction: the switch and the list must agree, else a statement about one action would allow another.
func TestKnownAction(t *testing.T) {
	spelled := []string{
		"iot:Connect", "iot:Publish", "iot:Receive", "iot:Subscribe", "iot:RetainPublish", "iot:GetRetainedMessage",
		"iot:ListRetainedMessages", "iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow",
	}
	if len(spelled) != len(hotActions) {
		t.Fatalf("%d names, %d hot actions", len(spelled), len(hotActions))
	}
	for _, name := range spelled {
		set := knownAction(name)
		if bits.OnesCount32(uint32(set)) != 1 {
			t.Fatalf("%s is the set %b", name, set)
		}
		if got := hotActions[bits.TrailingZeros32(uint32(set))]; got != strings.ToLower(name) {
			t.Errorf("%s has the bit of %s", name, got)
		}
	}
	for _, name := range []string{"", "iot:connect", "iot:Connects", "iot:CreateThing"} {
		if set := knownAction(name); set != 0 {
			t.Errorf("%q is the set %b", name, set)
		}
	}
}

// TestOtherSpellings: the slow way decides as the fast one does.
func TestOtherSpellings(t *testing.T) {
	s := setOf(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:PUB*","Resource":"*"},
		{"Effect":"Deny","NotAction":["iot:publish","iot:Receive"],"Resource":"*"}]}`)
	for action, want := range map[string]bool{
		"iot:Publish": true, "IOT:publish": true, "iot:Receive": false, "iot:Connect": false, "iot:connect": false,
	} {
		if got := s.Decide(&Request{Action: action, Resource: "*"}).Allowed; got != want {
			t.Errorf("%s: %v, want %v", action, got, want)
		}
	}
}
