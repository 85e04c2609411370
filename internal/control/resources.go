package control

import (
	"encoding/json"
	"net/http"
	"strings"
)

// What an operation asks permission for follows AWS's Service Authorization Reference, "Actions, resources, and condition
// keys for AWS IoT". Most rows name the resource of their path. These name what the request has elsewhere, or several
// resources, each of which the caller's policies must allow.
const (
	resourceOfTags       = "?resourceArn"      // any, by its ARN
	resourceOfTarget     = "?target"           // what a policy is attached to
	resourceOfPrincipal  = "?x-amzn-principal" // the principal of the thing family
	resourceOfHolder     = "?x-amzn-iot-principal"
	resourceOfQuestion   = "?principal" // whose rights are asked about
	resourcesOfNewThing  = "?thing and its billing group"
	resourcesOfMember    = "?thing and thing group"
	resourcesOfRegrouped = "?thing and thing groups"
	resourcesOfBilled    = "?thing and billing group"
)

// requested are resources that a request names outside its path. What is authorised and what is done read the request by
// the same functions, so that no spelling makes them differ.
type requested struct {
	kinds string // of the resources, as AWS calls them; a test compares
	read  func(*call) ([]string, error)
}

func requests() map[string]requested {
	return map[string]requested{
		resourceOfTags:       {"", func(c *call) ([]string, error) { return []string{c.resourceArn()}, nil }},
		resourceOfTarget:     {"cert thinggroup", (*call).aboutTarget},
		resourceOfPrincipal:  {"cert", func(c *call) ([]string, error) { return c.aboutHeader(principalHeader) }},
		resourceOfHolder:     {"cert", func(c *call) ([]string, error) { return c.aboutHeader(policyPrincipalHeader) }},
		resourceOfQuestion:   {"cert", (*call).aboutQuestion},
		resourcesOfNewThing:  {"thing billinggroup", (*call).aboutNewThing},
		resourcesOfMember:    {"thing thinggroup", (*call).aboutMember},
		resourcesOfRegrouped: {"thing thinggroup", (*call).aboutRegrouped},
		resourcesOfBilled:    {"thing billinggroup", (*call).aboutBilled},
	}
}

// resources are what the request is about: one for most operations.
func (c *call) resources(named map[string]requested) ([]string, error) {
	if c.op.resource == "*" {
		return []string{"*"}, nil
	}
	if r, ok := named[c.op.resource]; ok {
		return r.read(c)
	}
	kind, label, _ := strings.Cut(c.op.resource, "/")
	return []string{c.arn(kind, c.labels[strings.Trim(label, "{}")])}, nil
}

// conditionKeys are those that AWS has for the operation alone.
func (c *call) conditionKeys() map[string][]string {
	if thing := c.labels["thingName"]; c.op.resource == resourceOfPrincipal && thing != "" {
		return map[string][]string{"iot:thingArn": {c.arn("thing", thing)}}
	}
	return nil
}

// resourceArn is the ARN that a call of tags is about.
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

// aboutTarget takes the target as it is: AWS asks about a Cognito identity by its id.
func (c *call) aboutTarget() ([]string, error) {
	var in targetMember
	err := c.read(&in)
	return []string{in.Target}, err
}

func (c *call) aboutHeader(name string) ([]string, error) {
	principal, err := c.header(name)
	return []string{principal}, err
}

// aboutQuestion is * where no principal is given: rights of nobody in particular are asked for.
func (c *call) aboutQuestion() ([]string, error) {
	var in struct {
		Principal string `json:"principal"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Principal == "" {
		return []string{"*"}, nil
	}
	return []string{in.Principal}, nil
}

func (c *call) aboutNewThing() ([]string, error) {
	in, err := c.newThing()
	if err != nil {
		return nil, err
	}
	about := []string{c.arn("thing", c.labels["thingName"])}
	if in.BillingGroupName != "" {
		about = append(about, c.arn("billinggroup", in.BillingGroupName))
	}
	return about, nil
}

func (c *call) aboutMember() ([]string, error) {
	group, thing, err := c.membership()
	return []string{c.arn("thing", thing), c.arn("thinggroup", group)}, err
}

func (c *call) aboutRegrouped() ([]string, error) {
	in, err := c.regrouping()
	about := []string{c.arn("thing", in.ThingName)}
	for _, groups := range [][]string{in.ThingGroupsToAdd, in.ThingGroupsToRemove} {
		for _, group := range groups {
			about = append(about, c.arn("thinggroup", group))
		}
	}
	return about, err
}

func (c *call) aboutBilled() ([]string, error) {
	group, thing, err := c.billed()
	return []string{c.arn("thing", thing), c.arn("billinggroup", group)}, err
}
