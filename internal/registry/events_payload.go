package registry

// The payloads of the registry's events, their members in the order of the examples (AWS IoT developer guide, "Registry
// events"). Times are milliseconds since 1970. What a resource does not have is null where the guide says so, else empty.

type eventHead struct {
	EventType string `json:"eventType"`
	EventID   string `json:"eventId"` // a UUID, another one for each event
	Timestamp int64  `json:"timestamp"`
	Operation string `json:"operation"`
	AccountID string `json:"accountId"`
}

type thingEvent struct {
	eventHead
	ThingID    string            `json:"thingId"`
	ThingName  string            `json:"thingName"`
	Version    int64             `json:"versionNumber"` // of a deleted thing, the one that it had
	TypeName   *string           `json:"thingTypeName"`
	Attributes map[string]string `json:"attributes"`
}

type thingTypeEvent struct {
	eventHead
	TypeID          string   `json:"thingTypeId"`
	TypeName        string   `json:"thingTypeName"`
	IsDeprecated    bool     `json:"isDeprecated"`
	DeprecationDate *int64   `json:"deprecationDate"`
	Searchable      []string `json:"searchableAttributes"`
	Description     string   `json:"description"`
}

// associationEvent has no account, and an order of its own.
type associationEvent struct {
	EventID   string `json:"eventId"`
	EventType string `json:"eventType"`
	Operation string `json:"operation"`
	ThingID   string `json:"thingId"`
	ThingName string `json:"thingName"`
	TypeName  string `json:"thingTypeName"`
	Timestamp int64  `json:"timestamp"`
}

type groupEvent struct {
	eventHead
	GroupID        string            `json:"thingGroupId"`
	GroupName      string            `json:"thingGroupName"`
	Version        int64             `json:"versionNumber"`
	ParentName     *string           `json:"parentGroupName"`
	ParentID       *string           `json:"parentGroupId"`
	Description    string            `json:"description"`
	Above          []groupAbove      `json:"rootToParentThingGroups"`
	Attributes     map[string]string `json:"attributes"`
	DynamicMapping *string           `json:"dynamicGroupMappingId"` // always null: groups are static here
}

type groupAbove struct {
	ARN string `json:"groupArn"`
	ID  string `json:"groupId"`
}

type hierarchyEvent struct {
	eventHead
	GroupID   string `json:"thingGroupId"`
	GroupName string `json:"thingGroupName"`
	ChildID   string `json:"childGroupId"`
	ChildName string `json:"childGroupName"`
}

type membershipEvent struct {
	eventHead
	GroupARN     string `json:"groupArn"`
	GroupID      string `json:"groupId"`
	ThingARN     string `json:"thingArn"`
	ThingID      string `json:"thingId"`
	MembershipID string `json:"membershipId"`
}
