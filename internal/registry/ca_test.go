package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// ca is somebody's certificate authority.
type ca struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func newCA(t testing.TB, name string) *ca {
	t.Helper()
	key := newKey(t)
	return &ca{t, key, sign(t, key, caTemplate(name))}
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// issue signs a certificate with a common name.
func (c *ca) issue(name string) *x509.Certificate {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, c.cert, newKey(c.t).Public(), c.key)
	must(c.t, err)
	cert, err := x509.ParseCertificate(der)
	must(c.t, err)
	return cert
}

// registered registers c in SNI_ONLY mode, active and with automatic registration.
func (c *ca) registered(r *Registry) *CACertificate {
	c.t.Helper()
	got, err := r.RegisterCACertificate(c.t.Context(), CASpec{PEM: toPEM(c.cert), Mode: SNIOnly, Active: true, AutoRegistration: true})
	must(c.t, err)
	return got
}

func TestRegistrationCode(t *testing.T) {
	r := newRegistry(t)
	code, err := r.RegistrationCode(t.Context())
	must(t, err)
	if b, err := hex.DecodeString(code); err != nil || len(b) != 32 {
		t.Errorf("code %q", code)
	}
	again, err := r.RegistrationCode(t.Context())
	must(t, err)
	must(t, r.DeleteRegistrationCode(t.Context()))
	another, err := r.RegistrationCode(t.Context())
	must(t, err)
	if again != code || another == code {
		t.Errorf("codes %s, %s, and after the delete %s", code, again, another)
	}
}

func TestRegisterCACertificate(t *testing.T) {
	r := newRegistry(t)
	code, err := r.RegistrationCode(t.Context())
	must(t, err)
	mine, other := newCA(t, "mine"), newCA(t, "other")
	leaf := mine.issue("device")
	old := caTemplate("old")
	old.NotAfter = time.Now().Add(-time.Minute)
	for _, c := range []struct {
		name string
		spec CASpec
		kind fault.Kind
		exc  NameError
	}{
		{"no PEM", CASpec{PEM: "x"}, fault.Invalid, ErrCertificateValidation},
		{"no CA", CASpec{PEM: toPEM(leaf), Mode: SNIOnly}, fault.Invalid, ErrCertificateValidation},
		{"expired", CASpec{PEM: toPEM(sign(t, newKey(t), old)), Mode: SNIOnly}, fault.Invalid, ErrCertificateValidation},
		{"no verification", CASpec{PEM: toPEM(mine.cert)}, fault.Invalid, ""},
		{"no mode", CASpec{PEM: toPEM(mine.cert), Mode: "SOME"}, fault.Invalid, ""},
		{"verification for nothing", CASpec{PEM: toPEM(mine.cert), Mode: SNIOnly, Verification: toPEM(mine.issue(code))}, fault.Invalid, ""},
		{"verification is no PEM", CASpec{PEM: toPEM(mine.cert), Verification: "x"}, fault.Invalid, ErrCertificateValidation},
		{"another code", CASpec{PEM: toPEM(mine.cert), Verification: toPEM(mine.issue("code"))}, fault.Invalid, ErrRegistrationCode},
		{"another signer", CASpec{PEM: toPEM(mine.cert), Verification: toPEM(other.issue(code))}, fault.Invalid, ErrCertificateValidation},
		{"the name of the signer", CASpec{PEM: toPEM(mine.cert), Verification: toPEM(newCA(t, "mine").issue(code))}, fault.Invalid, ErrCertificateValidation},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.RegisterCACertificate(t.Context(), c.spec)
			wantKind(t, err, c.kind, c.exc)
		})
	}
	spec := CASpec{PEM: toPEM(mine.cert), Verification: toPEM(mine.issue(code))}
	got, err := r.RegisterCACertificate(t.Context(), spec)
	must(t, err)
	if got.ID != Fingerprint(mine.cert.Raw) || got.Status != Inactive || got.AutoRegistration || got.Mode != DefaultMode || got.Version != 1 {
		t.Errorf("registered %+v", got)
	}
	_, err = r.RegisterCACertificate(t.Context(), spec)
	wantKind(t, err, fault.Exists, "")
	if there, ok := errors.AsType[*TakenError](err); !ok || there.ResourceARN != r.ARN("cacert/"+got.ID) {
		t.Errorf("taken by %+v", there)
	}
}

