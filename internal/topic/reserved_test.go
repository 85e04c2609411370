package topic

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// classTable is section 7 of the reference, written out. ops: p publish, s subscribe, r direct.
var classTable = []struct {
	family Family
	ops    string
	names  string // separated by blanks
}{
	{FamilyNone, "ps", "a a/b / aws/things/T/shadow/get x/$aws sensor/$share"},
	{FamilyUnknown, "", "$ $a $aws $aws/ $AWS/things/T/shadow/get $SYS/broker $share/g/a $aws/things $aws/things/T $aws/nothing"},

	{FamilyShadow, "ps", "$aws/things/T/shadow/get $aws/things/T/shadow/update $aws/things/T/shadow/delete"},
	{FamilyShadow, "ps", "$aws/things/T/shadow/name/S/get $aws/things/T/shadow/name/S/update $aws/things/T/shadow/name/S/delete"},
	{FamilyShadow, "s", "$aws/things/T/shadow/get/accepted $aws/things/T/shadow/get/rejected $aws/things/T/shadow/update/accepted"},
	{FamilyShadow, "s", "$aws/things/T/shadow/update/rejected $aws/things/T/shadow/update/delta $aws/things/T/shadow/update/documents"},
	{FamilyShadow, "s", "$aws/things/T/shadow/delete/accepted $aws/things/T/shadow/delete/rejected"},
	{FamilyShadow, "s", "$aws/things/T/shadow/name/S/get/accepted $aws/things/T/shadow/name/S/update/delta $aws/things/T/shadow/name/S/update/documents"},
	{FamilyUnknown, "", "$aws/things//shadow/get $aws/things/T/shadow $aws/things/T/shadow/ $aws/things/T/shadow/put $aws/things/T/shadow/get/"},
	{FamilyUnknown, "", "$aws/things/T/shadow/get/delta $aws/things/T/shadow/Get $aws/things/T/shadow/name/S $aws/things/T/shadow/name//get"},

	{FamilyJobs, "p", "$aws/things/T/jobs/get $aws/things/T/jobs/start-next $aws/things/T/jobs/J/get $aws/things/T/jobs/$next/get $aws/things/T/jobs/J/update"},
	{FamilyJobs, "sr", "$aws/things/T/jobs/get/accepted $aws/things/T/jobs/get/rejected $aws/things/T/jobs/start-next/accepted"},
	{FamilyJobs, "sr", "$aws/things/T/jobs/$next/get/accepted $aws/things/T/jobs/J/get/rejected $aws/things/T/jobs/J/update/accepted"},
	{FamilyJobs, "s", "$aws/things/T/jobs/notify $aws/things/T/jobs/notify-next"},
	{FamilyUnknown, "", "$aws/things/T/jobs $aws/things/T/jobs/J $aws/things/T/jobs/J/delete $aws/things/T/jobs/notify/accepted"},

	{FamilyEvents, "s", "$aws/events/job/J/completed $aws/events/job/J/canceled $aws/events/job/J/deleted $aws/events/job/J/cancellation_in_progress $aws/events/job/J/deletion_in_progress"},
	{FamilyEvents, "s", "$aws/events/jobExecution/J/succeeded $aws/events/jobExecution/J/failed $aws/events/jobExecution/J/rejected $aws/events/jobExecution/J/canceled"},
	{FamilyEvents, "s", "$aws/events/jobExecution/J/timed_out $aws/events/jobExecution/J/removed $aws/events/jobExecution/J/deleted"},
	{FamilyEvents, "s", "$aws/events/thing/T/created $aws/events/thingGroup/G/updated $aws/events/thingType/TT/deleted"},
	{FamilyEvents, "s", "$aws/events/thingTypeAssociation/thing/T/thingType/TT/added $aws/events/thingTypeAssociation/thing/T/TT/removed"},
	{FamilyEvents, "s", "$aws/events/thingGroupMembership/thingGroup/G/thing/T/added $aws/events/thingGroupHierarchy/thingGroup/P/childThingGroup/C/removed"},
	{FamilyEvents, "s", "$aws/events/certificates/registered/abc"},
	{FamilyEvents, "s", "$aws/events/presence/connected/c $aws/events/presence/disconnected/c $aws/events/presence/connect_failed/c"},
	{FamilyEvents, "s", "$aws/events/subscriptions/subscribed/c $aws/events/subscriptions/unsubscribed/c"},
	{FamilyUnknown, "", "$aws/events $aws/events/thing/T/made $aws/events/presence/connected $aws/events/presence/gone/c $aws/events/job/J/created"},

	{FamilyProvisioning, "p", "$aws/certificates/create/json $aws/certificates/create/cbor $aws/certificates/create-from-csr/json $aws/provisioning-templates/N/provision/cbor"},
	{FamilyProvisioning, "sr", "$aws/certificates/create/json/accepted $aws/certificates/create-from-csr/cbor/rejected $aws/provisioning-templates/N/provision/json/accepted"},
	{FamilyUnknown, "", "$aws/certificates/create $aws/certificates/create/xml $aws/provisioning-templates/N/provision"},

	{FamilyRules, "p", "$aws/rules/R $aws/rules/R/ $aws/rules/R/a $aws/rules/R/a/b/c $aws/rules/R//"},
	{FamilyUnknown, "", "$aws/rules $aws/rules/ $aws/rules//a"},

	{FamilyDefender, "p", "$aws/things/T/defender/metrics/json $aws/things/T/defender/metrics/cbor"},
	{FamilyDefender, "s", "$aws/things/T/defender/metrics/json/accepted $aws/things/T/defender/metrics/cbor/rejected"},
	{FamilyStreams, "p", "$aws/things/T/streams/S/describe/json $aws/things/T/streams/S/get/cbor"},
	{FamilyStreams, "sr", "$aws/things/T/streams/S/description/json $aws/things/T/streams/S/data/cbor $aws/things/T/streams/S/rejected/json"},
	{FamilyTunnels, "s", "$aws/things/T/tunnels/notify"},

	{FamilyCommands, "s", "$aws/commands/things/T/executions/E/request $aws/commands/clients/C/executions/E/request/json"},
	{FamilyCommands, "p", "$aws/commands/things/T/executions/E/response/cbor"},
	{FamilyCommands, "sr", "$aws/commands/things/T/executions/E/response/accepted $aws/commands/clients/C/executions/E/response/rejected/json"},
	{FamilyUnknown, "", "$aws/commands/groups/G/executions/E/request $aws/commands/things/T/executions/E/response"},

	{FamilyLocation, "p", "$aws/device_location/D/get_position_estimate"},
	{FamilyLocation, "s", "$aws/device_location/D/get_position_estimate/accepted $aws/device_location/D/get_position_estimate/rejected"},
	{FamilySiteWise, "s", "$aws/sitewise/asset-models/M/assets/A/properties/P"},
}

