package documents

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Load reads one document into a T and gives its revision; fault.NotFound if there is none.
func Load[T any](ctx context.Context, s store.Docs, bucket, key string) (*T, uint64, error) {
	d, err := s.Get(ctx, bucket, key)
	if err != nil {
		return nil, 0, err
	}
	v, err := Decode[T](bucket, d)
	return v, d.Rev, err
}

// Decode reads a document that was listed.
func Decode[T any](bucket string, d store.Doc) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(d.Value, v); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "document %q of %s cannot be read", d.Key, bucket)
	}
	return v, nil
}

// List walks the documents of a bucket as store.Docs.List does, each read as a T. An error, also that of one document that
// cannot be read, is the last thing yielded.
func List[T any](ctx context.Context, s store.Docs, bucket, prefix, after string, limit int) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for d, err := range s.List(ctx, bucket, prefix, after, limit) {
			var v *T
			if err == nil {
				v, err = Decode[T](bucket, d)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Put is the write of v under a condition. It panics on what JSON cannot say, which is a mistake of the program.
func Put(bucket, key string, v any, when store.Condition) store.DocOp {
	value, err := json.Marshal(v)
	if err != nil {
		panic("documents: " + bucket + " has what cannot be marshalled: " + err.Error())
	}
	return store.DocOp{Bucket: bucket, Key: key, Value: value, If: when}
}

// Remove is the deletion of a document under a condition.
func Remove(bucket, key string, when store.Condition) store.DocOp {
	return store.DocOp{Bucket: bucket, Key: key, Delete: true, If: when}
}

// Mark is the write of a document whose key says it all.
func Mark(bucket, key string) store.DocOp {
	return store.DocOp{Bucket: bucket, Key: key, Value: []byte("{}")}
}

// Absent holds for the first writer alone.
var Absent = store.Condition{Absent: true}

// AtRev holds while nobody else has written since the revision was read.
func AtRev(rev uint64) store.Condition { return store.Condition{Rev: rev} }

// Commit makes ops durable together, and waits for it.
func Commit(s store.Store, ops ...store.DocOp) error {
	return s.Commit(&store.Batch{Docs: ops}).Wait()
}
