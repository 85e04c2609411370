package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/registry"
)

type attributePayload struct {
	Attributes map[string]string `json:"attributes"`
	Merge      bool              `json:"merge"`
}

type newThing struct {
	ThingTypeName    string           `json:"thingTypeName"`
	AttributePayload attributePayload `json:"attributePayload"`
	BillingGroupName string           `json:"billingGroupName"`
}

func (c *call) newThing() (in newThing, err error) {
	err = c.read(&in)
	return in, err
}

func createThing(c *call) (any, error) {
	in, err := c.newThing()
	if err != nil {
		return nil, err
	}
	t, err := c.registry().CreateThing(c.Context(), registry.ThingSpec{
		Name: c.labels["thingName"], Type: in.ThingTypeName, Attributes: in.AttributePayload.Attributes,
		BillingGroup: in.BillingGroupName,
	})
	if err != nil {
		return nil, err
	}
	return struct {
		ThingName string `json:"thingName"`
		ThingArn  string `json:"thingArn"`
		ThingID   string `json:"thingId"`
	}{t.Name, c.arn("thing", t.Name), t.ID}, nil
}

func describeThing(c *call) (any, error) {
	t, err := c.registry().DescribeThing(c.Context(), c.labels["thingName"])
	if err != nil {
		return nil, err
	}
	return struct {
		DefaultClientID  string            `json:"defaultClientId"`
		ThingName        string            `json:"thingName"`
		ThingID          string            `json:"thingId"`
		ThingArn         string            `json:"thingArn"`
		ThingTypeName    string            `json:"thingTypeName,omitempty"`
		Attributes       map[string]string `json:"attributes"`
		Version          int64             `json:"version"`
		BillingGroupName string            `json:"billingGroupName,omitempty"`
	}{t.Name, t.Name, t.ID, c.arn("thing", t.Name), t.Type, notNil(t.Attributes), t.Version, t.BillingGroup}, nil
}

func updateThing(c *call) (any, error) {
	var in struct {
		ThingTypeName    string            `json:"thingTypeName"`
		AttributePayload *attributePayload `json:"attributePayload"`
		ExpectedVersion  *int64            `json:"expectedVersion"`
		RemoveThingType  bool              `json:"removeThingType"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	u := registry.ThingUpdate{Type: in.ThingTypeName, RemoveType: in.RemoveThingType, ExpectedVersion: in.ExpectedVersion}
	if in.AttributePayload != nil {
		u.Attributes, u.Replace = in.AttributePayload.Attributes, !in.AttributePayload.Merge
	}
	return nil, c.registry().UpdateThing(c.Context(), c.labels["thingName"], u)
}

func deleteThing(c *call) (any, error) {
	expected, err := c.number("expectedVersion")
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DeleteThing(c.Context(), c.labels["thingName"], expected)
}

type thingAttribute struct {
	ThingName     string            `json:"thingName"`
	ThingTypeName string            `json:"thingTypeName,omitempty"`
	ThingArn      string            `json:"thingArn"`
	Attributes    map[string]string `json:"attributes"`
	Version       int64             `json:"version"`
}

func listThings(c *call) (any, error) {
	prefix, err := c.boolean("usePrefixAttributeValue")
	if err != nil {
		return nil, err
	}
	chosen := registry.ThingFilter{
		AttributeName:  c.query.Get("attributeName"),
		AttributeValue: c.query.Get("attributeValue"),
		ValuePrefix:    prefix,
		Type:           c.query.Get("thingTypeName"),
	}
	return list(c, byToken, "things", func(ctx context.Context, p registry.Page) ([]registry.Thing, string, error) {
		return c.registry().ListThings(ctx, chosen, p)
	}, func(t *registry.Thing) thingAttribute {
		return thingAttribute{t.Name, t.Type, c.arn("thing", t.Name), notNil(t.Attributes), t.Version}
	})
}

// notNil makes an absent map {}, as AWS writes it.
func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
