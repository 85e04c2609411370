package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/registry"
)

// The principal of the thing family travels in this header; the policy family has another (principalpolicies.go).
const principalHeader = "x-amzn-principal"

func attachThingPrincipal(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	return nil, c.registry().AttachThingPrincipal(c.Context(), c.labels["thingName"], principal, c.attachmentType())
}

func detachThingPrincipal(c *call) (any, error) {
	principal, err := c.header(principalHeader)
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DetachThingPrincipal(c.Context(), c.labels["thingName"], principal)
}

func listThingPrincipals(c *call) (any, error) {
	return list(c, byToken, "principals", c.principalsOf(""), func(a *registry.Attachment) string { return a.Principal })
}

func listThingPrincipalsV2(c *call) (any, error) {
	type principalObject struct {
		Principal          string                  `json:"principal"`
		ThingPrincipalType registry.AttachmentType `json:"thingPrincipalType"`
	}
	return list(c, byToken, "thingPrincipalObjects", c.principalsOf(c.attachmentType()), func(a *registry.Attachment) principalObject {
		return principalObject{a.Principal, a.Type}
	})
}

// principalsOf reads what is attached to the thing of the path.
func (c *call) principalsOf(t registry.AttachmentType) func(context.Context, registry.Page) ([]registry.Attachment, string, error) {
	return func(ctx context.Context, p registry.Page) ([]registry.Attachment, string, error) {
		return c.registry().ListThingPrincipals(ctx, c.labels["thingName"], t, p)
	}
}

func listPrincipalThings(c *call) (any, error) {
	return list(c, byToken, "things", c.thingsOf(""), func(a *registry.Attachment) string { return a.Thing })
}

func listPrincipalThingsV2(c *call) (any, error) {
	type thingObject struct {
		ThingName          string                  `json:"thingName"`
		ThingPrincipalType registry.AttachmentType `json:"thingPrincipalType"`
	}
	return list(c, byToken, "principalThingObjects", c.thingsOf(c.attachmentType()), func(a *registry.Attachment) thingObject {
		return thingObject{a.Thing, a.Type}
	})
}

// thingsOf reads what the principal of the header is attached to.
func (c *call) thingsOf(t registry.AttachmentType) func(context.Context, registry.Page) ([]registry.Attachment, string, error) {
	return func(ctx context.Context, p registry.Page) ([]registry.Attachment, string, error) {
		principal, err := c.header(principalHeader)
		if err != nil {
			return nil, "", err
		}
		return c.registry().ListPrincipalThings(ctx, principal, t, p)
	}
}

func (c *call) attachmentType() registry.AttachmentType {
	return registry.AttachmentType(c.query.Get("thingPrincipalType"))
}
