package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/registry"
)

type policyRef struct {
	PolicyName string `json:"policyName"`
	PolicyArn  string `json:"policyArn"`
}

func createPolicy(c *call) (any, error) {
	var in struct {
		PolicyDocument string         `json:"policyDocument"`
		Tags           []registry.Tag `json:"tags"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	p, err := c.registry().CreatePolicy(c.Context(), c.labels["policyName"], in.PolicyDocument, in.Tags...)
	if err != nil {
		return nil, err
	}
	v := p.DefaultVersion()
	return struct {
		policyRef
		PolicyDocument  string `json:"policyDocument"`
		PolicyVersionID string `json:"policyVersionId"`
	}{c.policyRef(p.Name), v.Document, v.ID()}, nil
}

func getPolicy(c *call) (any, error) {
	p, err := c.registry().GetPolicy(c.Context(), c.labels["policyName"])
	if err != nil {
		return nil, err
	}
	v := p.DefaultVersion()
	return struct {
		policyRef
		PolicyDocument   string `json:"policyDocument"`
		DefaultVersionID string `json:"defaultVersionId"`
		CreationDate     epoch  `json:"creationDate"`
		LastModifiedDate epoch  `json:"lastModifiedDate"`
		GenerationID     string `json:"generationId"`
	}{c.policyRef(p.Name), v.Document, v.ID(), epoch(p.Created), epoch(p.Modified), p.GenerationID}, nil
}

func deletePolicy(c *call) (any, error) {
	return nil, c.registry().DeletePolicy(c.Context(), c.labels["policyName"])
}

func listPolicies(c *call) (any, error) {
	return listByAge(c, "policies", c.registry().ListPolicies, c.policyOf)
}

func createPolicyVersion(c *call) (any, error) {
	var in struct {
		PolicyDocument string `json:"policyDocument"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	asDefault, err := c.boolean("setAsDefault")
	if err != nil {
		return nil, err
	}
	name := c.labels["policyName"]
	v, err := c.registry().CreatePolicyVersion(c.Context(), name, in.PolicyDocument, asDefault)
	if err != nil {
		return nil, err
	}
	return struct {
		PolicyArn        string `json:"policyArn"`
		PolicyDocument   string `json:"policyDocument"`
		PolicyVersionID  string `json:"policyVersionId"`
		IsDefaultVersion bool   `json:"isDefaultVersion"`
	}{c.arn("policy", name), v.Document, v.ID(), asDefault}, nil
}

func getPolicyVersion(c *call) (any, error) {
	p, v, err := c.registry().GetPolicyVersion(c.Context(), c.labels["policyName"], c.labels["policyVersionId"])
	if err != nil {
		return nil, err
	}
	return struct {
		policyRef
		PolicyDocument   string `json:"policyDocument"`
		PolicyVersionID  string `json:"policyVersionId"`
		IsDefaultVersion bool   `json:"isDefaultVersion"`
		CreationDate     epoch  `json:"creationDate"`
		LastModifiedDate epoch  `json:"lastModifiedDate"`
		GenerationID     string `json:"generationId"`
	}{c.policyRef(p.Name), v.Document, v.ID(), v.Number == p.Default, epoch(v.Created), epoch(v.Created), p.GenerationID}, nil
}

func deletePolicyVersion(c *call) (any, error) {
	return nil, c.registry().DeletePolicyVersion(c.Context(), c.labels["policyName"], c.labels["policyVersionId"])
}

func setDefaultPolicyVersion(c *call) (any, error) {
	return nil, c.registry().SetDefaultPolicyVersion(c.Context(), c.labels["policyName"], c.labels["policyVersionId"])
}

// policyVersion spells its date unlike all others: createDate.
type policyVersion struct {
	VersionID        string `json:"versionId"`
	IsDefaultVersion bool   `json:"isDefaultVersion"`
	CreateDate       epoch  `json:"createDate"`
}

// listPolicyVersions is not paged; the newest comes first.
func listPolicyVersions(c *call) (any, error) {
	p, err := c.registry().GetPolicy(c.Context(), c.labels["policyName"])
	if err != nil {
		return nil, err
	}
	out := struct {
		PolicyVersions []policyVersion `json:"policyVersions"`
	}{make([]policyVersion, 0, len(p.Versions))}
	for i := range p.Versions {
		v := &p.Versions[len(p.Versions)-1-i]
		out.PolicyVersions = append(out.PolicyVersions, policyVersion{v.ID(), v.Number == p.Default, epoch(v.Created)})
	}
	return out, nil
}

type targetMember struct {
	Target string `json:"target"`
}

func attachPolicy(c *call) (any, error) {
	var in targetMember
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.registry().AttachPolicy(c.Context(), c.labels["policyName"], in.Target)
}

func detachPolicy(c *call) (any, error) {
	var in targetMember
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.registry().DetachPolicy(c.Context(), c.labels["policyName"], in.Target)
}

func listAttachedPolicies(c *call) (any, error) {
	recursive, err := c.boolean("recursive")
	if err != nil {
		return nil, err
	}
	return list(c, byMarker, "policies", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListAttachedPolicies(ctx, c.labels["target"], recursive, p)
	}, c.policyOf)
}

func listTargetsForPolicy(c *call) (any, error) {
	return list(c, byMarker, "targets", func(ctx context.Context, p registry.Page) ([]string, string, error) {
		return c.registry().ListTargetsForPolicy(ctx, c.labels["policyName"], p)
	}, itself)
}

func (c *call) policyRef(name string) policyRef { return policyRef{name, c.arn("policy", name)} }

// policyOf is policyRef for a list.
func (c *call) policyOf(name *string) policyRef { return c.policyRef(*name) }
