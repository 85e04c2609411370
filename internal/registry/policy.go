package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxPolicyVersions: AWS IoT Core quotas.
const maxPolicyVersions = 5

const policiesKind = "policies"

// Policy is a named IoT policy with its versions.
type Policy struct {
	Name         string          `json:"name"`
	GenerationID string          `json:"generationId"` // 64 hex digits, another one after a delete
	Created      time.Time       `json:"created"`
	Modified     time.Time       `json:"modified"`
	Default      int             `json:"default"`
	Last         int             `json:"last"`     // the highest number ever given; numbers are not used again
	Versions     []PolicyVersion `json:"versions"` // oldest first, at most five
}

// PolicyVersion is one document of a policy, kept as it was given.
type PolicyVersion struct {
	Number   int       `json:"number"`
	Document string    `json:"document"`
	Created  time.Time `json:"created"`
}

// ID is the version's number as AWS writes it.
func (v *PolicyVersion) ID() string { return strconv.Itoa(v.Number) }

// DefaultVersion is the version that counts.
func (p *Policy) DefaultVersion() *PolicyVersion { return p.version(p.Default) }

func (p *Policy) version(number int) *PolicyVersion {
	i := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.Number == number })
	if i < 0 {
		return nil
	}
	return &p.Versions[i]
}

