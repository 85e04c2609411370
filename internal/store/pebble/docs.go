package pebble

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// buildDocs writes the operations of one store.Batch, or says why it is refused. err is one of the disk.
func (l *life) buildDocs(f *flight, ops []store.DocOp) (refused, err error) {
	b := &l.builder
	b.undo = b.undo[:0]
	noted := len(f.revs)
	for i := range ops {
		op := &ops[i]
		rev, known, err := l.revision(op.Bucket, op.Key)
		if err != nil {
			return nil, err
		}
		if refused = op.If.Check(op.Bucket, op.Key, rev); refused != nil {
			b.takeBack()
			f.revs, f.olds = f.revs[:noted], f.olds[:noted]
			return refused, nil
		}
		key := string(b.key)
		b.undo = append(b.undo, undo{key, rev, known})
		b.fresh[key] = rev + 1
		f.revs, f.olds = append(f.revs, rev+1), append(f.olds, rev)
		if op.Delete {
			b.fresh[key] = 0
			f.revs[len(f.revs)-1] = rev
		}
	}
	for i := range ops {
		if err := l.builder.addDoc(b.undo[i].key, &ops[i], f.revs[noted+i]); err != nil {
			return nil, err
		}
		f.keys = append(f.keys, b.undo[i].key)
	}
	return nil, nil
}

// revision is what a document has before the next operation, 0 if it is not there; known if the batch changed it. It
// leaves the key in b.key.
func (l *life) revision(bucket, key string) (rev uint64, known bool, err error) {
	b := &l.builder
	b.key = appendDocKey(b.key[:0], bucket, key)
	if rev, known := b.fresh[string(b.key)]; known {
		return rev, true, nil
	}
	v, closer, err := l.db.Get(b.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	rev, _, err = decodeDoc(v)
	return rev, false, errors.Join(err, closer.Close())
}

// takeBack forgets what the refused batch would have changed.
func (b *builder) takeBack() {
	for _, u := range slices.Backward(b.undo) {
		if u.known {
			b.fresh[u.key] = u.rev
		} else {
			delete(b.fresh, u.key)
		}
	}
}

func (b *builder) addDoc(key string, op *store.DocOp, rev uint64) error {
	if op.Delete {
		if rev == 0 {
			return nil
		}
		return b.batch.Delete([]byte(key), nil)
	}
	b.head = appendDocHead(b.head[:0], rev)
	d := b.batch.SetDeferred(len(key), len(b.head)+len(op.Value))
	copy(d.Key, key)
	copy(d.Value[copy(d.Value, b.head):], op.Value)
	return d.Finish()
}

// landings are the documents that pebble shows already and that are not yet durable; Store.mu guards them. A read of
// one waits for its landing. After a failed one the entry stays: nobody may see what is not on the disk.
type landings struct {
	by   map[string]*landing
	last *landing
}

type landing struct {
	over chan struct{} // closed when the flight is durable or has failed
	err  error
}

func (l *landings) board(f *flight) {
	if len(f.keys) == 0 {
		return
	}
	f.landing = &landing{over: make(chan struct{})}
	l.last = f.landing
	for _, key := range f.keys {
		l.by[key] = f.landing
	}
}

func (l *landings) land(f *flight) {
	if f.landing == nil {
		return
	}
	f.landing.err = f.err
	close(f.landing.over)
	if f.err != nil {
		return
	}
	for _, key := range f.keys {
		if l.by[key] == f.landing {
			delete(l.by, key)
		}
	}
}

// wait returns when the documents are durable; it is given what was in flight after the documents were read.
func (l *landing) wait(ctx context.Context) error {
	if l == nil {
		return nil
	}
	select {
	case <-l.over:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *life) landing(key string) *landing {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.docs.by[key]
}

func (l *life) lastLanding() *landing {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.docs.last
}

// Get reads a document; see store.Docs. If the document is being changed, it waits until that is durable.
func (s *Store) Get(ctx context.Context, bucket, key string) (store.Doc, error) {
	l, err := s.enter()
	if err != nil {
		return store.Doc{}, err
	}
	defer l.leave()
	if err := ctx.Err(); err != nil {
		return store.Doc{}, err
	}
	k := string(appendDocKey(nil, bucket, key))
	doc, err := l.get(k)
	if err != nil {
		return store.Doc{}, err
	}
	// Only now: what the read saw is either durable or still in flight.
	if err := l.landing(k).wait(ctx); err != nil {
		return store.Doc{}, err
	}
	if doc.Rev == 0 {
		return store.Doc{}, fault.New(fault.NotFound, "there is no document %s/%s", bucket, key)
	}
	doc.Key = key
	return doc, nil
}

func (l *life) get(key string) (store.Doc, error) {
	v, closer, err := l.db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return store.Doc{}, nil
	}
	if err != nil {
		return store.Doc{}, err
	}
	rev, value, err := decodeDoc(v)
	doc := store.Doc{Rev: rev, Value: append([]byte{}, value...)}
	return doc, errors.Join(err, closer.Close())
}

// Watch tells fn of each change in a bucket; see store.Docs.
func (s *Store) Watch(bucket string, fn func(store.Change)) (stop func()) {
	return s.watchers.Watch(bucket, fn)
}

// List walks documents; see store.Docs.
func (s *Store) List(ctx context.Context, bucket, prefix, after string, limit int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := s.list(ctx, bucket, prefix, after, limit, yield); err != nil {
			yield(store.Doc{}, err)
		}
	}
}

func (s *Store) list(ctx context.Context, bucket, prefix, after string, limit int, yield func(store.Doc, error) bool) error {
	l, err := s.enter()
	if err != nil {
		return err
	}
	defer l.leave()
	it, err := l.db.NewIter(listBounds(bucket, prefix, after))
	if err != nil {
		return err
	}
	defer it.Close() //nolint:errcheck // its error is seen below
	if err := l.lastLanding().wait(ctx); err != nil {
		return err
	}
	base := len(bucket) + 2
	n := 0
	for it.First(); it.Valid(); it.Next() {
		if n++; limit > 0 && n > limit {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		rev, value, err := decodeDoc(v)
		if err != nil {
			return err
		}
		if !yield(store.Doc{Key: string(it.Key()[base:]), Rev: rev, Value: append([]byte{}, value...)}, nil) {
			return nil
		}
	}
	return it.Error()
}

// listBounds are the keys that begin with prefix and are greater than after.
func listBounds(bucket, prefix, after string) *pebble.IterOptions {
	lower := appendDocKey(nil, bucket, prefix)
	upper := prefixEnd(lower)
	if after >= prefix && after != "" {
		lower = append(appendDocKey(nil, bucket, after), 0)
	}
	return &pebble.IterOptions{LowerBound: lower, UpperBound: upper}
}
