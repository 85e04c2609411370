package topic

import "strings"

// reserved is the table of reserved topics, in the order of the AWS IoT Core Developer Guide ("Reserved topics"). The
// second column says what clients may do: p publish, s subscribe, r get it sent directly. The third is the topic without
// $aws/; {} is one level of any text but the empty one, a|b one of these, and # at the end whatever follows.
var reserved = compile([]line{
	{FamilyShadow, "ps", "things/{}/shadow/get|update|delete"},
	{FamilyShadow, "s", "things/{}/shadow/get|update|delete/accepted|rejected"},
	{FamilyShadow, "s", "things/{}/shadow/update/delta|documents"},
	{FamilyShadow, "ps", "things/{}/shadow/name/{}/get|update|delete"},
	{FamilyShadow, "s", "things/{}/shadow/name/{}/get|update|delete/accepted|rejected"},
	{FamilyShadow, "s", "things/{}/shadow/name/{}/update/delta|documents"},

	{FamilyJobs, "p", "things/{}/jobs/get|start-next"},
	{FamilyJobs, "p", "things/{}/jobs/{}/get|update"}, // {jobId}, or $next for get
	{FamilyJobs, "sr", "things/{}/jobs/get|start-next/accepted|rejected"},
	{FamilyJobs, "sr", "things/{}/jobs/{}/get|update/accepted|rejected"},
	{FamilyJobs, "s", "things/{}/jobs/notify|notify-next"},

	{FamilyEvents, "s", "events/job/{}/completed|canceled|deleted|cancellation_in_progress|deletion_in_progress"},
	{FamilyEvents, "s", "events/jobExecution/{}/succeeded|failed|rejected|canceled|timed_out|removed|deleted"},
	{FamilyEvents, "s", "events/thing|thingGroup|thingType/{}/created|updated|deleted"},
	{FamilyEvents, "s", "events/thingTypeAssociation/thing/{}/thingType/{}/added|removed"},
	{FamilyEvents, "s", "events/thingTypeAssociation/thing/{}/{}/added|removed"}, // as one page of the guide has it
	{FamilyEvents, "s", "events/thingGroupMembership/thingGroup/{}/thing/{}/added|removed"},
	{FamilyEvents, "s", "events/thingGroupHierarchy/thingGroup/{}/childThingGroup/{}/added|removed"},
	{FamilyEvents, "s", "events/certificates/registered/{}"},
	{FamilyEvents, "s", "events/presence/connected|disconnected|connect_failed/{}"},
	{FamilyEvents, "s", "events/subscriptions/subscribed|unsubscribed/{}"},

	{FamilyProvisioning, "p", "certificates/create|create-from-csr/json|cbor"},
	{FamilyProvisioning, "sr", "certificates/create|create-from-csr/json|cbor/accepted|rejected"},
	{FamilyProvisioning, "p", "provisioning-templates/{}/provision/json|cbor"},
	{FamilyProvisioning, "sr", "provisioning-templates/{}/provision/json|cbor/accepted|rejected"},

	{FamilyRules, "p", "rules/{}"},
	{FamilyRules, "p", "rules/{}/#"},

	{FamilyDefender, "p", "things/{}/defender/metrics/json|cbor"},
	{FamilyDefender, "s", "things/{}/defender/metrics/json|cbor/accepted|rejected"},

	{FamilyStreams, "p", "things/{}/streams/{}/describe|get/json|cbor"},
	{FamilyStreams, "sr", "things/{}/streams/{}/description|data|rejected/json|cbor"},

	{FamilyTunnels, "s", "things/{}/tunnels/notify"},

	{FamilyCommands, "s", "commands/things|clients/{}/executions/{}/request"},
	{FamilyCommands, "s", "commands/things|clients/{}/executions/{}/request/json|cbor"},
	{FamilyCommands, "p", "commands/things|clients/{}/executions/{}/response/json|cbor"},
	{FamilyCommands, "sr", "commands/things|clients/{}/executions/{}/response/accepted|rejected"},
	{FamilyCommands, "sr", "commands/things|clients/{}/executions/{}/response/accepted|rejected/json|cbor"},

	{FamilyLocation, "p", "device_location/{}/get_position_estimate"},
	{FamilyLocation, "s", "device_location/{}/get_position_estimate/accepted|rejected"},

	{FamilySiteWise, "s", "sitewise/asset-models/{}/assets/{}/properties/{}"},
})

// line is one line of the table as it is written.
type line struct {
	family Family
	ops    string
	levels string
}

func compile(lines []line) []row {
	rows := make([]row, len(lines))
	for i, l := range lines {
		text, rest := strings.CutSuffix(l.levels, "/#")
		rows[i] = row{rest: rest, class: Class{
			Family:    l.family,
			Publish:   strings.Contains(l.ops, "p"),
			Subscribe: strings.Contains(l.ops, "s"),
			Direct:    strings.Contains(l.ops, "r"),
		}}
		for level := range strings.SplitSeq(text, "/") {
			rows[i].levels = append(rows[i].levels, compileLevel(level))
		}
	}
	return rows
}

func compileLevel(level string) words {
	if level == "{}" {
		return nil
	}
	return strings.Split(level, "|")
}
