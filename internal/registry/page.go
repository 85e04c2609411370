package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Page asks for a part of a list: at most Limit entries behind the key After.
type Page struct {
	After string // "" is the beginning; else what the page before gave as next
	Limit int    // no limit when 0
}

// keysOf lists the keys of a bucket behind a prefix, which it cuts off. next is "" when nothing follows.
func (r *Registry) keysOf(ctx context.Context, bucket, prefix string, p Page) (keys []string, next string, err error) {
	after := ""
	if p.After != "" {
		after = prefix + p.After
	}
	limit := 0
	if p.Limit > 0 {
		limit = p.Limit + 1 // one more, to know whether a page follows
	}
	for d, err := range r.cfg.Store.List(ctx, bucket, prefix, after, limit) {
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, strings.TrimPrefix(d.Key, prefix))
	}
	keys, next = cut(keys, p.Limit)
	return keys, next, nil
}

// cut leaves limit keys; the last one is where the next page begins, if there is one.
func cut(keys []string, limit int) ([]string, string) {
	if limit <= 0 || len(keys) <= limit {
		return keys, ""
	}
	return keys[:limit], keys[limit-1]
}

// maxLooked is how many entries a page looks at when a filter takes few of them: the page is then short, or empty, and
// the next one goes on. So a page costs the same in a registry of any size.
const maxLooked = 2500

// walk gives a page of what accept takes (not nil) of the documents of a bucket whose keys begin with prefix. Here p.After
// and next are whole keys.
func walk[T any](ctx context.Context, r *Registry, bucket, prefix string, p Page, accept func(store.Doc) (*T, error)) (list []T, next string, err error) {
	looked, last := 0, ""
	for d, err := range r.cfg.Store.List(ctx, bucket, prefix, p.After, 0) {
		if err != nil {
			return nil, "", err
		}
		if looked++; p.Limit > 0 && looked > maxLooked {
			return list, last, nil
		}
		v, err := accept(d)
		if err != nil {
			return nil, "", err
		}
		if v != nil {
			if p.Limit > 0 && len(list) == p.Limit {
				return list, last, nil
			}
			list = append(list, *v)
		}
		last = d.Key
	}
	return list, "", nil
}

// behind is the page of a list that is in order.
func behind(keys []string, p Page) ([]string, string) {
	i, there := slices.BinarySearch(keys, p.After)
	if there {
		i++
	}
	return cut(keys[i:], p.Limit)
}

// isEmpty reports whether no key of the bucket begins with prefix.
func (r *Registry) isEmpty(ctx context.Context, bucket, prefix string) (bool, error) {
	keys, _, err := r.keysOf(ctx, bucket, prefix, Page{Limit: 1})
	return len(keys) == 0, err
}

// AWS orders certificates and policies by their creation date, either way, but the store lists upwards only: there is an
// index for each way.
func ageKeys(kind string, created time.Time, name string) (asc, desc string) {
	t := uint64(created.UnixMilli())
	return fmt.Sprintf("%s%016x/%s", ageAscending(kind), t, name), fmt.Sprintf("%s%016x/%s", ageDescending(kind), ^t, name)
}

func ageAscending(kind string) string  { return kind + "/asc/" }
func ageDescending(kind string) string { return kind + "/desc/" }

func putAge(kind string, created time.Time, name string) []store.DocOp {
	asc, desc := ageKeys(kind, created, name)
	return []store.DocOp{documents.Mark(byAgeBucket, asc), documents.Mark(byAgeBucket, desc)}
}

func removeAge(kind string, created time.Time, name string) []store.DocOp {
	asc, desc := ageKeys(kind, created, name)
	return []store.DocOp{documents.Remove(byAgeBucket, asc, store.Condition{}), documents.Remove(byAgeBucket, desc, store.Condition{})}
}

// byAge lists names of a kind in the order of their creation.
func (r *Registry) byAge(ctx context.Context, kind string, ascending bool, p Page) (names []string, next string, err error) {
	prefix := ageDescending(kind)
	if ascending {
		prefix = ageAscending(kind)
	}
	keys, next, err := r.keysOf(ctx, byAgeBucket, prefix, p)
	for i, k := range keys {
		_, keys[i], _ = strings.Cut(k, "/")
	}
	return keys, next, err
}