func TestCAsWithOneSubject(t *testing.T) {
	r := newRegistry(t)
	var all []*ca
	for range maxCAsPerSubject {
		c := newCA(t, "twin")
		c.registered(r)
		all = append(all, c)
	}
	_, err := r.RegisterCACertificate(t.Context(), CASpec{PEM: toPEM(newCA(t, "twin").cert), Mode: SNIOnly})
	wantKind(t, err, fault.Throttled, ErrLimitExceeded)

	device := all[3].issue("device")
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), "", Active)
	wantKind(t, err, fault.Conflict, ErrCertificateConflict)
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), toPEM(all[4].cert), Active)
	wantKind(t, err, fault.Invalid, ErrCertificateValidation)
	c, err := r.RegisterCertificate(t.Context(), toPEM(device), toPEM(all[3].cert), Active)
	must(t, err)
	if c.CA != Fingerprint(all[3].cert.Raw) {
		t.Errorf("under %s", c.CA)
	}
	// One that goes makes room, and the last one needs no naming.
	for _, c := range all[1:] {
		id := Fingerprint(c.cert.Raw)
		must(t, r.UpdateCACertificate(t.Context(), id, CAUpdate{Status: Inactive}))
		must(t, r.DeleteCACertificate(t.Context(), id))
	}
	_, err = r.RegisterCertificate(t.Context(), toPEM(all[0].issue("b")), "", "")
	must(t, err)
}

func TestRegisterCertificate(t *testing.T) {
	r := newRegistry(t)
	mine := newCA(t, "mine")
	device := mine.issue("device")
	_, err := r.RegisterCertificate(t.Context(), toPEM(device), "", "")
	wantKind(t, err, fault.Invalid, ErrCertificateValidation)
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), toPEM(mine.cert), "")
	wantKind(t, err, fault.Invalid, ErrCertificateValidation)
	its := mine.registered(r)
	for name, bad := range map[string]string{
		"no PEM": "x", "the CA itself": toPEM(mine.cert), "a forger's": toPEM(newCA(t, "mine").issue("device")),
	} {
		_, err := r.RegisterCertificate(t.Context(), bad, "", "")
		if wantKind(t, err, fault.Invalid, ErrCertificateValidation); err == nil {
			t.Error(name)
		}
	}
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), "", PendingActivation)
	wantKind(t, err, fault.Invalid, "")
	c, err := r.RegisterCertificate(t.Context(), toPEM(device), "", "")
	must(t, err)
	if c.Status != Inactive || c.Mode != DefaultMode || c.CA != its.ID {
		t.Errorf("registered %+v", c)
	}
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), "", Active)
	wantKind(t, err, fault.Exists, "")

	list, _, err := r.ListCertificatesByCA(t.Context(), its.ID, true, Page{})
	must(t, err)
	if len(list) != 1 || list[0].ID != c.ID {
		t.Errorf("by CA: %+v", list)
	}
	must(t, r.DeleteCertificate(t.Context(), c.ID, false))
	list, _, err = r.ListCertificatesByCA(t.Context(), its.ID, true, Page{})
	if must(t, err); len(list) != 0 {
		t.Errorf("by CA after the delete: %+v", list)
	}
}

