package registry

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
)

func TestIdentifyRefusals(t *testing.T) {
	r := newRegistry(t)
	_, err := r.Identify([32]byte{1})
	wantKind(t, err, fault.Unauthenticated, ErrCertificateNotRegistered)
	id, _ := register(t, r)
	for status, name := range map[Status]NameError{Inactive: ErrCertificateInactive, Revoked: ErrCertificateRevoked} {
		must(t, r.UpdateCertificate(t.Context(), id, status))
		_, err := identify(t, r, id)
		wantKind(t, err, fault.Unauthenticated, name)
	}
	must(t, r.UpdateCertificate(t.Context(), id, Active))
	_, err = identify(t, r, id)
	must(t, err)
}

func allowed(id *Identity, topic string) bool {
	return id.Policies.Decide(&policy.Request{
		Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:000000000000:topic/" + topic,
		Vars: id.Connection("lamp", netip.Addr{}, ""), Now: time.Unix(0, 0),
	}).Allowed
}

// Whoever made a change sees it in the next Identify, whatever was cached.
func TestIdentifySeesEachChange(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	id, arn := register(t, r)
	newThings(t, r, "lamp")
	_, err := r.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	for _, step := range []struct {
		name   string
		change func() error
		one    bool // may publish on one
		two    bool
		things int
	}{
		{"nothing", func() error { return nil }, false, false, 0},
		{"attach policy", func() error { return r.AttachPolicy(ctx, "p", arn) }, true, false, 0},
		{"new version", func() error { _, err := r.CreatePolicyVersion(ctx, "p", allowAll, false); return err }, true, false, 0},
		{"set default", func() error { return r.SetDefaultPolicyVersion(ctx, "p", "2") }, true, true, 0},
		{"set default back", func() error { return r.SetDefaultPolicyVersion(ctx, "p", "1") }, true, false, 0},
		{"attach thing", func() error { return r.AttachThingPrincipal(ctx, "lamp", arn, "") }, true, false, 1},
		{"detach policy", func() error { return r.DetachPolicy(ctx, "p", arn) }, false, false, 1},
		{"detach thing", func() error { return r.DetachThingPrincipal(ctx, "lamp", arn) }, false, false, 0},
	} {
		must(t, step.change())
		got, err := identify(t, r, id)
		must(t, err)
		if allowed(got, "one") != step.one || allowed(got, "two") != step.two || len(got.Things) != step.things {
			t.Errorf("%s: one %v, two %v, %d things", step.name, allowed(got, "one"), allowed(got, "two"), len(got.Things))
		}
		again, err := identify(t, r, id)
		must(t, err)
		if got != again {
			t.Errorf("%s: not cached", step.name)
		}
	}
}

func TestConnection(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	id, arn := register(t, r)
	_, err := r.CreateThing(ctx, ThingSpec{Name: "lamp", Attributes: map[string]string{"floor": "2"}})
	must(t, err)
	must(t, r.AttachThingPrincipal(ctx, "lamp", arn, ""))
	ident, err := identify(t, r, id)
	must(t, err)
	ip := netip.MustParseAddr("192.0.2.1")

	c := ident.Connection("lamp", ip, "iot.example")
	if c.ClientID != "lamp" || !c.HasClientID || c.SourceIP != ip || c.DomainName != "iot.example" ||
		c.CertificateID != id || c.Certificate == nil || c.ThingName != "lamp" || !c.ThingAttached || c.ThingAttributes["floor"] != "2" {
		t.Errorf("connection of the thing: %+v", c)
	}
	c = ident.Connection("other", ip, "")
	if c.ThingName != "" || c.ThingAttached {
		t.Errorf("another client id is %q", c.ThingName)
	}
	if c = ident.Connection("", ip, ""); c.HasClientID || c.ThingName != "" {
		t.Errorf("no client id: %+v", c)
	}
	must(t, r.AttachThingPrincipal(ctx, "lamp", arn, Exclusive))
	ident, err = identify(t, r, id)
	must(t, err)
	if c = ident.Connection("other", ip, ""); c.ThingName != "lamp" || !c.ThingAttached {
		t.Errorf("exclusive attachment: %+v", c)
	}
}

