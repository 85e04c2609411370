package registry

import (
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// attachedTo is no bucket: under this name stand the things that certificates say they are attached to, and those that
// there are.
const attachedTo = "attached"

// imply notes that an index must have a key so many times, or has it where times is -1. What is left of all of them is
// nothing if the index is what the documents say. It is kept as a sum of hashes.
func (c *checker) imply(index, key string, times int) {
	if c.exact == nil {
		c.sums[index] += maphash.String(c.seed, key) * uint64(times) // sums wrap around: -1 takes away
		return
	}
	left, looked := c.exact[index]
	if !looked {
		return
	}
	if left[key] += times; left[key] == 0 {
		delete(left, key)
	}
}

func (c *checker) implyAge(kind string, created time.Time, name string) {
	asc, desc := ageKeys(kind, created, name)
	c.imply(byAgeBucket, asc, 1)
	c.imply(byAgeBucket, desc, 1)
}

func (c *checker) thing(t *Thing) string {
	if t.Type != "" {
		c.imply(typeThingsBucket, t.Type+"/"+t.Name, 1)
	}
	if t.BillingGroup != "" {
		c.imply(billingThingsBucket, t.BillingGroup+"/"+t.Name, 1)
	}
	for _, g := range t.Groups {
		c.imply(groupThingsBucket, g+"/"+t.Name, 1)
	}
	for name, value := range t.Attributes {
		c.imply(attributeThingsBucket, attributeKey(name, value, t.Name), 1)
	}
	return t.Name
}

func (c *checker) certificate(cert *Certificate) string {
	c.implyAge(certificatesKind, cert.Created, cert.ID)
	if cert.CA != "" {
		c.implyAge(issuedKind(cert.CA), cert.Created, cert.ID)
	}
	for _, p := range cert.Policies {
		c.imply(policyTargetsBucket, targetKey(p, certificateTarget(cert.ID)), 1)
	}
	c.imply(attachedTo, cert.ID, cert.Things)
	return cert.ID
}

func (c *checker) group(g *ThingGroup) string {
	if p := g.Parent(); p != "" {
		c.imply(groupChildrenBucket, p+"/"+g.Name, 1)
	}
	for _, p := range g.Policies {
		c.imply(policyTargetsBucket, targetKey(p, groupTarget(g.Name)), 1)
	}
	return g.Name
}

func (c *checker) ca(ca *CACertificate) string {
	c.implyAge(caCertificatesKind, ca.Created, ca.ID)
	c.imply(caSubjectsBucket, ca.Subject+"/"+ca.ID, 1)
	return ca.ID
}

// indexes checks that the indexes name what is there, and all of it.
func (c *checker) indexes() error {
	for _, index := range []struct{ bucket, first, second string }{
		{certThingsBucket, certificatesBucket, thingsBucket}, // before thing-certs, of which it says what is there
		{thingCertsBucket, thingsBucket, certificatesBucket},
		{groupChildrenBucket, groupsBucket, groupsBucket},
		{groupThingsBucket, groupsBucket, thingsBucket},
		{billingThingsBucket, billingGroupsBucket, thingsBucket},
		{typeThingsBucket, typesBucket, thingsBucket},
		{policyTargetsBucket, policiesBucket, ""},
		{byAgeBucket, "", ""},
		{caSubjectsBucket, "", ""},
		{attributeThingsBucket, "", ""},
	} {
		if made, err := c.isMade(index.bucket); !made || err != nil {
			delete(c.sums, index.bucket)
			return err // the last one, of a store that has it from its next start on
		}
		if err := c.index(index.bucket, index.first, index.second); err != nil {
			return err
		}
	}
	return nil
}

// isMade says of the index of attributes whether the store has one.
func (c *checker) isMade(bucket string) (bool, error) {
	if bucket != attributeThingsBucket {
		return true, nil
	}
	_, err := c.Store.Get(c.Context, metaBucket, attributesIndexed)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (c *checker) index(bucket, first, second string) error {
	return c.Each(bucket, func(d store.Doc) {
		one, other, ok := strings.Cut(d.Key, "/")
		switch {
		case first != "" && !ok || !json.Valid(d.Value):
			c.Problem("document %s of %s cannot be understood", fault.Quoted(d.Key), bucket)
		case first != "" && !c.isKnown(first, one):
			c.Problem("%s has %s, and %s is not in %s", bucket, fault.Quoted(d.Key), fault.Quoted(one), first)
		case second != "" && !c.isKnown(second, other):
			c.Problem("%s has %s, and %s is not in %s", bucket, fault.Quoted(d.Key), fault.Quoted(other), second)
		case bucket == certThingsBucket:
			c.imply(attachedTo, one, -1)
			c.imply(thingCertsBucket, other+"/"+one, 1)
			return
		default:
			c.imply(bucket, d.Key, -1)
			return
		}
		if c.exact[bucket][d.Key] > 0 { // what is wrong with it is said
			c.imply(bucket, d.Key, -1)
		}
	})
}

// differences names what is left of the indexes that are not what the documents say. It reads everything once more, and
// only then keeps keys.
func (c *checker) differences() error {
	again := newChecker(c.Context, c.Store)
	again.exact = map[string]map[string]int{}
	for index, sum := range c.sums {
		if sum != 0 {
			again.exact[index] = map[string]int{}
		}
	}
	if len(again.exact) == 0 {
		return nil
	}
	for _, part := range []func() error{again.documents, again.indexes} { // whose problems are known
		if err := part(); err != nil {
			return err
		}
	}
	for _, index := range slices.Sorted(maps.Keys(again.exact)) {
		left := again.exact[index]
		for _, key := range slices.Sorted(maps.Keys(left)) {
			switch {
			case index == attachedTo:
				c.Problem("certificate %s counts %d attachment(s) more than %s has", fault.Quoted(key), left[key], certThingsBucket)
			case left[key] > 0:
				c.Problem("%s lacks %s", index, fault.Quoted(key))
			default:
				c.Problem("%s has %s, which no document says", index, fault.Quoted(key))
			}
		}
	}
	return nil
}
