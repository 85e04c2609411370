package registry

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func newThings(t testing.TB, r *Registry, names ...string) {
	t.Helper()
	for _, n := range names {
		_, err := r.CreateThing(t.Context(), ThingSpec{Name: n})
		must(t, err)
	}
}

func TestAttachThingPrincipal(t *testing.T) {
	r := newRegistry(t)
	newThings(t, r, "a", "b", "c")
	_, arn := register(t, r)
	for _, n := range []string{"b", "a", "c", "a"} {
		must(t, r.AttachThingPrincipal(t.Context(), n, arn, NonExclusive))
	}
	var names []string
	page := Page{Limit: 2}
	for {
		list, next, err := r.ListPrincipalThings(t.Context(), arn, "", page)
		must(t, err)
		for _, a := range list {
			names = append(names, a.Thing)
		}
		if page.After = next; next == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "a b c" {
		t.Errorf("things %s", got)
	}
	list, _, err := r.ListThingPrincipals(t.Context(), "a", "", Page{})
	must(t, err)
	if len(list) != 1 || list[0].Principal != arn || list[0].Type != NonExclusive {
		t.Errorf("principals %+v", list)
	}
	list, _, err = r.ListThingPrincipals(t.Context(), "a", Exclusive, Page{})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("exclusive principals %+v", list)
	}
	must(t, r.DetachThingPrincipal(t.Context(), "a", arn))
	must(t, r.DetachThingPrincipal(t.Context(), "a", arn)) // again
	list, _, err = r.ListThingPrincipals(t.Context(), "a", "", Page{})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("principals %+v", list)
	}
}

func TestAttachThingPrincipalErrors(t *testing.T) {
	r := newRegistry(t)
	newThings(t, r, "a")
	_, arn := register(t, r)
	nobody := r.ARN("cert/" + strings.Repeat("0", 64))
	wantKind(t, r.AttachThingPrincipal(t.Context(), "b", arn, ""), fault.NotFound, "")
	wantKind(t, r.AttachThingPrincipal(t.Context(), "a", nobody, ""), fault.NotFound, "")
	wantKind(t, r.AttachThingPrincipal(t.Context(), "a", arn, "HALF"), fault.Invalid, "")
	wantKind(t, r.AttachThingPrincipal(t.Context(), "a/b", arn, ""), fault.Invalid, "")
	wantKind(t, r.DetachThingPrincipal(t.Context(), "b", arn), fault.NotFound, "")
	wantKind(t, r.DetachThingPrincipal(t.Context(), "a", nobody), fault.NotFound, "")
	_, _, err := r.ListThingPrincipals(t.Context(), "b", "", Page{})
	wantKind(t, err, fault.NotFound, "")
	_, _, err = r.ListPrincipalThings(t.Context(), nobody, "", Page{})
	wantKind(t, err, fault.NotFound, "")
	_, _, err = r.ListAttachedPolicies(t.Context(), nobody, false, Page{})
	wantKind(t, err, fault.NotFound, "")
	_, _, err = r.ListTargetsForPolicy(t.Context(), "nobody", Page{})
	wantKind(t, err, fault.NotFound, "")
}

func TestExclusiveAttachment(t *testing.T) {
	r := newRegistry(t)
	newThings(t, r, "a", "b")
	id, arn := register(t, r)
	must(t, r.AttachThingPrincipal(t.Context(), "a", arn, ""))
	must(t, r.AttachThingPrincipal(t.Context(), "b", arn, ""))
	wantKind(t, r.AttachThingPrincipal(t.Context(), "a", arn, Exclusive), fault.Invalid, "")
	must(t, r.DetachThingPrincipal(t.Context(), "b", arn))
	must(t, r.AttachThingPrincipal(t.Context(), "a", arn, Exclusive)) // changes its type
	wantKind(t, r.AttachThingPrincipal(t.Context(), "b", arn, ""), fault.Invalid, "")
	wantKind(t, r.AttachThingPrincipal(t.Context(), "b", arn, Exclusive), fault.Invalid, "")
	got, err := identify(t, r, id)
	must(t, err)
	if th := got.Thing("any client id"); th == nil || th.Name != "a" || !th.Exclusive {
		t.Errorf("thing of any client id: %+v", th)
	}
	must(t, r.AttachThingPrincipal(t.Context(), "a", arn, NonExclusive))
	must(t, r.AttachThingPrincipal(t.Context(), "b", arn, NonExclusive))
	must(t, r.DetachThingPrincipal(t.Context(), "a", arn))
	must(t, r.DetachThingPrincipal(t.Context(), "b", arn))
	c, err := r.DescribeCertificate(t.Context(), id)
	must(t, err)
	if c.Things != 0 || c.Exclusive != "" {
		t.Errorf("attached to %d things, exclusively %q", c.Things, c.Exclusive)
	}
}

// Two nodes attach one certificate exclusively to many things: one thing gets it.
func TestExclusiveAttachmentHasOneWinner(t *testing.T) {
	s := newStore(t)
	nodes := []*Registry{openOn(t, s, nil), openOn(t, s, nil)}
	_, arn := register(t, nodes[0])
	var wg sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("t%d", i)
		newThings(t, nodes[0], name)
		wg.Go(func() {
			err := nodes[i%2].AttachThingPrincipal(t.Context(), name, arn, Exclusive)
			if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, _, err := nodes[0].ListPrincipalThings(t.Context(), arn, "", Page{})
	must(t, err)
	if len(list) != 1 {
		t.Errorf("attached to %+v", list)
	}
}