func class(f Family, ops string) Class {
	return Class{
		Family: f, Publish: strings.Contains(ops, "p"), Subscribe: strings.Contains(ops, "s"), Direct: strings.Contains(ops, "r"),
	}
}

func TestClassify(t *testing.T) {
	for _, c := range classTable {
		for name := range strings.FieldsSeq(c.names) {
			if got, want := Classify(name), class(c.family, c.ops); got != want {
				t.Errorf("Classify(%q) = %v %+v, want %v %+v", name, got.Family, got, want.Family, want)
			}
		}
	}
}

// Every row of the table is met by at least one name of the test, so that no row goes untested.
func TestClassTableIsComplete(t *testing.T) {
	seen := make([]bool, len(reserved))
	for _, c := range classTable {
		for name := range strings.FieldsSeq(c.names) {
			for i := range reserved {
				if tail, ok := strings.CutPrefix(name, reservedPrefix); ok && reserved[i].meets(tail, false) {
					seen[i] = true
				}
			}
		}
	}
	for i, ok := range seen {
		if !ok {
			t.Errorf("row %d (%v %v) has no example", i, reserved[i].class.Family, reserved[i].levels)
		}
	}
}

func TestClassifyFilter(t *testing.T) {
	for _, c := range []struct {
		family   Family
		ops      string
		patterns string
	}{
		{FamilyNone, "ps", "a a/# # + +/things/T/shadow/get"},
		{FamilyUnknown, "", "$# $SYS/# $other/+ $share/g/a $aws $aws/nothing/# $aws/things/T/shadow/+/+/+/+/+ $aws/things/+/shadow/get/delta"},
		{FamilyShadow, "s", "$aws/things/+/shadow/# $aws/things/T/shadow/get $aws/things/T/shadow/+ $aws/things/T/shadow/name/+/update/+"},
		{FamilyShadow, "s", "$aws/+/T/shadow/+ $aws/things/T/shadow/update/#"},
		{FamilyShadow, "sr", "$aws/# $aws/+/# $aws/things/# $aws/things/+/#"}, // reaches several; the first gives its name
		{FamilyShadow, "sr", "$aws/+/+/shadow/#"},                             // a command to a thing named shadow
		{FamilyJobs, "sr", "$aws/things/T/jobs/# $aws/things/T/jobs/+/+ $aws/things/T/jobs/$next/get/accepted $aws/things/T/jobs/+/get/+"},
		{FamilyJobs, "s", "$aws/things/T/jobs/notify $aws/things/+/jobs/notify-next $aws/things/T/jobs/+"},
		{FamilyJobs, "", "$aws/things/T/jobs/get $aws/things/T/jobs/J/update"},
		{FamilyEvents, "s", "$aws/events/# $aws/events/presence/# $aws/events/presence/+/+ $aws/events/thing/+/created"},
		{FamilyUnknown, "", "$aws/events/presence/#/x $aws/events/presence/connected"},
		{FamilyProvisioning, "sr", "$aws/certificates/# $aws/certificates/create/+/accepted $aws/provisioning-templates/N/provision/json/+"},
		{FamilyProvisioning, "", "$aws/certificates/create/json $aws/certificates/create/+"},
		{FamilyRules, "", "$aws/rules/# $aws/rules/+ $aws/rules/R $aws/rules/R/# $aws/rules/R/a/+/b"},
		{FamilyDefender, "s", "$aws/things/T/defender/#"},
		{FamilyDefender, "", "$aws/things/T/defender/metrics/json"},
		{FamilyStreams, "sr", "$aws/things/T/streams/# $aws/things/T/streams/S/data/json"},
		{FamilyTunnels, "s", "$aws/things/T/tunnels/notify $aws/things/+/tunnels/#"},
		{FamilyCommands, "s", "$aws/commands/things/+/executions/+/request"},
		{FamilyCommands, "sr", "$aws/commands/# $aws/commands/things/T/executions/+/response/#"},
		{FamilyLocation, "s", "$aws/device_location/D/get_position_estimate/#"},
		{FamilySiteWise, "s", "$aws/sitewise/#"},
	} {
		for pattern := range strings.FieldsSeq(c.patterns) {
			if got, want := ClassifyFilter(pattern), class(c.family, c.ops); got != want {
				t.Errorf("ClassifyFilter(%q) = %v %+v, want %v %+v", pattern, got.Family, got, want.Family, want)
			}
		}
	}
}

