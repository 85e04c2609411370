package registry

import (
	"context"
	"strconv"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// The layout in the store, format 1. Values are JSON; a key's parts are separated by slashes, which no name may hold.
//
//	registry/meta             format                       the number of this layout
//	registry/things           THING                        Thing
//	registry/certificates     CERT                         Certificate, with the names of its policies and what it is attached to
//	registry/policies         POLICY                       Policy with all its versions
//	registry/groups           GROUP                        ThingGroup, with the names of its policies and ancestors
//	registry/types            TYPE                         ThingType
//	registry/billing-groups   BILLINGGROUP                 BillingGroup
//	registry/ca-certificates  CA                           CACertificate
//	registry/by-age           certificates/asc/AGE/CERT    nothing: the order of lists, oldest first …
//	                          certificates/desc/AGE/CERT   … and newest first (AGE is 16 hex digits); policies/…,
//	                                                       ca-certificates/… and issued/CA/… likewise
//	registry/cert-things      CERT/THING                   Attachment: what the certificate is attached to
//	registry/thing-certs      THING/CERT                   Attachment: the same, seen from the thing
//	registry/policy-targets   POLICY/cert/CERT             nothing: who has the policy; POLICY/thinggroup/GROUP likewise
//	registry/group-children   GROUP/GROUP                  nothing: the groups directly below
//	registry/group-things     GROUP/THING                  nothing: the members; a thing's document names its groups
//	registry/billing-things   BILLINGGROUP/THING           nothing: the members; a thing's document names its billing group
//	registry/type-things      TYPE/THING                   nothing: the things of a type
//	registry/attribute-things NAME VALUE THING             nothing: the things that have an attribute; spaces part the key
//	registry/ca-subjects      SUBJECT/CA                   nothing: the CAs with a subject (SHA-256 of its DER)
//	registry/tags             RESOURCE                     the tags of a resource, "policy/p", by their keys
//	registry/meta             registration-code            the code of CA verification certificates
//	                          event-configurations         EventConfigurations
//	                          logging                      Logging
//	                          attribute-things             nothing: all things are in registry/attribute-things
//
// The certificate's document is rewritten under its revision with each attachment, so that whatever concerns one
// certificate (its limit of policies, its exclusive thing, its deletion) is decided by one revision. The other buckets
// repeat that for the other side and are written in the same commit.
const (
	metaBucket            = "registry/meta"
	thingsBucket          = "registry/things"
	certificatesBucket    = "registry/certificates"
	policiesBucket        = "registry/policies"
	groupsBucket          = "registry/groups"
	typesBucket           = "registry/types"
	billingGroupsBucket   = "registry/billing-groups"
	caCertificatesBucket  = "registry/ca-certificates"
	byAgeBucket           = "registry/by-age"
	certThingsBucket      = "registry/cert-things"
	thingCertsBucket      = "registry/thing-certs"
	policyTargetsBucket   = "registry/policy-targets"
	groupChildrenBucket   = "registry/group-children"
	groupThingsBucket     = "registry/group-things"
	billingThingsBucket   = "registry/billing-things"
	typeThingsBucket      = "registry/type-things"
	attributeThingsBucket = "registry/attribute-things"
	caSubjectsBucket      = "registry/ca-subjects"
	tagsBucket            = "registry/tags"

	formatKey = "format"
	format    = 1
)

// checkFormat writes the number of the layout into a fresh store and refuses a newer one.
func checkFormat(ctx context.Context, s store.Store) error {
	d, err := s.Get(ctx, metaBucket, formatKey)
	if fault.Is(err, fault.NotFound) {
		err = documents.Commit(s, store.DocOp{
			Bucket: metaBucket, Key: formatKey, Value: strconv.AppendInt(nil, format, 10), If: store.Condition{Absent: true},
		}, documents.Mark(metaBucket, attributesIndexed))
		if fault.Is(err, fault.Conflict) {
			return checkFormat(ctx, s) // another node was faster
		}
		return err
	}
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(string(d.Value)); err != nil || n != format {
		return fault.New(fault.Unsupported, "the registry in this store has format %s, this thingwire knows format %d",
			fault.Quoted(string(d.Value)), format).WithRemedy("use the thingwire that wrote it, or a newer one")
	}
	return nil
}

// commit makes ops durable together and lets the cache forget what they change, so that whoever made the change sees it.
func (r *Registry) commit(ops ...store.DocOp) error {
	if err := documents.Commit(r.cfg.Store, ops...); err != nil {
		return err
	}
	for i := range ops {
		r.cache.forget(ops[i].Bucket, ops[i].Key)
	}
	return nil
}
