package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/registry"
)

// A fleet is things of one type, each with attributes, in a thing group and a billing group, with a certificate of its own
// that has one policy. THINGWIRE_THINGS says how many; few by default, so that `make bench` stays quick.
const (
	fleetVariable = "THINGWIRE_THINGS"
	fleetDefault  = 2000
	childVariable = "THINGWIRE_FLEET_CHILD" // is set in the process that is killed, whose data is in its working directory
)

func fleetSize(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv(fleetVariable)
	if text == "" {
		return fleetDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// fleetCertificate is a certificate of nobody's CA, in PEM.
func fleetCertificate(serial int) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(serial) + 1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}

// makeFleet registers n things.
func makeFleet(ctx context.Context, r *registry.Registry, n int) error {
	if _, err := r.CreateThingType(ctx, registry.ThingTypeSpec{Name: "bulb"}); err != nil {
		return err
	}
	if _, err := r.CreateThingGroup(ctx, registry.ThingGroupSpec{Name: "house"}); err != nil {
		return err
	}
	if _, err := r.CreateBillingGroup(ctx, registry.BillingGroupSpec{Name: "north"}); err != nil {
		return err
	}
	if _, err := r.CreatePolicy(ctx, "p", policy.AllowEverything(DefaultAccount, DefaultRegion)); err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(256) // who share a sync
	for i := range n {
		all.Go(func() error { return makeMember(ctx, r, i) })
	}
	return all.Wait()
}

func makeMember(ctx context.Context, r *registry.Registry, i int) error {
	name := fmt.Sprintf("thing-%06d", i)
	text, err := fleetCertificate(i)
	if err != nil {
		return err
	}
	c, err := r.RegisterCertificateWithoutCA(ctx, text, registry.Active)
	if err != nil {
		return err
	}
	_, err = r.CreateThing(ctx, registry.ThingSpec{
		Name: name, Type: "bulb", BillingGroup: "north",
		Attributes: map[string]string{"serial": fmt.Sprintf("S%06d", i), "floor": strconv.Itoa(i % 10)},
	})
	if err != nil {
		return err
	}
	arn := r.ARN("cert/" + c.ID)
	for _, step := range []func() error{
		func() error { return r.AddThingToThingGroup(ctx, "house", name) },
		func() error { return r.AttachPolicy(ctx, "p", arn) },
		func() error { return r.AttachThingPrincipal(ctx, name, arn, "") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// makeStray registers a thing that is not of the fleet.
func makeStray(ctx context.Context, r *registry.Registry) error {
	name := "stray-" + uuid.NewString()
	text, err := fleetCertificate(0) // its key is another one each time
	if err != nil {
		return err
	}
	c, err := r.RegisterCertificateWithoutCA(ctx, text, registry.Active)
	if err != nil {
		return err
	}
	if _, err := r.CreateThing(ctx, registry.ThingSpec{Name: name, Attributes: map[string]string{"floor": "1"}}); err != nil {
		return err
	}
	return r.AttachThingPrincipal(ctx, name, r.ARN("cert/"+c.ID), "")
}

// useFleet lists all things, and asks whose each certificate is, as their connections would.
func useFleet(ctx context.Context, r *registry.Registry) error {
	for page := (registry.Page{Limit: 250}); ; {
		_, next, err := r.ListThings(ctx, registry.ThingFilter{}, page)
		if err != nil {
			return err
		}
		if page.After = next; next == "" {
			break
		}
	}
	for page := (registry.Page{Limit: 250}); ; {
		certs, next, err := r.ListCertificates(ctx, true, page)
		if err != nil {
			return err
		}
		for i := range certs {
			var id [32]byte
			if _, err := hex.Decode(id[:], []byte(certs[i].ID)); err != nil {
				return err
			}
			if _, err := r.Identify(id); err != nil {
				return err
			}
		}
		if page.After = next; next == "" {
			return nil
		}
	}
}

// BenchmarkFleetPages reads pages of 250 of a fleet, the first one and the last: they cost the same, in a fleet of any size.
func BenchmarkFleetPages(b *testing.B) {
	s, _ := begin(b, quiet(b))
	r, n := s.Registry(), fleetSize(b)
	if err := makeFleet(b.Context(), r, n); err != nil {
		b.Fatal(err)
	}
	// One thing has many certificates, and one certificate many things.
	ctx := b.Context()
	certs, _, err := r.ListCertificates(ctx, true, registry.Page{Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	hub := r.ARN("cert/" + certs[0].ID)
	var all errgroup.Group
	all.SetLimit(256)
	for i := range n {
		all.Go(func() error { return r.AttachThingPrincipal(ctx, fmt.Sprintf("thing-%06d", i), hub, "") })
	}
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
	things := func(f registry.ThingFilter) func(registry.Page) (int, string, error) {
		return func(p registry.Page) (int, string, error) { return counted(r.ListThings(ctx, f, p)) }
	}
	for _, list := range []struct {
		name string
		read func(registry.Page) (int, string, error)
	}{
		{"ListThings", things(registry.ThingFilter{})},
		{"ListThings by type", things(registry.ThingFilter{Type: "bulb"})},
		{"ListThings by attribute", things(registry.ThingFilter{AttributeName: "floor", AttributeValue: "3"})},
		{"ListThings by the beginning of an attribute", things(registry.ThingFilter{AttributeName: "serial", AttributeValue: "S", ValuePrefix: true})},
		{"ListThings by a serial number", things(registry.ThingFilter{AttributeName: "serial", AttributeValue: "S000007"})},
		{"ListThings by an attribute that nothing has", things(registry.ThingFilter{AttributeName: "colour", AttributeValue: "red"})},
		{"ListCertificates", func(p registry.Page) (int, string, error) { return counted(r.ListCertificates(ctx, false, p)) }},
		{"ListPrincipalThings", func(p registry.Page) (int, string, error) { return counted(r.ListPrincipalThings(ctx, hub, "", p)) }},
		{"ListThingPrincipals", func(p registry.Page) (int, string, error) {
			return counted(r.ListThingPrincipals(ctx, "thing-000007", "", p))
		}},
		{"ListTargetsForPolicy", func(p registry.Page) (int, string, error) { return counted(r.ListTargetsForPolicy(ctx, "p", p)) }},
		{"ListThingsInThingGroup", func(p registry.Page) (int, string, error) {
			return counted(r.ListThingsInThingGroup(ctx, "house", true, p))
		}},
		{"ListThingsInBillingGroup", func(p registry.Page) (int, string, error) {
			return counted(r.ListThingsInBillingGroup(ctx, "north", p))
		}},
	} {
		first, last, pages := registry.Page{Limit: 250}, registry.Page{Limit: 250}, 1
		for {
			_, next, err := list.read(last)
			if err != nil {
				b.Fatal(err)
			}
			if next == "" {
				break
			}
			last.After = next
			pages++
		}
		for _, page := range []struct {
			name string
			registry.Page
		}{{"page 1", first}, {fmt.Sprintf("page %d", pages), last}} {
			b.Run(list.name+"/"+page.name, func(b *testing.B) {
				entries := 0
				for range b.N {
					got, _, err := list.read(page.Page)
					if err != nil {
						b.Fatal(err)
					}
					entries = got
				}
				b.ReportMetric(float64(entries), "entries")
			})
		}
	}
}

func counted[T any](list []T, next string, err error) (int, string, error) {
	return len(list), next, err
}

// BenchmarkFleetRestart kills a server with kill -9 while it is registering things, and measures the time until it is
// ready again, from its exec on, the memory that it has then, and the memory when every thing was listed and every
// certificate asked for.
func BenchmarkFleetRestart(b *testing.B) {
	empty := restart(b, b.TempDir(), 0)
	full := b.TempDir()
	n := fleetSize(b)
	restart(b, full, n)
	b.ResetTimer()
	var ready time.Duration
	var resident, used int64
	for range b.N {
		got := restart(b, full, 0)
		ready, resident, used = ready+got.ready, resident+got.resident, used+got.used
	}
	b.StopTimer()
	mean := func(sum int64) float64 { return float64(sum) / float64(b.N) }
	b.ReportMetric(mean(ready.Milliseconds()), "ms-ready")
	b.ReportMetric(float64(empty.resident)/(1<<20), "MiB-empty")
	b.ReportMetric(mean(resident)/(1<<20), "MiB-ready")
	b.ReportMetric((mean(resident)-float64(empty.resident))/float64(n), "B/thing-ready")
	b.ReportMetric(mean(used)/(1<<20), "MiB-used")
	b.ReportMetric((mean(used)-float64(empty.used))/float64(n), "B/thing-used")
}

// restarted is what a start was like.
type restarted struct {
	ready          time.Duration
	resident, used int64 // bytes, when it is ready and when it has read everything
}

// restart runs a server on a directory in a process of its own, has it register n things, and kills it while it registers
// more.
func restart(tb testing.TB, dir string, n int) (got restarted) {
	tb.Helper()
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	child := exec.CommandContext(tb.Context(), program, "-test.run=^TestFleetChild$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"=yes", fleetVariable+"="+strconv.Itoa(n))
	child.Stderr = os.Stderr
	child.Dir = dir
	out, err := child.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	if err := child.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch lines.Text() {
		case "ready":
			got.ready = time.Since(began)
			got.resident = resident(tb, child.Process.Pid)
		case "busy":
			got.used = resident(tb, child.Process.Pid)
			if err := child.Process.Kill(); err != nil { // SIGKILL
				tb.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, out)
			_ = child.Wait() // it was killed
			return got
		}
	}
	tb.Fatalf("the server ended by itself: %v", child.Wait())
	return got
}

// resident is a process's resident memory.
func resident(tb testing.TB, pid int) int64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	tb.Fatal("no VmRSS")
	return 0
}

// TestFleetChild is the process that is killed. As a test it does that once itself: what was registered is there again.
func TestFleetChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		dir := t.TempDir()
		restart(t, dir, 50)
		s, _ := begin(t, fleetConfig(t, dir))
		things, _, err := s.Registry().ListThings(t.Context(), registry.ThingFilter{Type: "bulb"}, registry.Page{})
		if err != nil || len(things) < 50 {
			t.Errorf("%d things, %v", len(things), err)
		}
		if problems, err := registry.Check(t.Context(), s.rooms.store); err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
		return
	}
	s, err := New(t.Context(), fleetConfig(t, "."), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	if n := fleetSize(t); n > 0 {
		if err := makeFleet(t.Context(), s.Registry(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := useFleet(t.Context(), s.Registry()); err != nil {
		t.Fatal(err)
	}
	var all errgroup.Group
	for i := range 16 {
		all.Go(func() error {
			for k := 0; ; k++ {
				if k == 5 && i == 0 {
					fmt.Println("busy")
				}
				if err := makeStray(t.Context(), s.Registry()); err != nil {
					return err
				}
			}
		})
	}
	t.Fatal(all.Wait())
}

func fleetConfig(tb testing.TB, dir string) Config {
	tb.Helper()
	cfg := quiet(tb)
	cfg.DataDir = filepath.Join(dir, "data")
	return cfg
}