// hear collects what OnChange tells.
func hear(t *testing.T, r *Registry) <-chan string {
	told := make(chan string, 1000)
	t.Cleanup(r.OnChange(func(id string) { told <- id }))
	return told
}

// wantTold waits until each of want was told and, each time looking after it was told, seen holds for it. A certificate
// may be told of more often than it changes.
func wantTold(t *testing.T, told <-chan string, seen func(id string) bool, want ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for len(missing) > 0 {
		select {
		case id := <-told:
			if seen(id) {
				delete(missing, id)
			}
		case <-deadline.C:
			t.Fatalf("not told of %v", missing)
		}
	}
}

// Each change reaches the listener of another node, and by then Identify there gives the new answer.
func TestOnChange(t *testing.T) {
	s := newStore(t)
	here, there := openOn(t, s, nil), openOn(t, s, nil)
	ctx := t.Context()
	told := hear(t, there)
	a, arnA := register(t, here)
	b, arnB := register(t, here)
	_, err := here.CreatePolicy(ctx, "p", allowOne)
	must(t, err)
	newThings(t, here, "lamp")
	known := func(id string) (*Identity, bool) {
		got, err := identify(t, there, id)
		return got, err == nil
	}
	refused := func(name NameError) func(string) bool {
		return func(id string) bool {
			_, err := identify(t, there, id)
			got, _ := errors.AsType[NameError](err)
			return got == name
		}
	}
	for _, step := range []struct {
		name   string
		change func() error
		seen   func(id string) bool
		want   []string
	}{
		{
			"attach policy", func() error { return here.AttachPolicy(ctx, "p", arnA) },
			func(id string) bool { got, ok := known(id); return ok && allowed(got, "one") },
			[]string{a},
		},
		{
			"attach to another", func() error { return here.AttachPolicy(ctx, "p", arnB) },
			func(id string) bool { got, ok := known(id); return ok && allowed(got, "one") },
			[]string{b},
		},
		{
			"attach thing", func() error { return here.AttachThingPrincipal(ctx, "lamp", arnA, "") },
			func(id string) bool { got, ok := known(id); return ok && len(got.Things) == 1 },
			[]string{a},
		},
		{
			"attributes", func() error {
				return here.UpdateThing(ctx, "lamp", ThingUpdate{Attributes: map[string]string{"floor": "3"}})
			},
			func(id string) bool {
				got, ok := known(id)
				return ok && len(got.Things) == 1 && got.Things[0].Attributes["floor"] == "3"
			},
			[]string{a},
		},
		{
			"new default version", func() error { _, err := here.CreatePolicyVersion(ctx, "p", allowAll, true); return err },
			func(id string) bool { got, ok := known(id); return ok && allowed(got, "two") },
			[]string{a, b},
		},
		{"revoke", func() error { return here.UpdateCertificate(ctx, a, Revoked) }, refused(ErrCertificateRevoked), []string{a}},
		{"detach thing", func() error { return here.DetachThingPrincipal(ctx, "lamp", arnA) }, refused(ErrCertificateRevoked), []string{a}},
		{"delete", func() error { return here.DeleteCertificate(ctx, a, true) }, refused(ErrCertificateNotRegistered), []string{a}},
	} {
		t.Run(step.name, func(t *testing.T) {
			must(t, step.change())
			wantTold(t, told, step.seen, step.want...)
		})
	}
}

func TestOnChangeStops(t *testing.T) {
	r := newRegistry(t)
	id, _ := register(t, r)
	stop := r.OnChange(func(string) { t.Error("told after stop") })
	stop()
	told := hear(t, r)
	must(t, r.UpdateCertificate(t.Context(), id, Inactive))
	wantTold(t, told, func(string) bool { return true }, id)
}

// fn may call the registry, also to change something.
func TestOnChangeMayCallBack(t *testing.T) {
	r := newRegistry(t)
	id, _ := register(t, r)
	done := make(chan error, 10)
	defer r.OnChange(func(id string) {
		if _, err := identify(t, r, id); err != nil {
			done <- r.UpdateCertificate(t.Context(), id, Active)
		}
	})()
	must(t, r.UpdateCertificate(t.Context(), id, Inactive))
	must(t, <-done)
}

