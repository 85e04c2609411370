package control

import "github.com/thingwire/thingwire/internal/registry"

// The principal of the thing family travels in this header; the policy family has another (x-amzn-iot-principal).
const principalHeader = "x-amzn-principal"

func attachThingPrincipal(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	t := registry.AttachmentType(c.query.Get("thingPrincipalType"))
	return nil, c.registry().AttachThingPrincipal(c.Context(), c.labels["thingName"], principal, t)
}

func detachThingPrincipal(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DetachThingPrincipal(c.Context(), c.labels["thingName"], principal)
}

func listThingPrincipals(c *call) (any, error) {
	page, err := c.page(byToken)
	if err != nil {
		return nil, err
	}
	list, next, err := c.registry().ListThingPrincipals(c.Context(), c.labels["thingName"], "", page)
	if err != nil {
		return nil, err
	}
	out := struct {
		Principals []string `json:"principals"`
		NextToken  string   `json:"nextToken,omitempty"`
	}{make([]string, 0, len(list)), c.token(next)}
	for _, a := range list {
		out.Principals = append(out.Principals, a.Principal)
	}
	return out, nil
}

func listPrincipalThings(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	page, err := c.page(byToken)
	if err != nil {
		return nil, err
	}
	list, next, err := c.registry().ListPrincipalThings(c.Context(), principal, "", page)
	if err != nil {
		return nil, err
	}
	out := struct {
		Things    []string `json:"things"`
		NextToken string   `json:"nextToken,omitempty"`
	}{make([]string, 0, len(list)), c.token(next)}
	for _, a := range list {
		out.Things = append(out.Things, a.Thing)
	}
	return out, nil
}
