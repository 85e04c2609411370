package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxPoliciesPerTarget: AWS IoT Core quotas.
const maxPoliciesPerTarget = 10

// AttachmentType says whether a principal may be attached to other things beside.
type AttachmentType string

// The types, as AWS names them.
const (
	NonExclusive AttachmentType = "NON_EXCLUSIVE_THING"
	Exclusive    AttachmentType = "EXCLUSIVE_THING"
)

// check accepts AWS's names, and "", which each call explains.
func (t AttachmentType) check() error {
	if t == "" || t == NonExclusive || t == Exclusive {
		return nil
	}
	return fault.New(fault.Invalid, "%s is not a thingPrincipalType", fault.Quoted(string(t))).WithRemedy("use %s or %s", NonExclusive, Exclusive)
}

// Attachment is one end of the tie between a thing and a principal.
type Attachment struct {
	Thing     string         `json:"-"`
	Principal string         `json:"-"` // the certificate's ARN
	Type      AttachmentType `json:"type"`
}

// AttachPolicy attaches a policy to a target, the ARN of a certificate or of a thing group. Attaching it twice is no error.
func (r *Registry) AttachPolicy(ctx context.Context, name, arn string) error {
	if err := policyName.check(name); err != nil {
		return err
	}
	to, err := r.targetOf(arn)
	if err != nil {
		return err
	}
	return r.changePolicies(ctx, to, []string{policyLock(name)}, func(policies *[]string) ([]store.DocOp, error) {
		if _, _, err := r.loadPolicy(ctx, name); err != nil {
			return nil, err
		}
		i, there := slices.BinarySearch(*policies, name)
		if there {
			return nil, nil
		}
		if n := len(*policies); n >= maxPoliciesPerTarget {
			return nil, refuse(fault.Throttled, ErrLimitExceeded, "%s has %d policies already", to, n).
				WithRemedy("put more statements into fewer policies")
		}
		*policies = slices.Insert(*policies, i, name)
		return []store.DocOp{documents.Mark(policyTargetsBucket, targetKey(name, to))}, nil
	})
}