// While one certificate is switched to and fro, no Identify after an acknowledged change gives the old answer.
func TestIdentifyIsNeverStale(t *testing.T) {
	s := newStore(t)
	r := openOn(t, s, nil)
	id, arn := register(t, r)
	_, err := r.CreatePolicy(t.Context(), "p", allowOne)
	must(t, err)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 { // readers that fill the cache at every moment
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = identify(t, r, id)
				}
			}
		})
	}
	for i := range 300 {
		if i%2 == 0 {
			must(t, r.AttachPolicy(t.Context(), "p", arn))
		} else {
			must(t, r.DetachPolicy(t.Context(), "p", arn))
		}
		got, err := identify(t, r, id)
		must(t, err)
		if allowed(got, "one") != (i%2 == 0) {
			t.Fatalf("change %d is not seen", i)
		}
	}
	close(stop)
	wg.Wait()
}

// A fleet with the same policies shares one compiled set.
func TestSetsAreShared(t *testing.T) {
	r := newRegistry(t)
	_, err := r.CreatePolicy(t.Context(), "p", allowOne)
	must(t, err)
	var sets []*policy.Set
	for range 3 {
		id, arn := register(t, r)
		must(t, r.AttachPolicy(t.Context(), "p", arn))
		got, err := identify(t, r, id)
		must(t, err)
		sets = append(sets, got.Policies)
	}
	if sets[0] != sets[1] || sets[1] != sets[2] {
		t.Error("three sets for one policy")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache()
	for i := range maxCached + 100 {
		var fp fingerprint
		fp[0], fp[1], fp[2] = byte(i), byte(i>>8), byte(i>>16)
		c.keep(fp, &Identity{madeFrom: []document{{policiesBucket, fmt.Sprint(i % 10)}}}, 0)
	}
	if len(c.identities) != maxCached {
		t.Errorf("%d identities", len(c.identities))
	}
	users := 0
	for _, u := range c.users {
		users += len(u)
	}
	if users != maxCached {
		t.Errorf("%d users", users)
	}
	for i := range 10 {
		c.forget(policiesBucket, fmt.Sprint(i))
	}
	if len(c.identities) != 0 || len(c.users) != 0 {
		t.Errorf("%d identities and %d users are left", len(c.identities), len(c.users))
	}
}

// A document that cannot be read must not make an identity that may do more.
func TestIdentifyFailsClosed(t *testing.T) {
	r := newRegistry(t)
	id, arn := register(t, r)
	_, err := r.CreatePolicy(t.Context(), "p", allowOne)
	must(t, err)
	must(t, r.AttachPolicy(t.Context(), "p", arn))
	must(t, r.commit(store.DocOp{Bucket: policiesBucket, Key: "p", Value: []byte(`{"default":1,"versions":[{"number":1,"document":"{"}]}`)}))
	_, err = identify(t, r, id)
	wantKind(t, err, fault.Internal, "")
	must(t, r.commit(store.DocOp{Bucket: policiesBucket, Key: "p", Delete: true}))
	_, err = identify(t, r, id)
	wantKind(t, err, fault.Internal, "")
}

func TestIdentifyAllocatesNothing(t *testing.T) {
	r := newRegistry(t)
	fp := attached(t, r)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.Identify(fp); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// attached is the fingerprint of a certificate with a policy and a thing.
func attached(t testing.TB, r *Registry) [32]byte {
	t.Helper()
	id, arn := register(t, r)
	_, err := r.CreatePolicy(t.Context(), "p", allowOne)
	must(t, err)
	newThings(t, r, "lamp")
	must(t, r.AttachPolicy(t.Context(), "p", arn))
	must(t, r.AttachThingPrincipal(t.Context(), "lamp", arn, ""))
	var fp [32]byte
	_, err = hex.Decode(fp[:], []byte(id))
	must(t, err)
	return fp
}

func BenchmarkIdentify(b *testing.B) {
	r := newRegistry(b)
	fp := attached(b, r)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Identify(fp); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkIdentifyCold(b *testing.B) {
	r := newRegistry(b)
	fp := attached(b, r)
	key := hex.EncodeToString(fp[:])
	b.ReportAllocs()
	for b.Loop() {
		r.cache.forget(certificatesBucket, key)
		if _, err := r.Identify(fp); err != nil {
			b.Fatal(err)
		}
	}
}
