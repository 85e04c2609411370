package registry

import (
	"crypto/x509"
	"fmt"
	"maps"
	random "math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// TestCutInEveryCall cuts the power before each operation on the disk of each call that changes something, with whatever
// part of the unsynced bytes. Afterwards the call is there as a whole or not at all, it is there if it was acknowledged,
// and Check finds nothing.
func TestCutInEveryCall(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if n := os.Getenv("THINGWIRE_CRASH_SEEDS"); n != "" { // of make crash; a seed here is as long as some hundred in broker
		all, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds += all / 500
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := newCutter(t, seed)
			for _, call := range c.calls() {
				c.cutCall(call)
			}
		})
	}
}

// cutter is a registry on a disk whose power is cut.
type cutter struct {
	t     *testing.T
	disk  *vfs.MemFS
	store *pebble.Store
	*Registry

	mu   sync.Mutex
	luck *random.Rand
	cuts []*vfs.MemFS // disks as they were after a cut
	on   bool
}

// cutCall is one call to a registry. In steps means that it is several changes by design, each of which is whole.
type cutCall struct {
	name    string
	call    func() error
	inSteps bool
}

func newCutter(t *testing.T, seed uint64) *cutter {
	c := &cutter{t: t, disk: vfs.NewCrashableMem(), luck: random.New(random.NewPCG(seed, 1))}
	var err error
	if c.store, err = pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(c.disk, c)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Registry = openOn(t, c.store, testAuthority())
	return c
}

// String is the cutter's name as an injector of errors. It makes none.
func (c *cutter) String() string { return "cutter" }

// MaybeError is called before each operation on the disk.
func (c *cutter) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		c.cut()
	}
	return nil
}

// cut keeps the disk as it would be after a cut now; the caller holds the lock.
func (c *cutter) cut() {
	c.cuts = append(c.cuts, c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.luck.IntN(3) * 50, RNG: c.luck}))
}

// recorded calls fn and gives the cuts in it, and those after it.
func (c *cutter) recorded(fn func() error) (during, after []*vfs.MemFS, err error) {
	c.turn(true)
	err = fn()
	c.mu.Lock()
	during = c.cuts
	c.cuts = nil
	c.cut() // what was acknowledged is there
	after, c.cuts, c.on = c.cuts, nil, false
	c.mu.Unlock()
	return during, after, err
}

func (c *cutter) turn(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.cuts = on, nil
}

func (c *cutter) cutCall(call cutCall) {
	before := contents(c.t, c.store)
	during, after, err := c.recorded(call.call)
	if err != nil {
		c.t.Fatalf("%s: %v", call.name, err)
	}
	now := contents(c.t, c.store)
	if maps.Equal(before, now) || len(during) == 0 {
		c.t.Errorf("%s changed nothing, or not on the disk", call.name)
	}
	for i, disk := range during {
		got := checkedContents(c.t, disk)
		if !call.inSteps && !maps.Equal(got, before) && !maps.Equal(got, now) {
			c.t.Errorf("%s, cut %d of %d: half of it is there", call.name, i+1, len(during))
		}
	}
	for _, disk := range after {
		if !maps.Equal(checkedContents(c.t, disk), now) {
			c.t.Errorf("%s was acknowledged and is not there", call.name)
		}
	}
}

var registryBuckets = []string{
	metaBucket, thingsBucket, certificatesBucket, policiesBucket, groupsBucket, typesBucket, billingGroupsBucket, caCertificatesBucket,
	byAgeBucket, certThingsBucket, thingCertsBucket, policyTargetsBucket, groupChildrenBucket, groupThingsBucket, billingThingsBucket,
	typeThingsBucket, attributeThingsBucket, caSubjectsBucket, tagsBucket,
}

// contents are all documents of a registry.
func contents(t testing.TB, s store.Docs) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, bucket := range registryBuckets {
		for d, err := range s.List(t.Context(), bucket, "", "", 0) {
			must(t, err)
			all[bucket+" "+d.Key] = string(d.Value)
		}
	}
	return all
}

