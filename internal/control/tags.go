package control

import (
	"encoding/json"
	"net/http"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// resourceOfTags is the resource of rows whose request names it: the ARN that resourceArn gives.
const resourceOfTags = "?resourceArn"

// resourceArn is the ARN that a call of tags is about. What is authorised and what is done both read it here, so that no
// spelling of the request makes them differ.
func (c *call) resourceArn() string {
	if c.Method == http.MethodGet {
		return c.query.Get("resourceArn")
	}
	var in struct {
		ResourceArn string `json:"resourceArn"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return "" // the operation tells what is wrong with the body
	}
	return in.ResourceArn
}

// listTagsForResource has no size of its pages: all tags are one, so no token is ever given.
func listTagsForResource(c *call) (any, error) {
	if c.query.Get("nextToken") != "" {
		return nil, fault.New(fault.Invalid, "nextToken was not given by ListTagsForResource")
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