// A filter that matches a topic that may be subscribed to, may be subscribed to itself, whatever its wildcards.
func TestClassifyFilterCoversClassify(t *testing.T) {
	var names []string
	for _, c := range classTable {
		names = append(names, strings.Fields(c.names)...)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "name")
		pattern := rapid.Custom(func(t *rapid.T) string { return blur(t, name) }).Draw(t, "pattern")
		of, by := Classify(name), ClassifyFilter(pattern)
		if Match(pattern, name) && (of.Subscribe && !by.Subscribe || of.Direct && !by.Direct) {
			t.Fatalf("%q matches %q, but is %+v", pattern, name, by)
		}
	})
}

// blur makes a filter that matches name: some levels become +, the last ones perhaps #.
func blur(t *rapid.T, name string) string {
	levels := strings.Split(name, "/")
	keep := rapid.IntRange(1, len(levels)).Draw(t, "keep")
	for i := range levels[1:keep] {
		if rapid.Bool().Draw(t, "wild") {
			levels[1+i] = "+"
		}
	}
	if keep < len(levels) {
		levels = append(levels[:keep], "#")
	}
	return strings.Join(levels, "/")
}

func TestFamilyString(t *testing.T) {
	for f := FamilyNone; f <= FamilySiteWise; f++ {
		if strings.Contains(f.String(), "?") {
			t.Errorf("family %d has no name", f)
		}
	}
	if got := Family(200).String(); got != "family?" {
		t.Errorf("Family(200) is %q", got)
	}
}

func TestClassifyDoesNotAllocate(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		Classify("$aws/sitewise/asset-models/M/assets/A/properties/P")
		ClassifyFilter("$aws/things/+/shadow/#")
	})
	if got != 0 {
		t.Errorf("classification allocates %v times", got)
	}
}

func BenchmarkClassify(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Classify("$aws/things/sensor-000017/shadow/update")
		Classify("$aws/rules/store/sensor/000017")
	}
}