func TestUpdateAndDeleteCA(t *testing.T) {
	r := newRegistry(t)
	its := newCA(t, "mine").registered(r)
	yes, no := true, false
	for i, step := range []struct {
		update  CAUpdate
		status  Status
		auto    bool
		version int
	}{
		{CAUpdate{}, Active, true, 1},
		{CAUpdate{AutoRegistration: &no}, Active, false, 2},
		{CAUpdate{Status: Inactive}, Inactive, false, 3},
		{CAUpdate{Status: Inactive}, Inactive, false, 3},
		{CAUpdate{Status: Active, AutoRegistration: &yes}, Active, true, 4},
	} {
		must(t, r.UpdateCACertificate(t.Context(), its.ID, step.update))
		got, err := r.DescribeCACertificate(t.Context(), its.ID)
		must(t, err)
		if got.Status != step.status || got.AutoRegistration != step.auto || got.Version != step.version {
			t.Errorf("step %d: %+v", i, got)
		}
	}
	for _, s := range []Status{Revoked, PendingActivation, "SLEEPING"} {
		wantKind(t, r.UpdateCACertificate(t.Context(), its.ID, CAUpdate{Status: s}), fault.Invalid, "")
	}
	wantKind(t, r.DeleteCACertificate(t.Context(), its.ID), fault.Conflict, ErrCertificateState)
	must(t, r.UpdateCACertificate(t.Context(), its.ID, CAUpdate{Status: Inactive}))
	must(t, r.DeleteCACertificate(t.Context(), its.ID))
	wantKind(t, r.DeleteCACertificate(t.Context(), its.ID), fault.NotFound, "")
	wantKind(t, r.UpdateCACertificate(t.Context(), its.ID, CAUpdate{}), fault.NotFound, "")
	list, _, err := r.ListCACertificates(t.Context(), false, Page{})
	if must(t, err); len(list) != 0 {
		t.Errorf("listed %+v", list)
	}
}

