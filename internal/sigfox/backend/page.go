package backend

import (
	"context"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Page asks for a part of a list: at most Limit entries (100 when 0) behind the key After, which is "" or what the page
// before gave as next.
type Page struct {
	After string
	Limit int
}

const usualPage = 100

func (p Page) limit() int {
	if p.Limit <= 0 {
		return usualPage
	}
	return p.Limit
}

// list reads a page of documents whose keys begin with prefix; next is "" when nothing follows.
func list[T any](ctx context.Context, b *Backend, bucket, prefix string, p Page) (all []T, next string, err error) {
	after := ""
	if p.After != "" {
		after = prefix + p.After
	}
	last := ""
	for d, err := range b.cfg.Store.List(ctx, bucket, prefix, after, p.limit()+1) {
		if err != nil {
			return nil, "", err
		}
		if len(all) == p.limit() {
			return all, last, nil
		}
		v, err := documents.Decode[T](bucket, d)
		if err != nil {
			return nil, "", err
		}
		all, last = append(all, *v), d.Key[len(prefix):]
	}
	return all, "", nil
}

// keys are all keys of a bucket that begin with prefix.
func (b *Backend) keys(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	for d, err := range b.cfg.Store.List(ctx, bucket, prefix, "", 0) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, d.Key)
	}
	return keys, nil
}

// removals delete documents, whatever they are by then.
func removals(bucket string, keys []string) []store.DocOp {
	ops := make([]store.DocOp, len(keys))
	for i, key := range keys {
		ops[i] = documents.Remove(bucket, key, always)
	}
	return ops
}
