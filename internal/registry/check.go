package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// maxCheckProblems is how many problems Check names.
const maxCheckProblems = 100

// Check reads all documents of a registry and says in words what it could not work with: documents that cannot be
// understood or that stand under another name, policies without the version that counts, and indexes that name what is
// not there. An error is one of reading.
func Check(ctx context.Context, s store.Docs) (problems []string, err error) {
	c := checker{ctx: ctx, store: s, known: map[string]map[string]bool{}}
	for _, part := range []func() error{c.format, c.documents, c.indexes} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.problems, nil
}

type checker struct {
	ctx      context.Context
	store    store.Docs
	known    map[string]map[string]bool // by bucket, the keys of what indexes name
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	if len(c.problems) < maxCheckProblems {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) each(bucket string, fn func(d store.Doc)) error {
	for d, err := range c.store.List(c.ctx, bucket, "", "", 0) {
		if err != nil {
			return err
		}
		fn(d)
	}
	return nil
}

// format accepts a store in which no registry was ever opened.
func (c *checker) format() error {
	d, err := c.store.Get(c.ctx, metaBucket, formatKey)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err == nil && string(d.Value) != fmt.Sprint(format):
		c.problem("the registry has format %s, this thingwire knows format %d", quote(string(d.Value)), format)
	}
	return err
}

// documents checks what stands for itself.
func (c *checker) documents() error {
	for _, part := range []func() error{
		func() error { return checkEach(c, thingsBucket, func(t *Thing) string { return t.Name }) },
		func() error {
			return checkEach(c, certificatesBucket, func(cert *Certificate) string { return cert.ID })
		},
		func() error { return checkEach(c, groupsBucket, func(g *ThingGroup) string { return g.Name }) },
		func() error { return checkEach(c, typesBucket, func(t *ThingType) string { return t.Name }) },
		func() error {
			return checkEach(c, caCertificatesBucket, func(ca *CACertificate) string { return ca.ID })
		},
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
	known := map[string]bool{}
	c.known[bucket] = known
	return c.each(bucket, func(d store.Doc) {
		known[d.Key] = true
		v, err := decode[T](bucket, d)
		if err != nil {
			c.problem("%s", err)
			return
		}
		if got := name(v); got != d.Key {
			c.problem("document %s of %s says that it is %s", quote(d.Key), bucket, quote(got))
		}
	})
}

func (c *checker) policy(p *Policy) string {
	v := p.DefaultVersion()
	if v == nil {
		c.problem("policy %s has no version %d, which is to count", quote(p.Name), p.Default)
	} else if err := checkDocument(v.Document); err != nil {
		c.problem("policy %s: %s", quote(p.Name), err)
	}
	return p.Name
}

// indexes checks that the buckets of pairs name what is there.
func (c *checker) indexes() error {
	for _, index := range []struct{ bucket, first, second string }{
		{certThingsBucket, certificatesBucket, thingsBucket},
		{thingCertsBucket, thingsBucket, certificatesBucket},
		{groupChildrenBucket, groupsBucket, groupsBucket},
		{groupThingsBucket, groupsBucket, thingsBucket},
		{typeThingsBucket, typesBucket, thingsBucket},
		{policyTargetsBucket, policiesBucket, ""},
	} {
		err := c.each(index.bucket, func(d store.Doc) {
			first, second, ok := strings.Cut(d.Key, "/")
			if !ok || !json.Valid(d.Value) {
				c.problem("document %s of %s cannot be understood", quote(d.Key), index.bucket)
				return
			}
			if !c.known[index.first][first] {
				c.problem("%s has %s, and %s is not in %s", index.bucket, quote(d.Key), quote(first), index.first)
			}
			if index.second != "" && !c.known[index.second][second] {
				c.problem("%s has %s, and %s is not in %s", index.bucket, quote(d.Key), quote(second), index.second)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
