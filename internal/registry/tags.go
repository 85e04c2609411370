package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Restrictions on tags: AWS IoT developer guide, "Tagging your AWS IoT resources".
const (
	maxTags     = 50
	maxTagValue = 256
	reservedTag = "aws:"
)

// Tag is a word of the operator's on a resource. Its members are spelled as AWS spells them, with capitals.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"` // may be empty
}

// taggable are the resources that have tags, by the kinds in their ARNs, which are those of their locks too. A thing and
// a device certificate have none on AWS.
var taggable = map[string]struct {
	bucket string
	names  *namePattern
}{
	billingGroupKind: {billingGroupsBucket, &billingGroupName},
	"cacert":         {caCertificatesBucket, &certificateID},
	"policy":         {policiesBucket, &policyName},
	groupKind:        {groupsBucket, &groupName},
	"thingtype":      {typesBucket, &typeName},
}

// ListTags gives the tags of a resource in the order of their keys.
func (r *Registry) ListTags(ctx context.Context, arn string) ([]Tag, error) {
	resource, err := r.taggedResource(arn)
	if err != nil {
		return nil, err
	}
	if err := r.checkTagged(ctx, resource); err != nil {
		return nil, err
	}
	tags, err := r.tagsOf(ctx, resource)
	list := make([]Tag, 0, len(tags))
	for k, v := range tags {
		list = append(list, Tag{k, v})
	}
	slices.SortFunc(list, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return list, err
}

// TagResource adds tags to a resource; one whose key is there takes its place.
func (r *Registry) TagResource(ctx context.Context, arn string, tags []Tag) error {
	added, err := tagMap(tags)
	if err != nil {
		return err
	}
	return r.changeTags(ctx, arn, func(now map[string]string) error {
		maps.Copy(now, added)
		if len(now) > maxTags {
			return refuse(fault.Throttled, ErrLimitExceeded, "%s would have %d tags, at most %d are allowed", arn, len(now), maxTags).
				WithRemedy("remove some first: aws iot list-tags-for-resource, untag-resource")
		}
		return nil
	})
}

// UntagResource takes tags from a resource. A key that is not there is no error.
func (r *Registry) UntagResource(ctx context.Context, arn string, keys []string) error {
	for _, key := range keys {
		if err := tagKey.check(key); err != nil {
			return err
		}
	}
	return r.changeTags(ctx, arn, func(now map[string]string) error {
		for _, key := range keys {
			delete(now, key)
		}
		return nil
	})
}

// changeTags rewrites the tags of a resource while it stays: they are in a document of their own, so that a word more
// on a policy does not look to live connections as if the policy had changed.
func (r *Registry) changeTags(ctx context.Context, arn string, change func(tags map[string]string) error) error {
	resource, err := r.taggedResource(arn)
	if err != nil {
		return err
	}
	defer r.names.hold([]string{resource}, nil)()
	return r.retry(func() error {
		if err := r.checkTagged(ctx, resource); err != nil {
			return err
		}
		when := documents.Absent
		tags, rev, err := documents.Load[map[string]string](ctx, r.cfg.Store, tagsBucket, resource)
		switch {
		case fault.Is(err, fault.NotFound):
			tags = &map[string]string{}
		case err != nil:
			return err
		default:
			when = documents.AtRev(rev)
		}
		if err := change(*tags); err != nil {
			return err
		}
		return r.commit(documents.Put(tagsBucket, resource, *tags, when))
	})
}

// taggedResource is the resource part of an ARN of this account whose kind has tags.
func (r *Registry) taggedResource(arn string) (string, error) {
	resource, ok := strings.CutPrefix(arn, r.arnPrefix)
	if !ok {
		return "", fault.New(fault.Invalid, "%s is not the ARN of a resource of this account and region", fault.Quoted(arn)).
			WithRemedy("it looks like %s", r.ARN("policy/<name>"))
	}
	kind, name, _ := strings.Cut(resource, "/")
	t, ok := taggable[kind]
	if !ok {
		return "", fault.New(fault.Invalid, "%s has no tags", fault.Quoted(arn)).
			WithRemedy("these have: %s", strings.Join(slices.Sorted(maps.Keys(taggable)), ", "))
	}
	if t.names == &certificateID {
		name = strings.ToLower(name)
	}
	return kind + "/" + name, t.names.check(name)
}

// checkTagged refuses a resource that is not there.
func (r *Registry) checkTagged(ctx context.Context, resource string) error {
	kind, name, _ := strings.Cut(resource, "/")
	_, err := r.cfg.Store.Get(ctx, taggable[kind].bucket, name)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "%s not found", r.ARN(resource))
	}
	return err
}

func (r *Registry) tagsOf(ctx context.Context, resource string) (map[string]string, error) {
	tags, _, err := documents.Load[map[string]string](ctx, r.cfg.Store, tagsBucket, resource)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // a nil map is no tags
	}
	if err != nil {
		return nil, err
	}
	return *tags, nil
}

// sameTags reports whether a resource that is created once more is given the tags that it has.
func (r *Registry) sameTags(ctx context.Context, resource string, tags []Tag) (bool, error) {
	now, err := r.tagsOf(ctx, resource)
	if err != nil {
		return false, err
	}
	wanted, err := tagMap(tags)
	return maps.Equal(now, wanted), err
}

// checkNewTags are tagMap's checks, and the limit, for calls that have no LimitExceededException.
func checkNewTags(tags []Tag) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "%d tags, at most %d are allowed", len(tags), maxTags)
	}
	_, err := tagMap(tags)
	return err
}

// tagMap refuses tags that may not be: of keys that come twice it cannot be said which value is meant.
func tagMap(tags []Tag) (map[string]string, error) {
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		if err := t.check(); err != nil {
			return nil, err
		}
		if _, twice := all[t.Key]; twice {
			return nil, fault.New(fault.Invalid, "the tag %s comes twice", fault.Quoted(t.Key))
		}
		all[t.Key] = t.Value
	}
	return all, nil
}

func (t Tag) check() error {
	if err := tagKey.check(t.Key); err != nil {
		return err
	}
	if len(t.Key) >= len(reservedTag) && strings.EqualFold(t.Key[:len(reservedTag)], reservedTag) {
		return fault.New(fault.Invalid, "the tag %s begins with aws:, which belongs to AWS", fault.Quoted(t.Key))
	}
	if n := utf8.RuneCountInString(t.Value); n > maxTagValue {
		return fault.New(fault.Invalid, "the value of tag %s has %d characters, at most %d are allowed", fault.Quoted(t.Key), n, maxTagValue)
	}
	return nil
}

// tagged is the write of a new resource's tags, which were checked; none if it has none.
func tagged(resource string, tags []Tag) []store.DocOp {
	if len(tags) == 0 {
		return nil
	}
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		all[t.Key] = t.Value
	}
	return []store.DocOp{documents.Put(tagsBucket, resource, all, store.Condition{})}
}

// untagged is the write beside the deletion of a resource: its tags go with it.
func untagged(resource string) store.DocOp {
	return documents.Remove(tagsBucket, resource, store.Condition{})
}
