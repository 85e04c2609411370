package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// maxTags is how many tags a role has at most: IAM quotas.
const maxTags = 50

// Tag is a key and a value. Keys are not distinguished by case.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// TagRole adds tags to a role, or replaces those with the same keys.
func (d *Directory) TagRole(ctx context.Context, name string, tags []Tag) error {
	return d.change(ctx, func(c *Changes) error { return c.TagRole(name, tags) })
}

// UntagRole takes tags away; keys that are not there are none.
func (d *Directory) UntagRole(ctx context.Context, name string, keys []string) error {
	return d.change(ctx, func(c *Changes) error {
		r, err := c.changeRole(name)
		if err != nil {
			return err
		}
		r.Tags = slices.DeleteFunc(r.Tags, func(t Tag) bool {
			return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
		})
		return nil
	})
}

// withTags is a list of tags with others added, in the order of their keys.
func withTags(tags, more []Tag) ([]Tag, error) {
	tags = slices.Clone(tags)
	for i, t := range more {
		if err := checkTag(t); err != nil {
			return nil, err
		}
		same := func(o Tag) bool { return strings.EqualFold(o.Key, t.Key) }
		if slices.ContainsFunc(more[:i], same) {
			return nil, refuse(fault.Invalid, ErrInvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags = append(slices.DeleteFunc(tags, same), t)
	}
	if len(tags) > maxTags {
		return nil, refuse(fault.Throttled, ErrLimitExceeded, "The number of tags has reached the maximum limit of %d", maxTags)
	}
	slices.SortFunc(tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return tags, nil
}

// checkTag holds a tag against IAM API reference, Tag.
func checkTag(t Tag) error {
	key, value := utf8.RuneCountInString(t.Key), utf8.RuneCountInString(t.Value)
	switch {
	case key < 1 || key > 128:
		return refuse(fault.Invalid, ErrValidation, "the key of a tag has %d characters, 1 to 128 are allowed", key)
	case value > 256:
		return refuse(fault.Invalid, ErrValidation, "the value of tag %s has %d characters, 256 are allowed", fault.Plain(t.Key), value)
	case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
		return refuse(fault.Invalid, ErrInvalidInput, "tag keys that begin with aws: belong to AWS, not %s", fault.Plain(t.Key))
	case strings.ContainsFunc(t.Key+t.Value, func(r rune) bool { return !isTagRune(r) }):
		return refuse(fault.Invalid, ErrValidation, "tag %s has a character that is none of letters, digits, spaces and _.:/=+-@", fault.Plain(t.Key))
	}
	return nil
}

func isTagRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Z, r) || strings.ContainsRune("_.:/=+-@", r)
}
