package control

import (
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// listTagsForResource has no size of its pages: all tags are one, so no token is ever given.
func listTagsForResource(c *call) (any, error) {
	if c.query.Get("nextToken") != "" {
		return nil, fault.New(fault.Invalid, "nextToken was not given by ListTagsForResource").WithRemedy("it has one page: leave it out")
	}
	tags, err := c.registry().ListTags(c.Context(), c.resourceArn())
	if err != nil {
		return nil, err
	}
	return struct {
		Tags []registry.Tag `json:"tags"`
	}{tags}, nil
}

func tagResource(c *call) (any, error) {
	var in struct {
		Tags []registry.Tag `json:"tags"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Tags == nil {
		return nil, fault.New(fault.Invalid, "tags is missing")
	}
	return nil, c.registry().TagResource(c.Context(), c.resourceArn(), in.Tags)
}

func untagResource(c *call) (any, error) {
	var in struct {
		TagKeys []string `json:"tagKeys"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.TagKeys == nil {
		return nil, fault.New(fault.Invalid, "tagKeys is missing")
	}
	return nil, c.registry().UntagResource(c.Context(), c.resourceArn(), in.TagKeys)
}