// checkedContents are what a start on a disk after a cut finds, and Check is content with it.
func checkedContents(t testing.TB, disk *vfs.MemFS) map[string]string {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: disk})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	problems, err := Check(t.Context(), s)
	if err != nil || len(problems) > 0 {
		t.Errorf("after a cut: %q, %v", problems, err)
	}
	return contents(t, s)
}

// calls are one of each that changes more than one document, and of those that change one.
func (c *cutter) calls() []cutCall {
	ctx, t := c.t.Context(), c.t
	factory := newCA(t, "factory")
	var keys *KeysAndCertificate
	arn := func() string { return c.ARN("cert/" + keys.ID) }
	group := c.ARN("thinggroup/house")
	return []cutCall{
		{name: "CreateThingType", call: func() error {
			_, err := c.CreateThingType(ctx, ThingTypeSpec{Name: "bulb", Tags: []Tag{{"a", "b"}}})
			return err
		}},
		{name: "UpdateThingType", call: func() error { return c.UpdateThingType(ctx, "bulb", ThingTypeUpdate{Searchable: []string{"floor"}}) }},
		{name: "CreateBillingGroup", call: func() error {
			_, err := c.CreateBillingGroup(ctx, BillingGroupSpec{Name: "north", Tags: []Tag{{"a", "b"}}})
			return err
		}},
		{name: "CreateThing", call: func() error {
			_, err := c.CreateThing(ctx, ThingSpec{Name: "lamp", Type: "bulb", BillingGroup: "north", Attributes: map[string]string{"floor": "1", "room": "k"}})
			return err
		}},
		{name: "UpdateThing", call: func() error {
			return c.UpdateThing(ctx, "lamp", ThingUpdate{RemoveType: true, Replace: true, Attributes: map[string]string{"floor": "2"}})
		}},
		{name: "UpdateThing back", call: func() error { return c.UpdateThing(ctx, "lamp", ThingUpdate{Type: "bulb"}) }},
		{name: "RemoveThingFromBillingGroup", call: func() error { return c.RemoveThingFromBillingGroup(ctx, "north", "lamp") }},
		{name: "AddThingToBillingGroup", call: func() error { return c.AddThingToBillingGroup(ctx, "north", "lamp") }},
		{name: "CreateThingGroup", call: func() error {
			_, err := c.CreateThingGroup(ctx, ThingGroupSpec{Name: "house", Tags: []Tag{{"a", "b"}}})
			return err
		}},
		{name: "CreateThingGroup below", call: func() error {
			_, err := c.CreateThingGroup(ctx, ThingGroupSpec{Name: "floor", Parent: "house"})
			return err
		}},
		{name: "CreateThingGroup beside", call: func() error { _, err := c.CreateThingGroup(ctx, ThingGroupSpec{Name: "shed"}); return err }},
		{name: "UpdateThingGroup", call: func() error {
			_, err := c.UpdateThingGroup(ctx, "house", ThingGroupUpdate{Attributes: map[string]string{"a": "b"}})
			return err
		}},
		{name: "AddThingToThingGroup", call: func() error { return c.AddThingToThingGroup(ctx, "floor", "lamp") }},
		{name: "UpdateThingGroupsForThing", call: func() error {
			return c.UpdateThingGroupsForThing(ctx, "lamp", []string{"house", "shed"}, []string{"floor"})
		}},
		{name: "RemoveThingFromThingGroup", call: func() error { return c.RemoveThingFromThingGroup(ctx, "house", "lamp") }},
		{name: "CreatePolicy", call: func() error { _, err := c.CreatePolicy(ctx, "p", allowAll, Tag{"a", "b"}); return err }},
		{name: "CreatePolicyVersion", call: func() error { _, err := c.CreatePolicyVersion(ctx, "p", allowOne, true); return err }},
		{name: "SetDefaultPolicyVersion", call: func() error { return c.SetDefaultPolicyVersion(ctx, "p", "1") }},
		{name: "DeletePolicyVersion", call: func() error { return c.DeletePolicyVersion(ctx, "p", "2") }},
		{name: "CreateKeysAndCertificate", call: func() (err error) { keys, err = c.CreateKeysAndCertificate(ctx, true); return err }},
		{name: "CreateCertificateFromCSR", call: func() error { _, err := c.CreateCertificateFromCSR(ctx, csr(t, newKey(t)), true); return err }},
		{name: "RegisterCertificateWithoutCA", call: func() error { _, err := c.RegisterCertificateWithoutCA(ctx, toPEM(selfSigned(t)), Active); return err }},
		{name: "GetRegistrationCode", call: func() error { _, err := c.RegistrationCode(ctx); return err }},
		{name: "RegisterCACertificate", call: func() error {
			factory.registered(c.Registry)
			return nil
		}},
		{name: "RegisterCertificate", call: func() error {
			_, err := c.RegisterCertificate(ctx, toPEM(factory.issue("a")), toPEM(factory.cert), Active)
			return err
		}},
		{name: "Introduce", call: func() error {
			_, err := c.Introduce(ctx, []*x509.Certificate{factory.issue("b"), factory.cert})
			return err
		}},
		{name: "AttachPolicy", call: func() error { return c.AttachPolicy(ctx, "p", arn()) }},
		{name: "AttachPolicy to a group", call: func() error { return c.AttachPolicy(ctx, "p", group) }},
		{name: "AttachThingPrincipal", call: func() error { return c.AttachThingPrincipal(ctx, "lamp", arn(), "") }},
		{name: "AttachThingPrincipal exclusively", call: func() error { return c.AttachThingPrincipal(ctx, "lamp", arn(), Exclusive) }},
		{name: "TagResource", call: func() error { return c.TagResource(ctx, group, []Tag{{"c", "d"}}) }},
		{name: "UntagResource", call: func() error { return c.UntagResource(ctx, group, []string{"a"}) }},
		{name: "UpdateEventConfigurations", call: func() error { return c.UpdateEventConfigurations(ctx, map[EventType]bool{ThingEvents: true}) }},
		{name: "SetLoggingOptions", call: func() error { return c.SetLogging(ctx, LoggingUpdate{DefaultLevel: "ERROR"}) }},
		{name: "UpdateCertificate", call: func() error { return c.UpdateCertificate(ctx, keys.ID, Inactive) }},
		{name: "DetachThingPrincipal", call: func() error { return c.DetachThingPrincipal(ctx, "lamp", arn()) }},
		{name: "DeleteCertificate", call: func() error { return c.DeleteCertificate(ctx, keys.ID, true) }},
		{name: "DetachPolicy", call: func() error { return c.DetachPolicy(ctx, "p", group) }},
		{name: "DeletePolicy", call: func() error { return c.DeletePolicy(ctx, "p") }},
		{name: "DeleteThing", call: func() error { return c.DeleteThing(ctx, "lamp", nil) }},
		{name: "fill groups", inSteps: true, call: c.fillGroups},
		{name: "DeleteThingGroup with many things", inSteps: true, call: func() error { return c.DeleteThingGroup(ctx, "floor", nil) }},
		{name: "DeleteBillingGroup with many things", inSteps: true, call: func() error { return c.DeleteBillingGroup(ctx, "north", nil) }},
		{name: "DeleteThingGroup", call: func() error { return c.DeleteThingGroup(ctx, "house", nil) }},
		{name: "UpdateCACertificate off", call: func() error {
			return c.UpdateCACertificate(ctx, Fingerprint(factory.cert.Raw), CAUpdate{Status: Inactive})
		}},
		{name: "DeleteCACertificate", call: func() error { return c.DeleteCACertificate(ctx, Fingerprint(factory.cert.Raw)) }},
	}
}

// fillGroups makes more things than leave their groups in one commit.
func (c *cutter) fillGroups() error {
	c.turn(false)
	for i := range 120 {
		name := fmt.Sprintf("t%d", i)
		if _, err := c.CreateThing(c.t.Context(), ThingSpec{Name: name, BillingGroup: "north"}); err != nil {
			return err
		}
		if err := c.AddThingToThingGroup(c.t.Context(), "floor", name); err != nil {
			return err
		}
	}
	c.turn(true)
	return c.AddThingToThingGroup(c.t.Context(), "shed", "t0")
}