// CreatePolicy creates a policy with version 1 as its default. Two with one name are refused, also with one document.
func (r *Registry) CreatePolicy(ctx context.Context, name, document string, tags ...Tag) (*Policy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := policyName.check(name); err != nil {
		return nil, err
	}
	if err := checkDocument(document); err != nil {
		return nil, err
	}
	if err := checkNewTags(tags); err != nil {
		return nil, err
	}
	now := r.now()
	p := &Policy{
		Name: name, GenerationID: generationID(), Created: now, Modified: now, Default: 1, Last: 1,
		Versions: []PolicyVersion{{Number: 1, Document: document, Created: now}},
	}
	defer r.names.hold([]string{policyLock(name)}, nil)()
	ops := append(putAge(policiesKind, now, name), documents.Put(policiesBucket, name, p, documents.Absent))
	err := r.commit(append(ops, tagged("policy/"+name, tags)...)...)
	if fault.Is(err, fault.Conflict) {
		return nil, taken(name, r.ARN("policy/"+name), "policy %s exists", name).
			WithRemedy("create a version of it: aws iot create-policy-version")
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// GetPolicy gives a policy with all its versions.
func (r *Registry) GetPolicy(ctx context.Context, name string) (*Policy, error) {
	p, _, err := r.loadPolicy(ctx, name)
	return p, err
}

// GetPolicyVersion gives a policy and one of its versions.
func (r *Registry) GetPolicyVersion(ctx context.Context, name, id string) (*Policy, *PolicyVersion, error) {
	p, _, err := r.loadPolicy(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	v, err := p.find(id)
	return p, v, err
}

// ListPolicies gives the names of policies in the order of their creation, newest first unless ascending.
func (r *Registry) ListPolicies(ctx context.Context, ascending bool, p Page) (names []string, next string, err error) {
	return r.byAge(ctx, policiesKind, ascending, p)
}

// DeletePolicy deletes a policy that is attached to nothing and has its default version only.
func (r *Registry) DeletePolicy(ctx context.Context, name string) error {
	defer r.names.hold([]string{policyLock(name)}, nil)()
	return r.retry(func() error {
		p, rev, err := r.loadPolicy(ctx, name)
		if err != nil {
			return err
		}
		if err := r.checkDeletePolicy(ctx, p); err != nil {
			return err
		}
		return r.commit(append(removeAge(policiesKind, p.Created, name),
			documents.Remove(policiesBucket, name, documents.AtRev(rev)), untagged("policy/"+name))...)
	})
}

func (r *Registry) checkDeletePolicy(ctx context.Context, p *Policy) error {
	free, err := r.isEmpty(ctx, policyTargetsBucket, p.Name+"/")
	if err != nil {
		return err
	}
	if !free {
		return refuse(fault.InUse, ErrDeleteConflict, "policy %s is attached", p.Name).
			WithRemedy("detach it first: aws iot list-targets-for-policy, detach-policy")
	}
	if len(p.Versions) > 1 {
		return refuse(fault.InUse, ErrDeleteConflict, "policy %s has %d versions that are not the default", p.Name, len(p.Versions)-1).
			WithRemedy("delete them first: aws iot list-policy-versions, delete-policy-version")
	}
	return nil
}

// CreatePolicyVersion adds a version, and makes it the default if asked to.
func (r *Registry) CreatePolicyVersion(ctx context.Context, name, document string, setAsDefault bool) (*PolicyVersion, error) {
	if err := checkDocument(document); err != nil {
		return nil, err
	}
	var made PolicyVersion
	err := r.changePolicy(ctx, name, func(p *Policy) error {
		if len(p.Versions) >= maxPolicyVersions {
			return refuse(fault.Throttled, ErrVersionsLimitExceeded, "policy %s has %d versions already", name, len(p.Versions)).
				WithRemedy("delete one first: aws iot list-policy-versions, delete-policy-version")
		}
		p.Last++
		made = PolicyVersion{Number: p.Last, Document: document, Created: r.now()}
		p.Versions = append(p.Versions, made)
		if setAsDefault {
			p.Default = made.Number
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// DeletePolicyVersion deletes a version that is not the default.
func (r *Registry) DeletePolicyVersion(ctx context.Context, name, id string) error {
	return r.changePolicy(ctx, name, func(p *Policy) error {
		v, err := p.find(id)
		if err != nil {
			return err
		}
		if v.Number == p.Default {
			return refuse(fault.InUse, ErrDeleteConflict, "version %s of policy %s is its default", id, name).
				WithRemedy("make another version the default first, or delete the policy")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(o PolicyVersion) bool { return o.Number == v.Number })
		return nil
	})
}

// SetDefaultPolicyVersion makes a version the one that counts.
func (r *Registry) SetDefaultPolicyVersion(ctx context.Context, name, id string) error {
	return r.changePolicy(ctx, name, func(p *Policy) error {
		v, err := p.find(id)
		if err != nil {
			return err
		}
		p.Default = v.Number
		return nil
	})
}

func (r *Registry) changePolicy(ctx context.Context, name string, change func(p *Policy) error) error {
	defer r.names.hold([]string{policyLock(name)}, nil)()
	return r.retry(func() error {
		p, rev, err := r.loadPolicy(ctx, name)
		if err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		p.Modified = r.now()
		return r.commit(documents.Put(policiesBucket, name, p, documents.AtRev(rev)))
	})
}

func (r *Registry) loadPolicy(ctx context.Context, name string) (*Policy, uint64, error) {
	if err := policyName.check(name); err != nil {
		return nil, 0, err
	}
	p, rev, err := documents.Load[Policy](ctx, r.cfg.Store, policiesBucket, name)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, notFound("policy", name, "list-policies")
	}
	return p, rev, err
}

func (p *Policy) find(id string) (*PolicyVersion, error) {
	if err := versionID.check(id); err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(id)
	if v := p.version(number); v != nil && err == nil && v.ID() == id {
		return v, nil
	}
	return nil, fault.New(fault.NotFound, "policy %s has no version %s", p.Name, id).
		WithRemedy("those there are: aws iot list-policy-versions --policy-name %s", p.Name)
}

// checkDocument refuses what Identify could not compile later.
func checkDocument(document string) error {
	_, err := policy.Parse([]byte(document), policy.IoT)
	if fault.Is(err, fault.TooLarge) {
		return fault.Wrap(fault.Invalid, err, "the policy document is refused")
	}
	if err != nil {
		return refuse(fault.Invalid, ErrMalformedPolicy, "the policy document is malformed: %v", err)
	}
	return nil
}

func generationID() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
