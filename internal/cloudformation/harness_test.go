package cloudformation

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "123456789012"

// world is stacks and keys on one store, with a clock that a test sets.
type world struct {
	*Stacks
	t     testing.TB
	store store.Store
	keys  *iam.Directory
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
	w := worldOn(t, s, iam.NewKey())
	t.Cleanup(w.keys.Close)
	return w
}

// worldOn opens a world on a store, as a start does.
func worldOn(t testing.TB, s store.Store, key iam.Key) *world {
	t.Helper()
	w := &world{t: t, store: s}
	w.clock.Store(time.Date(2026, 11, 26, 16, 0, 0, 0, time.UTC).Unix())
	keys, err := iam.Open(t.Context(), iam.Config{Account: account, Store: s, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	w.keys = keys
	w.Stacks, err = Open(t.Context(), Config{
		Account: account, Region: "us-east-1", Store: s, Keys: keys, Now: func() time.Time { return time.Unix(w.clock.Load(), 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

func everything(string, string) error { return nil }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// second is the error of a call whose answer does not matter.
func second[T any](_ T, err error) error { return err }

// want checks the code and the words of a refusal.
func want(t testing.TB, err error, code NameError, words string) {
	t.Helper()
	if name, _ := errors.AsType[NameError](err); err == nil || name != code || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v (%s), want %s %q", err, name, code, words)
	}
}

var bothCapabilities = []string{CapabilityNamedIAM}

// create makes a stack and gives it as it is then.
func (w *world) create(n NewStack) *Stack {
	w.t.Helper()
	if n.Capabilities == nil {
		n.Capabilities = bothCapabilities
	}
	id, err := w.Create(w.t.Context(), everything, n)
	w.must(err)
	return w.find(id)
}

func (w *world) find(nameOrID string) *Stack {
	w.t.Helper()
	st, err := w.Find(w.t.Context(), nameOrID)
	w.must(err)
	return st
}

// roles are the names of all roles.
func (w *world) roles() []string {
	w.t.Helper()
	roles, _, err := w.keys.ListRoles(w.t.Context(), "", iam.Page{})
	w.must(err)
	var names []string
	for _, r := range roles {
		names = append(names, r.Name)
	}
	return names
}

// story is what happened to a stack: logical ids and statuses, the first first.
func (w *world) story(id string) []string {
	w.t.Helper()
	_, events, err := w.Events(w.t.Context(), id)
	w.must(err)
	var story []string
	for _, e := range slices.Backward(events) {
		story = append(story, e.LogicalID+" "+string(e.Status))
	}
	return story
}

// sound checks that the store is whole.
func (w *world) sound() {
	w.t.Helper()
	for _, check := range []func() ([]string, error){
		func() ([]string, error) { return Check(w.t.Context(), w.store) },
		func() ([]string, error) { return iam.Check(w.t.Context(), w.store, iam.Key{}) },
	} {
		if problems, err := check(); err != nil || len(problems) > 0 {
			w.t.Error(problems, err)
		}
	}
}

const (
	trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}`
	allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}}`
)

// role is the text of a role with more properties, as JSON that begins with a comma.
func roleText(more string) string {
	return `{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":` + trust + more + `}}`
}

func resources(text string) string { return `{"Resources":{` + text + `}}` }

func unsupported(t testing.TB, err error, words string) {
	t.Helper()
	if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want %q not to be there", err, words)
	}
}
