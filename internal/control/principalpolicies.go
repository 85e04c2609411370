package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/registry"
)

// The deprecated calls of the policy family have their members in these headers. Both lists are in the order of names and
// ids; isAscendingOrder is checked and changes nothing, for it is not written down when a policy was attached.
const (
	policyPrincipalHeader = "x-amzn-iot-principal"
	policyNameHeader      = "x-amzn-iot-policy"
)

func attachPrincipalPolicy(c *call) (any, error) {
	principal, err := c.header(policyPrincipalHeader)
	if err != nil {
		return nil, err
	}
	return nil, c.registry().AttachPrincipalPolicy(c.Context(), c.labels["policyName"], principal)
}

func detachPrincipalPolicy(c *call) (any, error) {
	principal, err := c.header(policyPrincipalHeader)
	if err != nil {
		return nil, err
	}
	return nil, c.registry().DetachPrincipalPolicy(c.Context(), c.labels["policyName"], principal)
}

func listPrincipalPolicies(c *call) (any, error) {
	principal, err := c.header(policyPrincipalHeader)
	if err != nil {
		return nil, err
	}
	return listByAge(c, "policies", func(ctx context.Context, _ bool, p registry.Page) ([]string, string, error) {
		return c.registry().ListPrincipalPolicies(ctx, principal, p)
	}, c.policyOf)
}

func listPolicyPrincipals(c *call) (any, error) {
	name, err := c.header(policyNameHeader)
	if err != nil {
		return nil, err
	}
	return listByAge(c, "principals", func(ctx context.Context, _ bool, p registry.Page) ([]string, string, error) {
		return c.registry().ListPolicyPrincipals(ctx, name, p)
	}, itself)
}
