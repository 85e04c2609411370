package registry

import (
	"github.com/thingwire/thingwire/internal/store/documents"
)

// news tells of certificates; what waits to be told is the name of a document.
type news = documents.News[document, string]

func openNews(r *Registry) *news {
	n := documents.OpenNews(r.concerns)
	for _, bucket := range []string{certificatesBucket, policiesBucket, thingsBucket, groupsBucket} {
		n.Watch(r.cfg.Store, bucket, func(key string) document {
			r.cache.forget(bucket, key)
			return document{bucket, key}
		})
	}
	return n
}

// OnChange calls fn after each durable change that may alter what Identify answers for a certificate: its status, its
// attachments, its policies and their versions, the attributes of its things, their groups and the policies of these. By then the cache has forgotten, so an
// Identify in fn sees the change. It comes within milliseconds, one call at a time, on a goroutine of the registry:
// fn may call the registry but must not wait for anything slow. stop ends it; a call that runs is not waited for.
func (r *Registry) OnChange(fn func(certificateID string)) (stop func()) { return r.news.OnChange(fn) }

// concerns tells of each certificate that a document concerns. Reads fail only when the store closes or breaks, and then
// nothing connects any more.
func (r *Registry) concerns(d document, tell func(certificateID string)) {
	switch d.bucket {
	case certificatesBucket:
		tell(d.key)
	case thingsBucket:
		r.each(thingCertsBucket, d.key, tell)
	case groupsBucket:
		r.concernsGroup(d.key, tell)
	case policiesBucket:
		r.each(policyTargetsBucket, d.key+"/"+certificateKind, tell)
		r.each(policyTargetsBucket, d.key+"/"+groupKind, func(group string) { r.concernsGroup(group, tell) })
	}
}

// concernsGroup tells of the things in a group and in all groups below, which have its policies too.
func (r *Registry) concernsGroup(group string, tell func(certificateID string)) {
	r.each(groupThingsBucket, group, func(thing string) { r.each(thingCertsBucket, thing, tell) })
	r.each(groupChildrenBucket, group, func(below string) { r.concernsGroup(below, tell) })
}

// each calls fn with what an index bucket holds below a key, until the registry closes.
func (r *Registry) each(bucket, key string, fn func(string)) {
	names, _, err := r.keysOf(r.background, bucket, key+"/", Page{})
	if err != nil {
		return
	}
	for _, name := range names {
		fn(name)
	}
}
