package iam_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "123456789012"

// world is a directory on a store in memory, with a clock that a test sets.
type world struct {
	*iam.Directory
	t     testing.TB
	store store.Store
	key   iam.Key
	clock atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s := mem.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: s, key: iam.NewKey()}
	w.clock.Store(time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC).Unix())
	w.Directory = w.open(w.key)
	return w
}

// open opens another directory on the same store, as a restart does.
func (w *world) open(key iam.Key) *iam.Directory {
	w.t.Helper()
	d, err := iam.Open(w.t.Context(), w.config(key))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Close)
	return d
}

func (w *world) config(key iam.Key) iam.Config {
	return iam.Config{Account: account, Store: w.store, Key: key, Now: func() time.Time { return time.Unix(w.clock.Load(), 0) }}
}

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

// user makes a user with one key that may do everything.
func (w *world) user(name string) (iam.AccessKey, iam.Secret) {
	w.t.Helper()
	w.must(second(w.CreateUser(w.t.Context(), name)))
	w.must(w.PutUserPolicy(w.t.Context(), name, "all", iam.Everything))
	key, secret, err := w.CreateAccessKey(w.t.Context(), name)
	w.must(err)
	return key, secret
}

func (w *world) session(key iam.AccessKey) *iam.Session {
	w.t.Helper()
	id, err := w.Identify(w.t.Context(), key.ID, "")
	w.must(err)
	s, err := w.SessionToken(w.t.Context(), id, 0)
	w.must(err)
	return s
}

func (w *world) commit(ops []store.DocOp) error {
	return w.store.Commit(&store.Batch{Docs: ops}).Wait()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// want checks the kind and the name of a refusal.
func want(t testing.TB, err error, k fault.Kind, n iam.NameError) {
	t.Helper()
	if name, _ := errors.AsType[iam.NameError](err); err == nil || fault.KindOf(err) != k || name != n {
		t.Errorf("got %v (%v), want %v %v", err, fault.KindOf(err), k, n)
	}
}

func wantUnknown(t testing.TB, err error) {
	t.Helper()
	want(t, err, fault.Unauthenticated, iam.ErrUnrecognizedClient)
	if !iam.IsUnknown(err) {
		t.Errorf("IsUnknown says no to %v", err)
	}
}

// second is the error of a call whose answer does not matter.
func second[T any](_ T, err error) error { return err }

// may asks the policies of an identity.
func may(id *iam.Identity, action, resource string) bool {
	return id.Policies.Decide(&policy.Request{Action: action, Resource: resource, Vars: id.Vars}).Allowed
}

// changes collects what OnChange tells.
func (w *world) changes() <-chan iam.Change {
	heard := make(chan iam.Change, 100)
	w.t.Cleanup(w.OnChange(func(c iam.Change) { heard <- c }))
	return heard
}

// waitFor waits for one change.
func waitFor(ctx context.Context, t testing.TB, heard <-chan iam.Change, c iam.Change) {
	t.Helper()
	for {
		select {
		case got := <-heard:
			if got == c {
				return
			}
		case <-ctx.Done():
			t.Fatalf("never heard of %+v", c)
		}
	}
}
