package topic

import "testing"

// matchTable is what one filter matches, by AWS's rules. The tree is held to the same table.
var matchTable = []struct {
	pattern, name string
	want          bool
}{
	{"a", "a", true},
	{"a", "A", false},
	{"a", "b", false},
	{"a", "ab", false},
	{"ab", "a", false},
	{"a", "a/", false},
	{"a/", "a", false},
	{"a/", "a/", true},
	{"/a", "/a", true},
	{"/a", "a", false},
	{"a//b", "a//b", true},
	{"a//b", "a/b", false},

	// + is one level, also an empty one.
	{"+", "a", true},
	{"+", "a/b", false},
	{"+", "/a", false},
	{"+/+", "/a", true},
	{"/+", "/a", true},
	{"a/+", "a", false},
	{"a/+", "a/", true},
	{"a/+", "a/b", true},
	{"a/+", "a/b/c", false},
	{"a/+/c", "a/b/c", true},
	{"a/+/c", "a//c", true},
	{"a/+/c", "a/c", false},
	{"+/b/+", "a/b/c", true},
	{"device/+/details", "device/d1/details", true}, // client code depends on these three: message-broker 18.3
	{"device/+/details", "device/details", false},
	{"device/+/details", "device/a/b/details", false},

	// # is one level or more: AWS's deviation from section 4.7.1.2 of MQTT.
	{"#", "a", true},
	{"#", "a/b/c", true},
	{"#", "/", true},
	{"a/#", "a", false},
	{"a/#", "a/", true},
	{"a/#", "a/b", true},
	{"a/#", "a/b/c", true},
	{"a/#", "ab/c", false},
	{"sensor/#", "sensor/", true},
	{"sensor/#", "sensor", false},
	{"+/#", "a", false},
	{"+/#", "a/", true},
	{"a/+/#", "a/b", false},
	{"a/+/#", "a/b/", true},
	{"a/b/#", "a/c/d", false},

	// What begins with a wildcard does not see what belongs to the server [MQTT-4.7.2-1].
	{"#", "$aws/x", false},
	{"+/x", "$aws/x", false},
	{"+/#", "$aws/x", false},
	{"+", "$", false},
	{"$aws/#", "$aws/x", true},
	{"$aws/+", "$aws/x", true},
	{"a/+", "a/$x", true},
	{"a/#", "a/$x", true},
	{"$aws/things/+/shadow/#", "$aws/things/T/shadow/update/delta", true},
	{"$aws/things/+/shadow/#", "$aws/things/T/jobs/get", false},
	{"$aws/events/#", "$aws/events/presence/connected/c1", true},

	{"ä/+/ü", "ä/ö/ü", true},
}

func TestMatch(t *testing.T) {
	for _, c := range matchTable {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	got := testing.AllocsPerRun(100, func() { Match("$aws/things/+/shadow/#", "$aws/things/T/shadow/update/delta") })
	if got != 0 {
		t.Errorf("Match allocates %v times", got)
	}
}
