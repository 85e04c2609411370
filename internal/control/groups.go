package control

import (
	"context"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

type groupProperties struct {
	ThingGroupDescription *string           `json:"thingGroupDescription"`
	AttributePayload      *attributePayload `json:"attributePayload"`
}

func createThingGroup(c *call) (any, error) {
	var in struct {
		ParentGroupName      string          `json:"parentGroupName"`
		ThingGroupProperties groupProperties `json:"thingGroupProperties"`
		Tags                 []registry.Tag  `json:"tags"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	spec := registry.ThingGroupSpec{Name: c.labels["thingGroupName"], Parent: in.ParentGroupName, Tags: in.Tags}
	if d := in.ThingGroupProperties.ThingGroupDescription; d != nil {
		spec.Description = *d
	}
	if a := in.ThingGroupProperties.AttributePayload; a != nil {
		spec.Attributes = a.Attributes
	}
	g, err := c.registry().CreateThingGroup(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	return struct {
		ThingGroupName string `json:"thingGroupName"`
		ThingGroupArn  string `json:"thingGroupArn"`
		ThingGroupID   string `json:"thingGroupId"`
	}{g.Name, c.arn("thinggroup", g.Name), g.ID}, nil
}

type groupNameAndArn struct {
	GroupName string `json:"groupName"`
	GroupArn  string `json:"groupArn"`
}

type groupAnswer struct {
	ThingGroupName       string `json:"thingGroupName"`
	ThingGroupID         string `json:"thingGroupId"`
	ThingGroupArn        string `json:"thingGroupArn"`
	Version              int64  `json:"version"`
	ThingGroupProperties struct {
		ThingGroupDescription string `json:"thingGroupDescription,omitempty"`
		AttributePayload      struct {
			Attributes map[string]string `json:"attributes"`
		} `json:"attributePayload"`
	} `json:"thingGroupProperties"`
	ThingGroupMetadata struct {
		ParentGroupName         string            `json:"parentGroupName,omitempty"`
		RootToParentThingGroups []groupNameAndArn `json:"rootToParentThingGroups"`
		CreationDate            epoch             `json:"creationDate"`
	} `json:"thingGroupMetadata"`
}

func describeThingGroup(c *call) (any, error) {
	g, err := c.registry().DescribeThingGroup(c.Context(), c.labels["thingGroupName"])
	if err != nil {
		return nil, err
	}
	out := groupAnswer{ThingGroupName: g.Name, ThingGroupID: g.ID, ThingGroupArn: c.arn("thinggroup", g.Name), Version: g.Version}
	out.ThingGroupProperties.ThingGroupDescription = g.Description
	out.ThingGroupProperties.AttributePayload.Attributes = notNil(g.Attributes)
	out.ThingGroupMetadata.ParentGroupName = g.Parent()
	out.ThingGroupMetadata.RootToParentThingGroups = c.groupRefs(g.Ancestors)
	out.ThingGroupMetadata.CreationDate = epoch(g.Created)
	return out, nil
}

func (c *call) groupRefs(names []string) []groupNameAndArn {
	refs := make([]groupNameAndArn, 0, len(names))
	for _, n := range names {
		refs = append(refs, c.groupRef(n))
	}
	return refs
}

func (c *call) groupRef(name string) groupNameAndArn {
	return groupNameAndArn{name, c.arn("thinggroup", name)}
}

func updateThingGroup(c *call) (any, error) {
	var in struct {
		ThingGroupProperties *groupProperties `json:"thingGroupProperties"`
		ExpectedVersion      *int64           `json:"expectedVersion"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.ThingGroupProperties == nil {
		return nil, fault.New(fault.Invalid, "thingGroupProperties is missing")
	}
	u := registry.ThingGroupUpdate{Description: in.ThingGroupProperties.ThingGroupDescription, ExpectedVersion: in.ExpectedVersion}
	if a := in.ThingGroupProperties.AttributePayload; a != nil {
		u.Attributes, u.Replace = a.Attributes, !a.Merge
	}
	version, err := c.registry().UpdateThingGroup(c.Context(), c.labels["thingGroupName"], u)
	if err != nil {
		return nil, err
	}
	return struct {
		Version int64 `json:"version"`
	}{version}, nil
}

func deleteThingGroup(c *call) (any, error) {
	expected, err := c.number("expectedVersion")
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DeleteThingGroup(c.Context(), c.labels["thingGroupName"], expected)
}

func listThingGroups(c *call) (any, error) {
	recursive, err := c.boolean("recursive")
	if err != nil {
		return nil, err
	}
	chosen := registry.ThingGroupFilter{
		Parent: c.query.Get("parentGroup"), NamePrefix: c.query.Get("namePrefixFilter"), Recursive: recursive,
	}
	return list(c, byToken, "thingGroups", func(ctx context.Context, p registry.Page) ([]registry.ThingGroup, string, error) {
		return c.registry().ListThingGroups(ctx, chosen, p)
	}, func(g *registry.ThingGroup) groupNameAndArn { return c.groupRef(g.Name) })
}

func listThingGroupsForThing(c *call) (any, error) {
	return list(c, byToken, "thingGroups", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListThingGroupsForThing(ctx, c.labels["thingName"], p)
	}, func(name *string) groupNameAndArn { return c.groupRef(*name) })
}

func listThingsInThingGroup(c *call) (any, error) {
	recursive, err := c.boolean("recursive")
	if err != nil {
		return nil, err
	}
	return list(c, byToken, "things", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListThingsInThingGroup(ctx, c.labels["thingGroupName"], recursive, p)
	}, itself)
}