func TestIntroduce(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	r, err := Open(t.Context(), Config{Store: newStore(t), Account: "123456789012", Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(r.Close)
	mine := newCA(t, "mine")
	its := mine.registered(r)
	device := mine.issue("device")
	chain := []*x509.Certificate{device, mine.cert}
	first := now
	for i := range 2 {
		got, err := r.Introduce(t.Context(), chain)
		must(t, err)
		if got == nil || got.Topic != "$aws/events/certificates/registered/"+its.ID {
			t.Fatalf("attempt %d: %+v", i, got)
		}
		var event map[string]any
		must(t, json.Unmarshal(got.Payload, &event))
		want := map[string]any{
			"certificateId": Fingerprint(device.Raw), "caCertificateId": its.ID, "timestamp": float64(now.UnixMilli()),
			"certificateStatus": "PENDING_ACTIVATION", "awsAccountId": "123456789012",
			"certificateRegistrationTimestamp": strconv.FormatInt(first.UnixMilli(), 10),
		}
		if diff := cmp.Diff(want, event); diff != "" {
			t.Error(diff)
		}
		_, err = identify(t, r, got.CertificateID)
		wantKind(t, err, fault.Unauthenticated, ErrCertificateInactive)
		now = now.Add(time.Minute)
	}
	c, err := r.DescribeCertificate(t.Context(), Fingerprint(device.Raw))
	must(t, err)
	if c.Status != PendingActivation || c.CA != its.ID || c.Mode != DefaultMode {
		t.Errorf("kept %+v", c)
	}
	_, err = r.RegisterCertificate(t.Context(), toPEM(device), "", Active)
	wantKind(t, err, fault.Exists, "")
	must(t, r.UpdateCertificate(t.Context(), c.ID, Active))
	if got, err := r.Introduce(t.Context(), chain); got != nil || err != nil {
		t.Errorf("an active certificate is introduced: %+v, %v", got, err)
	}
	_, err = identify(t, r, c.ID)
	must(t, err)
}

// Whom nobody vouches for is not registered; who nearly is, is told why.
func TestIntroduceRefusals(t *testing.T) {
	r := newRegistry(t)
	mine, other := newCA(t, "mine"), newCA(t, "other")
	its := mine.registered(r)
	device := mine.issue("device")
	no, yes := false, true
	weak := func() *x509.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
		must(t, err)
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, mine.cert, key.Public(), mine.key)
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		return cert
	}
	for _, c := range []struct {
		name   string
		update CAUpdate
		chain  []*x509.Certificate
		fails  bool
	}{
		{"nothing", CAUpdate{}, nil, false},
		{"without the CA", CAUpdate{}, []*x509.Certificate{device}, false},
		{"an unknown CA", CAUpdate{}, []*x509.Certificate{other.issue("x"), other.cert}, false},
		{"not signed by it", CAUpdate{}, []*x509.Certificate{other.issue("x"), mine.cert}, false},
		{"signed by its namesake", CAUpdate{}, []*x509.Certificate{newCA(t, "mine").issue("x"), mine.cert}, false},
		{"the CA itself", CAUpdate{}, []*x509.Certificate{mine.cert}, false},
		{"a weak key", CAUpdate{}, []*x509.Certificate{weak(), mine.cert}, true},
		{"inactive CA", CAUpdate{Status: Inactive}, []*x509.Certificate{device, mine.cert}, true},
		{"no automatic registration", CAUpdate{Status: Active, AutoRegistration: &no}, []*x509.Certificate{device, mine.cert}, true},
	} {
		must(t, r.UpdateCACertificate(t.Context(), its.ID, c.update))
		got, err := r.Introduce(t.Context(), c.chain)
		if got != nil || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	list, _, err := r.ListCertificates(t.Context(), false, Page{})
	if must(t, err); len(list) != 0 {
		t.Errorf("kept %+v", list)
	}
	must(t, r.UpdateCACertificate(t.Context(), its.ID, CAUpdate{AutoRegistration: &yes}))
	if got, err := r.Introduce(t.Context(), []*x509.Certificate{device, other.cert, mine.cert}); got == nil || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// One device that comes in on many connections at once is one certificate.
func TestIntroduceAtOnce(t *testing.T) {
	r := newRegistry(t)
	mine := newCA(t, "mine")
	mine.registered(r)
	chain := []*x509.Certificate{mine.issue("device"), mine.cert}
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for range 20 {
		wg.Go(func() {
			if got, err := r.Introduce(t.Context(), chain); err != nil || got == nil {
				errs <- fmt.Errorf("%+v, %w", got, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

// The transitions of the states (message broker reference, 11.1): from each state to each, by UpdateCertificate.
func TestTransitions(t *testing.T) {
	all := []Status{Active, Inactive, Revoked, PendingTransfer, PendingActivation, RegisterInactive}
	r := newRegistry(t)
	for _, from := range all {
		for _, to := range all {
			id, _ := register(t, r)
			c, rev, err := r.loadCertificate(t.Context(), id)
			must(t, err)
			c.Status = from
			must(t, r.commit(documents.Put(certificatesBucket, id, c, store.Condition{Rev: rev})))
			err = r.UpdateCertificate(t.Context(), id, to)
			switch {
			case to == PendingTransfer || to == PendingActivation || to == RegisterInactive:
				wantKind(t, err, fault.Invalid, "")
			case from == PendingTransfer:
				wantKind(t, err, fault.Conflict, ErrCertificateState)
			default:
				must(t, err)
				after, err := r.DescribeCertificate(t.Context(), id)
				must(t, err)
				if version := 1 + btoi(from != to); after.Status != to || after.Version != version {
					t.Errorf("%s to %s: %s, version %d", from, to, after.Status, after.Version)
				}
				if _, err := identify(t, r, id); (err == nil) != (to == Active) {
					t.Errorf("%s to %s connects: %v", from, to, err)
				}
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// What may be deleted in which state.
func TestDeleteByState(t *testing.T) {
	r := newRegistry(t)
	for status, kind := range map[Status]fault.Kind{
		Active: fault.Conflict, PendingTransfer: fault.Conflict, PendingActivation: fault.Conflict, RegisterInactive: fault.Conflict,
		Inactive: 0, Revoked: 0,
	} {
		id, _ := register(t, r)
		c, rev, err := r.loadCertificate(t.Context(), id)
		must(t, err)
		c.Status = status
		must(t, r.commit(documents.Put(certificatesBucket, id, c, store.Condition{Rev: rev})))
		err = r.DeleteCertificate(t.Context(), id, true)
		if kind == 0 {
			must(t, err)
		} else {
			wantKind(t, err, kind, ErrCertificateState)
		}
	}
}

// A gateway hears within a second that a certificate may no longer connect, and by then Identify refuses it.
func TestDeactivationIsToldWithinASecond(t *testing.T) {
	r := newRegistry(t)
	id, _ := register(t, r)
	_, err := identify(t, r, id)
	must(t, err)
	told := hear(t, r)
	for _, status := range []Status{Inactive, Active, Revoked} {
		begin := time.Now()
		must(t, r.UpdateCertificate(t.Context(), id, status))
		wantTold(t, told, func(string) bool {
			_, err := identify(t, r, id)
			return (err == nil) == (status == Active)
		}, id)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: told after %s", status, took)
		}
	}
}
