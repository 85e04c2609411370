package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

type typeProperties struct {
	ThingTypeDescription string   `json:"thingTypeDescription,omitempty"`
	SearchableAttributes []string `json:"searchableAttributes"`
}

// propagation is what a thing's messages would carry of its attributes.
type propagation struct {
	Mqtt5Configuration struct {
		PropagatingAttributes []json.RawMessage `json:"propagatingAttributes"`
	} `json:"mqtt5Configuration"`
}

func (p *propagation) refuse() error {
	if len(p.Mqtt5Configuration.PropagatingAttributes) == 0 {
		return nil
	}
	return fault.New(fault.Unsupported, "propagating attributes are not implemented by Thingwire").
		WithRemedy("leave mqtt5Configuration out; see docs/compatibility.md")
}

func createThingType(c *call) (any, error) {
	var in struct {
		ThingTypeProperties struct {
			typeProperties
			propagation
		} `json:"thingTypeProperties"`
		Tags []registry.Tag `json:"tags"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := in.ThingTypeProperties.refuse(); err != nil {
		return nil, err
	}
	t, err := c.registry().CreateThingType(c.Context(), registry.ThingTypeSpec{
		Name: c.labels["thingTypeName"], Description: in.ThingTypeProperties.ThingTypeDescription,
		Searchable: in.ThingTypeProperties.SearchableAttributes, Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	return struct {
		ThingTypeName string `json:"thingTypeName"`
		ThingTypeArn  string `json:"thingTypeArn"`
		ThingTypeID   string `json:"thingTypeId"`
	}{t.Name, c.arn("thingtype", t.Name), t.ID}, nil
}

type typeMetadata struct {
	Deprecated      bool   `json:"deprecated"`
	DeprecationDate *epoch `json:"deprecationDate,omitempty"`
	CreationDate    epoch  `json:"creationDate"`
}

// thingType is a type in lists; a description has the id besides.
type thingType struct {
	ThingTypeName       string         `json:"thingTypeName"`
	ThingTypeArn        string         `json:"thingTypeArn"`
	ThingTypeProperties typeProperties `json:"thingTypeProperties"`
	ThingTypeMetadata   typeMetadata   `json:"thingTypeMetadata"`
}

func (c *call) thingType(t *registry.ThingType) thingType {
	searchable := t.Searchable
	if searchable == nil {
		searchable = []string{}
	}
	out := thingType{
		ThingTypeName: t.Name, ThingTypeArn: c.arn("thingtype", t.Name),
		ThingTypeProperties: typeProperties{t.Description, searchable},
		ThingTypeMetadata:   typeMetadata{CreationDate: epoch(t.Created)},
	}
	if !t.Deprecated.IsZero() {
		date := epoch(t.Deprecated.Truncate(time.Millisecond))
		out.ThingTypeMetadata.Deprecated, out.ThingTypeMetadata.DeprecationDate = true, &date
	}
	return out
}

func describeThingType(c *call) (any, error) {
	t, err := c.registry().DescribeThingType(c.Context(), c.labels["thingTypeName"])
	if err != nil {
		return nil, err
	}
	return struct {
		thingType
		ThingTypeID string `json:"thingTypeId"`
	}{c.thingType(t), t.ID}, nil
}

func listThingTypes(c *call) (any, error) {
	return list(c, byToken, "thingTypes", func(ctx context.Context, p registry.Page) ([]registry.ThingType, string, error) {
		return c.registry().ListThingTypes(ctx, c.query.Get("thingTypeName"), p)
	}, c.thingType)
}

func updateThingType(c *call) (any, error) {
	var in struct {
		ThingTypeProperties struct {
			ThingTypeDescription *string  `json:"thingTypeDescription"`
			SearchableAttributes []string `json:"searchableAttributes"`
			propagation
		} `json:"thingTypeProperties"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := in.ThingTypeProperties.refuse(); err != nil {
		return nil, err
	}
	return nil, c.registry().UpdateThingType(c.Context(), c.labels["thingTypeName"], registry.ThingTypeUpdate{
		Description: in.ThingTypeProperties.ThingTypeDescription, Searchable: in.ThingTypeProperties.SearchableAttributes,
	})
}

func deprecateThingType(c *call) (any, error) {
	var in struct {
		UndoDeprecate bool `json:"undoDeprecate"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.registry().DeprecateThingType(c.Context(), c.labels["thingTypeName"], in.UndoDeprecate)
}

func deleteThingType(c *call) (any, error) {
	return nil, c.registry().DeleteThingType(c.Context(), c.labels["thingTypeName"])
}