// membership names a group and a thing, each by its name or its ARN. overrideDynamicGroups says what to do when a thing
// is in too many dynamic groups; there are none, so either value is right.
type membership struct {
	ThingGroupName string `json:"thingGroupName"`
	ThingGroupArn  string `json:"thingGroupArn"`
	ThingName      string `json:"thingName"`
	ThingArn       string `json:"thingArn"`
}

func addThingToThingGroup(c *call) (any, error) {
	group, thing, err := c.membership()
	if err != nil {
		return nil, err
	}
	return nil, c.registry().AddThingToThingGroup(c.Context(), group, thing)
}

func removeThingFromThingGroup(c *call) (any, error) {
	group, thing, err := c.membership()
	if err != nil {
		return nil, err
	}
	return nil, c.registry().RemoveThingFromThingGroup(c.Context(), group, thing)
}

type regrouping struct {
	ThingName           string   `json:"thingName"`
	ThingGroupsToAdd    []string `json:"thingGroupsToAdd"`
	ThingGroupsToRemove []string `json:"thingGroupsToRemove"`
}

func (c *call) regrouping() (in regrouping, err error) {
	err = c.read(&in)
	return in, err
}

func updateThingGroupsForThing(c *call) (any, error) {
	in, err := c.regrouping()
	if err != nil {
		return nil, err
	}
	return nil, c.registry().UpdateThingGroupsForThing(c.Context(), in.ThingName, in.ThingGroupsToAdd, in.ThingGroupsToRemove)
}

func (c *call) membership() (group, thing string, err error) {
	var in membership
	if err := c.read(&in); err != nil {
		return "", "", err
	}
	if group, err = c.named("thinggroup", in.ThingGroupName, in.ThingGroupArn); err != nil {
		return "", "", err
	}
	thing, err = c.named("thing", in.ThingName, in.ThingArn)
	return group, thing, err
}

// named is what is given by name, by ARN, or by both alike.
func (c *call) named(kind, name, arn string) (string, error) {
	if arn == "" {
		if name == "" {
			return "", fault.New(fault.Invalid, "neither the name nor the ARN of the %s is given", kind)
		}
		return name, nil
	}
	other, ok := strings.CutPrefix(arn, c.arn(kind, ""))
	if !ok {
		return "", fault.New(fault.Invalid, "%q is not the ARN of a %s here", fault.Shortened(arn), kind).WithRemedy("it looks like %s", c.arn(kind, "<name>"))
	}
	if name != "" && name != other {
		return "", fault.New(fault.Invalid, "the name and the ARN of the %s are not the same", kind)
	}
	return other, nil
}
