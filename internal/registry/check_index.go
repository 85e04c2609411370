package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// imply notes that an index must have a key.
func (c *checker) imply(bucket, key string) {
	if c.implied[bucket] == nil {
		c.implied[bucket] = map[string]bool{}
	}
	c.implied[bucket][key] = true
}

func (c *checker) implyAge(kind string, created time.Time, name string) {
	asc, desc := ageKeys(kind, created, name)
	c.imply(byAgeBucket, asc)
	c.imply(byAgeBucket, desc)
}

func (c *checker) thing(t *Thing) string {
	if t.Type != "" {
		c.imply(typeThingsBucket, t.Type+"/"+t.Name)
	}
	if t.BillingGroup != "" {
		c.imply(billingThingsBucket, t.BillingGroup+"/"+t.Name)
	}
	for _, g := range t.Groups {
		c.imply(groupThingsBucket, g+"/"+t.Name)
	}
	for name, value := range t.Attributes {
		c.imply(attributeThingsBucket, attributeKey(name, value, t.Name))
	}
	return t.Name
}

func (c *checker) certificate(cert *Certificate) string {
	c.implyAge(certificatesKind, cert.Created, cert.ID)
	if cert.CA != "" {
		c.implyAge(issuedKind(cert.CA), cert.Created, cert.ID)
	}
	for _, p := range cert.Policies {
		c.imply(policyTargetsBucket, targetKey(p, certificateTarget(cert.ID)))
	}
	c.things[cert.ID] = cert.Things
	return cert.ID
}

func (c *checker) group(g *ThingGroup) string {
	if p := g.Parent(); p != "" {
		c.imply(groupChildrenBucket, p+"/"+g.Name)
	}
	for _, p := range g.Policies {
		c.imply(policyTargetsBucket, targetKey(p, groupTarget(g.Name)))
	}
	return g.Name
}

func (c *checker) ca(ca *CACertificate) string {
	c.implyAge(caCertificatesKind, ca.Created, ca.ID)
	c.imply(caSubjectsBucket, ca.Subject+"/"+ca.ID)
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
	err := c.Each(bucket, func(d store.Doc) {
		implied := c.implied[bucket][d.Key]
		delete(c.implied[bucket], d.Key)
		one, other, ok := strings.Cut(d.Key, "/")
		switch {
		case first != "" && !ok || !json.Valid(d.Value):
			c.Problem("document %s of %s cannot be understood", fault.Quoted(d.Key), bucket)
		case first != "" && !c.known[first][one]:
			c.Problem("%s has %s, and %s is not in %s", bucket, fault.Quoted(d.Key), fault.Quoted(one), first)
		case second != "" && !c.known[second][other]:
			c.Problem("%s has %s, and %s is not in %s", bucket, fault.Quoted(d.Key), fault.Quoted(other), second)
		case bucket == certThingsBucket:
			c.things[one]--
			c.imply(thingCertsBucket, other+"/"+one)
		case !implied:
			c.Problem("%s has %s, which no document says", bucket, fault.Quoted(d.Key))
		}
	})
	for _, key := range slices.Sorted(maps.Keys(c.implied[bucket])) {
		c.Problem("%s lacks %s", bucket, fault.Quoted(key))
	}
	if bucket == certThingsBucket {
		c.attachments()
	}
	return err
}

// attachments checks the numbers of attachments that certificates say they have.
func (c *checker) attachments() {
	for _, id := range slices.Sorted(maps.Keys(c.things)) {
		if n := c.things[id]; n != 0 {
			c.Problem("certificate %s counts %d attachment(s) more than %s has", fault.Quoted(id), n, certThingsBucket)
		}
	}
}