// DetachPolicy ends an attachment. What is not attached, or not there, is no error, as on AWS.
func (r *Registry) DetachPolicy(ctx context.Context, name, arn string) error {
	if err := policyName.check(name); err != nil {
		return err
	}
	to, err := r.targetOf(arn)
	if err != nil {
		return err
	}
	err = r.changePolicies(ctx, to, nil, func(policies *[]string) ([]store.DocOp, error) {
		i, there := slices.BinarySearch(*policies, name)
		if !there {
			return nil, nil
		}
		*policies = slices.Delete(*policies, i, i+1)
		return []store.DocOp{documents.Remove(policyTargetsBucket, targetKey(name, to), store.Condition{})}, nil
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// ListAttachedPolicies gives the names of the policies of a target in their order; if recursive, also those of the
// groups above a thing group. A certificate has nothing above it.
func (r *Registry) ListAttachedPolicies(ctx context.Context, arn string, recursive bool, p Page) (names []string, next string, err error) {
	t, err := r.targetOf(arn)
	if err != nil {
		return nil, "", err
	}
	names, err = r.policiesOf(ctx, t)
	if err == nil && recursive && t.kind == groupKind {
		names, _, err = r.lineage(ctx, []string{t.name})
	}
	if err != nil {
		return nil, "", err
	}
	names, next = behind(names, p)
	return names, next, nil
}

// ListTargetsForPolicy gives the ARNs that a policy is attached to.
func (r *Registry) ListTargetsForPolicy(ctx context.Context, name string, p Page) (targets []string, next string, err error) {
	if _, _, err := r.loadPolicy(ctx, name); err != nil {
		return nil, "", err
	}
	resources, next, err := r.keysOf(ctx, policyTargetsBucket, name+"/", p)
	for i, resource := range resources {
		resources[i] = r.ARN(resource)
	}
	return resources, next, err
}

// AttachThingPrincipal attaches a certificate to a thing. An empty type is NON_EXCLUSIVE_THING. Attaching it twice in
// one way is no error; an exclusive attachment suffers no other beside it.
func (r *Registry) AttachThingPrincipal(ctx context.Context, thing, principal string, t AttachmentType) error {
	if t == "" {
		t = NonExclusive
	}
	if err := t.check(); err != nil {
		return err
	}
	if err := thingName.check(thing); err != nil {
		return err
	}
	id, err := r.certificateOf(principal)
	if err != nil {
		return err
	}
	return r.changeCertificate(ctx, id, []string{thingLock(thing)}, func(c *Certificate) ([]store.DocOp, error) {
		if _, _, err := r.loadThing(ctx, thing); err != nil {
			return nil, err
		}
		return r.attach(ctx, c, thing, t)
	})
}

func (r *Registry) attach(ctx context.Context, c *Certificate, thing string, t AttachmentType) ([]store.DocOp, error) {
	old, _, err := documents.Load[Attachment](ctx, r.cfg.Store, certThingsBucket, c.ID+"/"+thing)
	if err == nil && old.Type == t {
		return nil, nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	others := c.Things
	if err == nil {
		others-- // the attachment changes its type
	}
	if err := c.checkExclusive(thing, others, t); err != nil {
		return nil, err
	}
	c.Things, c.Exclusive = others+1, ""
	if t == Exclusive {
		c.Exclusive = thing
	}
	a := Attachment{Type: t}
	return []store.DocOp{
		documents.Put(certThingsBucket, c.ID+"/"+thing, a, store.Condition{}),
		documents.Put(thingCertsBucket, thing+"/"+c.ID, a, store.Condition{}),
	}, nil
}

// checkExclusive: AWS IoT developer guide, "Associating a principal to a thing": an exclusive principal belongs to its
// one thing and no other. Which exception AWS answers is not recorded; InvalidRequestException is the modelled one.
func (c *Certificate) checkExclusive(thing string, others int, t AttachmentType) error {
	if c.Exclusive != "" && c.Exclusive != thing {
		return fault.New(fault.Invalid, "certificate %s is attached exclusively to thing %s", c.ID, c.Exclusive).
			WithRemedy("detach it from %s first, or take another certificate", c.Exclusive)
	}
	if t == Exclusive && others > 0 {
		return fault.New(fault.Invalid, "certificate %s is attached to %d other thing(s), so %s cannot have it exclusively", c.ID, others, thing).
			WithRemedy("detach it from the others first")
	}
	return nil
}

// DetachThingPrincipal ends an attachment; one that is not there is no error, a thing or certificate that is not is.
func (r *Registry) DetachThingPrincipal(ctx context.Context, thing, principal string) error {
	id, err := r.certificateOf(principal)
	if err != nil {
		return err
	}
	if _, _, err := r.loadThing(ctx, thing); err != nil {
		return err
	}
	return r.changeCertificate(ctx, id, nil, func(c *Certificate) ([]store.DocOp, error) {
		_, _, err := documents.Load[Attachment](ctx, r.cfg.Store, certThingsBucket, c.ID+"/"+thing)
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		c.Things--
		c.Exclusive = ""
		return []store.DocOp{
			documents.Remove(certThingsBucket, c.ID+"/"+thing, store.Condition{}),
			documents.Remove(thingCertsBucket, thing+"/"+c.ID, store.Condition{}),
		}, nil
	})
}

// ListThingPrincipals gives what is attached to a thing, of one type if t is not empty.
func (r *Registry) ListThingPrincipals(ctx context.Context, thing string, t AttachmentType, p Page) ([]Attachment, string, error) {
	if err := t.check(); err != nil {
		return nil, "", err
	}
	if _, _, err := r.loadThing(ctx, thing); err != nil {
		return nil, "", err
	}
	return r.attachments(ctx, thingCertsBucket, thing+"/", p, func(a *Attachment, id string) bool {
		a.Thing, a.Principal = thing, r.ARN("cert/"+id)
		return t == "" || a.Type == t
	})
}

// ListPrincipalThings gives what a certificate is attached to, of one type if t is not empty.
func (r *Registry) ListPrincipalThings(ctx context.Context, principal string, t AttachmentType, p Page) ([]Attachment, string, error) {
	if err := t.check(); err != nil {
		return nil, "", err
	}
	id, err := r.certificateOf(principal)
	if err != nil {
		return nil, "", err
	}
	if _, _, err := r.loadCertificate(ctx, id); err != nil {
		return nil, "", err
	}
	return r.attachments(ctx, certThingsBucket, id+"/", p, func(a *Attachment, thing string) bool {
		a.Thing, a.Principal = thing, principal
		return t == "" || a.Type == t
	})
}

// attachments walks one side's documents; accept completes each from the part of its key behind prefix.
func (r *Registry) attachments(ctx context.Context, bucket, prefix string, p Page, accept func(*Attachment, string) bool) (list []Attachment, next string, err error) {
	return walk(ctx, r, bucket, prefix, p, func(d store.Doc) (*Attachment, error) {
		a, err := documents.Decode[Attachment](bucket, d)
		if err != nil || !accept(a, strings.TrimPrefix(d.Key, prefix)) {
			return nil, err
		}
		return a, nil
	})
}
