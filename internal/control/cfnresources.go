package control

import (
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
)

func describeStackEvents(c *queryCall) (any, error) {
	st, events, err := c.stacks().Events(c.Context(), c.stack)
	if err != nil {
		return nil, err
	}
	page, next, err := cutTokens(c, events, func(e cloudformation.Event) string { return e.ID })
	if err != nil {
		return nil, err
	}
	type event struct {
		StackID              string `xml:"StackId"`
		EventID              string `xml:"EventId"`
		StackName            string
		LogicalResourceID    string `xml:"LogicalResourceId"`
		PhysicalResourceID   string `xml:"PhysicalResourceId"`
		ResourceType         string
		Timestamp            time.Time
		ResourceStatus       cloudformation.Status
		ResourceStatusReason string `xml:",omitempty"`
		ResourceProperties   string `xml:",omitempty"`
		ClientRequestToken   string `xml:",omitempty"`
	}
	out := struct {
		StackEvents xmlList[event]
		NextToken   string `xml:",omitempty"`
	}{NextToken: next}
	for _, e := range page {
		out.StackEvents.Members = append(out.StackEvents.Members, event{
			st.ID, e.ID, st.Name, e.LogicalID, e.PhysicalID, e.Type, e.At, e.Status, e.Reason, e.Properties, e.Token,
		})
	}
	return out, nil
}

// resourceDrift says that nobody looks for drift.
type resourceDrift struct{ StackResourceDriftStatus string }

var noResourceDrift = resourceDrift{"NOT_CHECKED"}

type resourceMember struct {
	StackName            string `xml:",omitempty"`
	StackID              string `xml:"StackId,omitempty"`
	LogicalResourceID    string `xml:"LogicalResourceId"`
	PhysicalResourceID   string `xml:"PhysicalResourceId,omitempty"`
	ResourceType         string
	Timestamp            *time.Time `xml:",omitempty"`
	LastUpdatedTimestamp *time.Time `xml:",omitempty"`
	ResourceStatus       cloudformation.Status
	ResourceStatusReason string `xml:",omitempty"`
	DriftInformation     resourceDrift
}

func resourceOf(r *cloudformation.Resource) resourceMember {
	return resourceMember{
		LogicalResourceID: r.LogicalID, PhysicalResourceID: r.PhysicalID, ResourceType: r.Type, ResourceStatus: r.Status,
		ResourceStatusReason: r.Reason, DriftInformation: noResourceDrift,
	}
}

// describeStackResources finds resources by their stack, or the stack of a resource by its physical id.
func describeStackResources(c *queryCall) (any, error) {
	logical, onlyOne := c.form.optional("LogicalResourceId")
	physical, byPhysical := c.form.optional("PhysicalResourceId")
	if (c.stack == "") == !byPhysical {
		return nil, invalid("You must specify either StackName or PhysicalResourceId, but not both.")
	}
	st, err := c.stackWith(physical)
	if err != nil {
		return nil, err
	}
	out := struct{ StackResources xmlList[resourceMember] }{}
	for i := range st.Resources {
		r := &st.Resources[i]
		if onlyOne && r.LogicalID != logical {
			continue
		}
		m := resourceOf(r)
		m.StackName, m.StackID, m.Timestamp = st.Name, st.ID, &r.Updated
		out.StackResources.Members = append(out.StackResources.Members, m)
	}
	return out, nil
}

// stackWith is the stack that the call names, or else the one that has a resource.
func (c *queryCall) stackWith(physicalID string) (*cloudformation.Stack, error) {
	if c.stack != "" {
		return c.stacks().Find(c.Context(), c.stack)
	}
	all, err := c.stacks().List(c.Context(), false)
	if err != nil {
		return nil, err
	}
	for _, st := range all {
		if slices.ContainsFunc(st.Resources, func(r cloudformation.Resource) bool { return r.PhysicalID == physicalID }) {
			return st, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, cloudformation.ErrValidation, "Stack for %s does not exist", fault.Shortened(physicalID))
}

func describeStackResource(c *queryCall) (any, error) {
	logical, err := c.form.required("LogicalResourceId", 255)
	if err != nil {
		return nil, err
	}
	st, err := c.stacks().Find(c.Context(), c.stack)
	if err != nil {
		return nil, err
	}
	for i := range st.Resources {
		if r := &st.Resources[i]; r.LogicalID == logical {
			m := resourceOf(r)
			m.StackName, m.StackID, m.LastUpdatedTimestamp = st.Name, st.ID, &r.Updated
			return struct{ StackResourceDetail resourceMember }{m}, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, cloudformation.ErrValidation, "Resource %s does not exist for stack %s", fault.Shortened(logical), st.Name)
}

func listStackResources(c *queryCall) (any, error) {
	st, err := c.stacks().Find(c.Context(), c.stack)
	if err != nil {
		return nil, err
	}
	page, next, err := cutTokens(c, st.Resources, func(r cloudformation.Resource) string { return r.LogicalID })
	if err != nil {
		return nil, err
	}
	out := struct {
		StackResourceSummaries xmlList[resourceMember]
		NextToken              string `xml:",omitempty"`
	}{NextToken: next}
	for i := range page {
		m := resourceOf(&page[i])
		m.LastUpdatedTimestamp = &page[i].Updated
		out.StackResourceSummaries.Members = append(out.StackResourceSummaries.Members, m)
	}
	return out, nil
}
