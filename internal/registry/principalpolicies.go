package registry

import (
	"context"

	"github.com/thingwire/thingwire/internal/fault"
)

// The calls of before thing groups had policies: they know certificates alone, and AWS's SDKs still have them.

// AttachPrincipalPolicy attaches a policy to a certificate, as AttachPolicy does.
func (r *Registry) AttachPrincipalPolicy(ctx context.Context, name, principal string) error {
	if _, err := r.principalOf(principal); err != nil {
		return err
	}
	return r.AttachPolicy(ctx, name, principal)
}

// DetachPrincipalPolicy ends an attachment. Unlike DetachPolicy it has a ResourceNotFoundException, which a policy or a
// certificate that is not there answers; what is merely not attached is no error.
func (r *Registry) DetachPrincipalPolicy(ctx context.Context, name, principal string) error {
	id, err := r.principalOf(principal)
	if err != nil {
		return err
	}
	if _, _, err := r.loadPolicy(ctx, name); err != nil {
		return err
	}
	if _, _, err := r.loadCertificate(ctx, id); err != nil {
		return err
	}
	return r.DetachPolicy(ctx, name, principal)
}

// ListPrincipalPolicies gives the names of a certificate's policies in their order.
func (r *Registry) ListPrincipalPolicies(ctx context.Context, principal string, p Page) (names []string, next string, err error) {
	if _, err := r.principalOf(principal); err != nil {
		return nil, "", err
	}
	return r.ListAttachedPolicies(ctx, principal, false, p)
}

// ListPolicyPrincipals gives the ARNs of the certificates that a policy is attached to; thing groups are no principals.
func (r *Registry) ListPolicyPrincipals(ctx context.Context, name string, p Page) (principals []string, next string, err error) {
	if _, _, err := r.loadPolicy(ctx, name); err != nil {
		return nil, "", err
	}
	ids, next, err := r.keysOf(ctx, policyTargetsBucket, targetKey(name, certificateTarget("")), p)
	for i, id := range ids {
		ids[i] = r.ARN(certificateTarget(id).String())
	}
	return ids, next, err
}

// principalOf is certificateOf with words for thing groups, which the newer calls take.
func (r *Registry) principalOf(principal string) (id string, err error) {
	if t, err := r.targetOf(principal); err == nil && t.kind == groupKind {
		return "", fault.New(fault.Invalid, "%s is a thing group, not a certificate", fault.Quoted(principal)).
			WithRemedy("use AttachPolicy, DetachPolicy and ListAttachedPolicies for thing groups")
	}
	return r.certificateOf(principal)
}
