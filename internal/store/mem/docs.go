package mem

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// bucket holds documents whose values are never changed in place.
type bucket struct {
	docs map[string]store.Doc
	keys []string // sorted, nil when it must be made again
}

type change struct {
	store.Change
	bucket string
}

// undo is what a document was before a batch; Rev 0 if it was not there.
type undo struct {
	bucket string
	doc    store.Doc
}

// applyDocs does the operations in order and takes all of them back at the first whose condition does not hold. The
// caller holds the lock.
func (s *Store) applyDocs(ops []store.DocOp, changes []change) ([]change, error) {
	var done []undo
	for i := range ops {
		op := &ops[i]
		old := s.bucket(op.Bucket).docs[op.Key]
		if err := op.If.Check(op.Bucket, op.Key, old.Rev); err != nil {
			s.takeBack(done)
			return nil, err
		}
		if op.Delete && old.Rev == 0 {
			continue
		}
		old.Key = op.Key
		done = append(done, undo{op.Bucket, old})
		changes = append(changes, s.applyDoc(op, old.Rev))
	}
	return changes, nil
}

func (s *Store) applyDoc(op *store.DocOp, rev uint64) change {
	if op.Delete {
		s.bucket(op.Bucket).delete(op.Key)
		return change{store.Change{Doc: store.Doc{Key: op.Key, Rev: rev}, Deleted: true}, op.Bucket}
	}
	doc := store.Doc{Key: op.Key, Rev: rev + 1, Value: append([]byte{}, op.Value...)}
	s.bucket(op.Bucket).put(doc)
	return change{store.Change{Doc: doc}, op.Bucket}
}

func (s *Store) takeBack(done []undo) {
	for _, u := range slices.Backward(done) {
		if u.doc.Rev == 0 {
			s.bucket(u.bucket).delete(u.doc.Key)
		} else {
			s.bucket(u.bucket).put(u.doc)
		}
	}
}

func (s *Store) bucket(name string) *bucket {
	b := s.buckets[name]
	if b == nil {
		b = &bucket{docs: make(map[string]store.Doc)}
		s.buckets[name] = b
	}
	return b
}

func (b *bucket) put(doc store.Doc) {
	if _, ok := b.docs[doc.Key]; !ok {
		b.keys = nil
	}
	b.docs[doc.Key] = doc
}

func (b *bucket) delete(key string) {
	if _, ok := b.docs[key]; ok {
		b.keys = nil
	}
	delete(b.docs, key)
}

// sorted gives the keys in order, sorting them only if one came or went.
func (b *bucket) sorted() []string {
	if b.keys == nil {
		b.keys = slices.Sorted(maps.Keys(b.docs))
	}
	return b.keys
}

// Get reads a document; see store.Docs.
func (s *Store) Get(ctx context.Context, bucket, key string) (store.Doc, error) {
	if err := ctx.Err(); err != nil {
		return store.Doc{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return store.Doc{}, err
	}
	if b := s.buckets[bucket]; b != nil {
		if doc, ok := b.docs[key]; ok {
			return owned(doc), nil
		}
	}
	return store.Doc{}, fault.New(fault.NotFound, "there is no document %s/%s", bucket, key)
}

// owned is doc with a value that the caller may keep and change.
func owned(doc store.Doc) store.Doc {
	doc.Value = append([]byte{}, doc.Value...)
	return doc
}

// List walks documents; see store.Docs.
func (s *Store) List(ctx context.Context, bucket, prefix, after string, limit int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		docs, err := s.list(bucket, prefix, after, limit)
		if err != nil {
			yield(store.Doc{}, err)
			return
		}
		for _, doc := range docs {
			if err := ctx.Err(); err != nil {
				yield(store.Doc{}, err)
				return
			}
			if !yield(owned(doc), nil) {
				return
			}
		}
	}
}

// list takes the picture that a List walks along.
func (s *Store) list(bucket, prefix, after string, limit int) ([]store.Doc, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readable(); err != nil {
		return nil, err
	}
	b := s.buckets[bucket]
	if b == nil {
		return nil, nil
	}
	keys := b.sorted()
	from, _ := slices.BinarySearch(keys, max(prefix, after))
	var docs []store.Doc
	for _, key := range keys[from:] {
		if !strings.HasPrefix(key, prefix) || limit > 0 && len(docs) == limit {
			break
		}
		if after == "" || key > after {
			docs = append(docs, b.docs[key])
		}
	}
	return docs, nil
}
