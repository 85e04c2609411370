package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

type billingProperties struct {
	BillingGroupDescription *string `json:"billingGroupDescription,omitempty"`
}

func createBillingGroup(c *call) (any, error) {
	var in struct {
		BillingGroupProperties billingProperties `json:"billingGroupProperties"`
		Tags                   []registry.Tag    `json:"tags"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	spec := registry.BillingGroupSpec{Name: c.labels["billingGroupName"], Tags: in.Tags}
	if d := in.BillingGroupProperties.BillingGroupDescription; d != nil {
		spec.Description = *d
	}
	g, err := c.registry().CreateBillingGroup(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	return c.billingGroup(g), nil
}

type billingGroup struct {
	BillingGroupName string `json:"billingGroupName"`
	BillingGroupArn  string `json:"billingGroupArn"`
	BillingGroupID   string `json:"billingGroupId"`
}

func (c *call) billingGroup(g *registry.BillingGroup) billingGroup {
	return billingGroup{g.Name, c.arn("billinggroup", g.Name), g.ID}
}

func describeBillingGroup(c *call) (any, error) {
	g, err := c.registry().DescribeBillingGroup(c.Context(), c.labels["billingGroupName"])
	if err != nil {
		return nil, err
	}
	type metadata struct {
		CreationDate epoch `json:"creationDate"`
	}
	out := struct {
		billingGroup
		Version                int64             `json:"version"`
		BillingGroupProperties billingProperties `json:"billingGroupProperties"`
		BillingGroupMetadata   metadata          `json:"billingGroupMetadata"`
	}{c.billingGroup(g), g.Version, billingProperties{}, metadata{epoch(g.Created)}}
	if g.Description != "" {
		out.BillingGroupProperties.BillingGroupDescription = &g.Description
	}
	return out, nil
}

func updateBillingGroup(c *call) (any, error) {
	var in struct {
		BillingGroupProperties *billingProperties `json:"billingGroupProperties"`
		ExpectedVersion        *int64             `json:"expectedVersion"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.BillingGroupProperties == nil {
		return nil, fault.New(fault.Invalid, "billingGroupProperties is missing")
	}
	version, err := c.registry().UpdateBillingGroup(c.Context(), c.labels["billingGroupName"], registry.BillingGroupUpdate{
		Description: in.BillingGroupProperties.BillingGroupDescription, ExpectedVersion: in.ExpectedVersion,
	})
	if err != nil {
		return nil, err
	}
	return struct {
		Version int64 `json:"version"`
	}{version}, nil
}

func deleteBillingGroup(c *call) (any, error) {
	expected, err := c.number("expectedVersion")
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DeleteBillingGroup(c.Context(), c.labels["billingGroupName"], expected)
}

func listBillingGroups(c *call) (any, error) {
	return list(c, byToken, "billingGroups", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListBillingGroups(ctx, c.query.Get("namePrefixFilter"), p)
	}, func(name *string) groupNameAndArn { return groupNameAndArn{*name, c.arn("billinggroup", *name)} })
}

func listThingsInBillingGroup(c *call) (any, error) {
	return list(c, byToken, "things", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListThingsInBillingGroup(ctx, c.labels["billingGroupName"], p)
	}, itself)
}

func addThingToBillingGroup(c *call) (any, error) {
	group, thing, err := c.billed()
	if err != nil {
		return nil, err
	}
	return nil, c.registry().AddThingToBillingGroup(c.Context(), group, thing)
}

func removeThingFromBillingGroup(c *call) (any, error) {
	group, thing, err := c.billed()
	if err != nil {
		return nil, err
	}
	return nil, c.registry().RemoveThingFromBillingGroup(c.Context(), group, thing)
}

// billed are the billing group and the thing of a request, each given by its name or its ARN.
func (c *call) billed() (group, thing string, err error) {
	var in struct {
		BillingGroupName string `json:"billingGroupName"`
		BillingGroupArn  string `json:"billingGroupArn"`
		ThingName        string `json:"thingName"`
		ThingArn         string `json:"thingArn"`
	}
	if err := c.read(&in); err != nil {
		return "", "", err
	}
	if group, err = c.named("billinggroup", in.BillingGroupName, in.BillingGroupArn); err != nil {
		return "", "", err
	}
	thing, err = c.named("thing", in.ThingName, in.ThingArn)
	return group, thing, err
}
