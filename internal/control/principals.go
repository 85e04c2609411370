package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/registry"
)

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
	return list(c, byToken, "principals", func(ctx context.Context, p registry.Page) ([]registry.Attachment, string, error) {
		return c.registry().ListThingPrincipals(ctx, c.labels["thingName"], "", p)
	}, func(a *registry.Attachment) string { return a.Principal })
}

func listPrincipalThings(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	return list(c, byToken, "things", func(ctx context.Context, p registry.Page) ([]registry.Attachment, string, error) {
		return c.registry().ListPrincipalThings(ctx, principal, "", p)
	}, func(a *registry.Attachment) string { return a.Thing })
}
