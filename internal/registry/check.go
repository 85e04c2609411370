package registry

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Check reads all documents of a registry and says in words what it could not work with: documents that cannot be
// understood or that stand under another name, policies without the version that counts, and indexes that name what is
// not there or lack what is. An error is one of reading.
func Check(ctx context.Context, s store.Docs) (problems []string, err error) {
	c := newChecker(ctx, s)
	for _, part := range []func() error{c.format, c.settings, c.documents, c.indexes, c.differences, c.tags} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.Problems, nil
}

// checker keeps a hash of each key that indexes may name, and of the indexes one number each: a store with a hundred
// thousand things is checked in a few megabytes.
type checker struct {
	documents.Checker
	seed  maphash.Seed
	known map[string]map[uint64]struct{} // by bucket, the keys of what indexes name
	sums  map[string]uint64              // by index; see imply
	exact map[string]map[string]int      // by index; see differences
}

func newChecker(ctx context.Context, s store.Docs) *checker {
	return &checker{
		Checker: documents.Checker{Context: ctx, Store: s}, seed: maphash.MakeSeed(),
		known: map[string]map[uint64]struct{}{}, sums: map[string]uint64{},
	}
}

func (c *checker) isKnown(bucket, key string) bool {
	_, known := c.known[bucket][maphash.String(c.seed, key)]
	return known
}

// format accepts a store in which no registry was ever opened.
func (c *checker) format() error {
	d, err := c.Store.Get(c.Context, metaBucket, formatKey)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err == nil && string(d.Value) != fmt.Sprint(format):
		c.Problem("the registry has format %s, this thingwire knows format %d", fault.Quoted(string(d.Value)), format)
	}
	return err
}

// settings are what Open reads beside the format.
func (c *checker) settings() error {
	if err := checkSetting[EventConfigurations](c, eventConfigurationsKey); err != nil {
		return err
	}
	return checkSetting[Logging](c, loggingKey)
}

func checkSetting[T any](c *checker, key string) error {
	_, _, err := documents.Load[T](c.Context, c.Store, metaBucket, key)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case fault.Is(err, fault.Internal):
		c.Problem("%s", err)
		return nil
	}
	return err
}

// documents checks what stands for itself, and notes what the indexes must have of it.
func (c *checker) documents() error {
	for _, part := range []func() error{
		func() error { return checkEach(c, thingsBucket, c.thing) },
		func() error { return checkEach(c, certificatesBucket, c.certificate) },
		func() error { return checkEach(c, groupsBucket, c.group) },
		func() error {
			return checkEach(c, billingGroupsBucket, func(g *BillingGroup) string { return g.Name })
		},
		func() error { return checkEach(c, typesBucket, func(t *ThingType) string { return t.Name }) },
		func() error { return checkEach(c, caCertificatesBucket, c.ca) },
		func() error { return checkEach(c, policiesBucket, c.policy) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// checkEach reads the documents of a bucket and compares the names in them with their keys.
func checkEach[T any](c *checker, bucket string, name func(*T) string) error {
	known := map[uint64]struct{}{}
	c.known[bucket] = known
	return c.Each(bucket, func(d store.Doc) {
		known[maphash.String(c.seed, d.Key)] = struct{}{}
		v, err := documents.Decode[T](bucket, d)
		if err != nil {
			c.Problem("%s", err)
			return
		}
		if got := name(v); got != d.Key {
			c.Problem("document %s of %s says that it is %s", fault.Quoted(d.Key), bucket, fault.Quoted(got))
		}
	})
}

func (c *checker) policy(p *Policy) string {
	v := p.DefaultVersion()
	if v == nil {
		c.Problem("policy %s has no version %d, which is to count", fault.Quoted(p.Name), p.Default)
	} else if err := checkDocument(v.Document); err != nil {
		c.Problem("policy %s: %s", fault.Quoted(p.Name), err)
	}
	c.implyAge(policiesKind, p.Created, p.Name)
	return p.Name
}

// tags checks that what has tags is there.
func (c *checker) tags() error {
	return c.Each(tagsBucket, func(d store.Doc) {
		kind, name, _ := strings.Cut(d.Key, "/")
		if _, err := documents.Decode[map[string]string](tagsBucket, d); err != nil {
			c.Problem("%s", err)
		}
		if !c.isKnown(taggable[kind].bucket, name) {
			c.Problem("%s has %s, which is not there", tagsBucket, fault.Quoted(d.Key))
		}
	})
}
