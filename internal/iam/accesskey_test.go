package iam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

func TestAccessKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	first, secret := w.user("u")
	if len(first.ID) != 20 || len(secret.Reveal()) != 40 || !first.Active || first.User != "u" {
		t.Errorf("created %+v", first)
	}
	other, _, err := w.CreateAccessKey(ctx, "U")
	w.must(err)
	_, _, err = w.CreateAccessKey(ctx, "u")
	want(t, err, fault.Throttled, iam.ErrLimitExceeded)
	if keys, err := w.ListAccessKeys(ctx, "u"); err != nil || !slices.Equal(keys, []iam.AccessKey{first, other}) {
		t.Errorf("listed %v, %v", keys, err)
	}
	if got, err := w.Secret(ctx, first.ID, ""); err != nil || got != secret.Reveal() {
		t.Errorf("got %v", err)
	}

	w.must(w.SetAccessKeyActive(ctx, "u", first.ID, false))
	wantUnknown(t, second(w.Secret(ctx, first.ID, "")))
	if k, err := w.GetAccessKey(ctx, first.ID); err != nil || k.Active {
		t.Errorf("got %+v, %v", k, err)
	}
	w.must(w.SetAccessKeyActive(ctx, "u", first.ID, false)) // once more
	w.must(w.SetAccessKeyActive(ctx, "u", first.ID, true))
	w.must(second(w.Secret(ctx, first.ID, "")))

	w.must(w.DeleteAccessKey(ctx, "u", first.ID))
	wantUnknown(t, second(w.Secret(ctx, first.ID, "")))
	if _, err := w.Secret(ctx, other.ID, ""); err != nil {
		t.Error(err)
	}
	w.must(second(w.CreateUser(ctx, "v")))
	for _, id := range []string{first.ID, "", "x", "AKIA../../etc/pass00", "AKIAAAAAAAAAAAAAAAAA"} {
		want(t, w.DeleteAccessKey(ctx, "u", id), fault.NotFound, iam.ErrNoSuchEntity)
		want(t, w.SetAccessKeyActive(ctx, "u", id, true), fault.NotFound, iam.ErrNoSuchEntity)
		want(t, second(w.GetAccessKey(ctx, id)), fault.NotFound, iam.ErrNoSuchEntity)
		wantUnknown(t, second(w.Secret(ctx, id, "")))
	}
	want(t, w.DeleteAccessKey(ctx, "v", other.ID), fault.NotFound, iam.ErrNoSuchEntity)
	want(t, w.SetAccessKeyActive(ctx, "v", other.ID, false), fault.NotFound, iam.ErrNoSuchEntity)
}

func TestDoorsHearOfKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	id, err := w.Identify(ctx, key.ID, "")
	w.must(err)
	heard := w.changes()
	for _, change := range []func() error{
		func() error { return w.SetAccessKeyActive(ctx, "u", key.ID, false) },
		func() error { return w.SetAccessKeyActive(ctx, "u", key.ID, true) },
		func() error { return w.DeleteAccessKey(ctx, "u", key.ID) },
	} {
		w.must(change())
		c := iam.Change{AccessKeyID: key.ID}
		waitFor(ctx, t, heard, c)
		if !c.Concerns(id) || (iam.Change{AccessKeyID: "x"}).Concerns(id) || !(iam.Change{User: "U"}).Concerns(id) || (iam.Change{User: "v"}).Concerns(id) {
			t.Error("a change concerns somebody else")
		}
	}
	wantUnknown(t, second(w.Again(ctx, id)))
}

// What is acknowledged counts at once, whatever readers keep in the cache meanwhile.
func TestDeactivationIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = w.Secret(ctx, key.ID, "") // either answer is right
				}
			}
		})
	}
	for range 200 {
		w.must(w.SetAccessKeyActive(ctx, "u", key.ID, false))
		wantUnknown(t, second(w.Secret(ctx, key.ID, "")))
		w.must(w.SetAccessKeyActive(ctx, "u", key.ID, true))
		w.must(second(w.Secret(ctx, key.ID, "")))
	}
	close(stop)
	readers.Wait()
}

// Of many creates at once as many succeed as there is room for.
func TestLimitOfKeysHoldsForConcurrentCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(second(w.CreateUser(t.Context(), "u")))
	var all sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		all.Go(func() {
			_, _, err := w.CreateAccessKey(t.Context(), "u")
			results <- err
		})
	}
	all.Wait()
	close(results)
	made := 0
	for err := range results {
		if err == nil {
			made++
		}
	}
	if keys, err := w.ListAccessKeys(t.Context(), "u"); err != nil || made != 2 || len(keys) != 2 {
		t.Errorf("%d made, %d there, %v", made, len(keys), err)
	}
}

func TestFirstKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, secret, made, err := w.FirstKey(ctx, "thingwire")
	w.must(err)
	if !made {
		t.Error("it was not made")
	}
	id, err := w.Identify(ctx, key.ID, "")
	w.must(err)
	if id.ARN != "arn:aws:iam::"+account+":user/thingwire" || !may(id, "iot:Publish", "arn:aws:iot:us-east-1:"+account+":topic/a") || !may(id, "iot:ListThings", "*") {
		t.Errorf("%+v may not do everything", id)
	}
	again, sameSecret, made, err := w.open(w.key).FirstKey(ctx, "thingwire")
	if err != nil || made || again != key || sameSecret != secret {
		t.Errorf("the second start has %+v, made %v, %v", again, made, err)
	}
	w.must(w.DeleteAccessKey(ctx, "thingwire", key.ID))
	_, _, _, err = w.FirstKey(ctx, "thingwire")
	want(t, err, fault.NotFound, iam.ErrNoSuchEntity)
}

func TestFirstKeyTakesNobodysName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(second(w.CreateUser(t.Context(), "thingwire")))
	_, _, _, err := w.FirstKey(t.Context(), "thingwire")
	want(t, err, fault.Exists, iam.ErrEntityAlreadyExists)
	_, _, _, err = w.FirstKey(t.Context(), "no name")
	want(t, err, fault.Invalid, iam.ErrValidation)
}

// Invariant NoSecretInLogs, and nothing in the store either.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, secret := w.user("u")
	s := w.session(key)
	for _, bucket := range []string{"iam/meta", "iam/users", "iam/keys"} {
		for d, err := range w.store.List(t.Context(), bucket, "", "", 0) {
			w.must(err)
			if strings.Contains(string(d.Value), secret.Reveal()) {
				t.Errorf("%s %s has the secret", bucket, d.Key)
			}
		}
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret), fmt.Sprintf("%v %+v %#v", *s, *s, *s),
		fmt.Sprintf("%v %+v %#v %s", w.key, w.key, w.key, w.key),
	} {
		for _, hidden := range []string{secret.Reveal(), s.Secret.Reveal(), s.Token.Reveal(), fmt.Sprint(w.key[0]) + " " + fmt.Sprint(w.key[1])} {
			if strings.Contains(text, hidden) {
				t.Errorf("a secret is in %s", text)
			}
		}
	}
}

func TestOnlyTheKeyOfTheStoreOpensIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, secret := w.user("u")
	if got, err := w.open(w.key).Secret(t.Context(), key.ID, ""); err != nil || got != secret.Reveal() {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := iam.Open(t.Context(), w.config(iam.NewKey())); !fault.Is(err, fault.Invalid) {
		t.Errorf("opened with another key: %v", err)
	}
	if _, err := iam.Open(t.Context(), w.config(iam.Key{})); err == nil {
		t.Error("opened without a key")
	}
	if _, err := iam.Open(t.Context(), iam.Config{Key: w.key}); err == nil {
		t.Error("opened without a store")
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "seal.key")
	var all sync.WaitGroup
	keys := make([]iam.Key, 4)
	for i := range keys {
		all.Go(func() {
			key, err := iam.OpenKeyFile(file)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	all.Wait()
	for _, k := range keys {
		if k != keys[0] || k == (iam.Key{}) {
			t.Error("two starts have two keys")
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if names, err := os.ReadDir(filepath.Dir(file)); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.OpenKeyFile(file); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others read: %v", err)
	}
	if err := os.WriteFile(file, []byte("-----BEGIN THINGWIRE SEALING KEY-----\nAAAA\n-----END THINGWIRE SEALING KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.OpenKeyFile(file); !fault.Is(err, fault.Invalid) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := iam.OpenKeyFile(filepath.Join(file, "below")); err == nil {
		t.Error("a file below a file")
	}
}

// A hit of the cache, which each signed request is, allocates nothing.
func TestAllocationsOfSecret(t *testing.T) {
	w := newWorld(t)
	key, _ := w.user("u")
	s := w.session(key)
	r := w.assume(key, iam.Assumption{RoleARN: w.role("cloud", trusting(ownRoot, "")).ARN, SessionName: "s1"})
	for _, c := range []struct{ id, token string }{{key.ID, ""}, {s.AccessKeyID, s.Token.Reveal()}, {r.AccessKeyID, r.Token.Reveal()}} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := w.Secret(t.Context(), c.id, c.token); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", c.id, n)
		}
	}
}

func BenchmarkSecret(b *testing.B) {
	b.ReportAllocs()
	w := newWorld(b)
	key, _ := w.user("u")
	for b.Loop() {
		if _, err := w.Secret(b.Context(), key.ID, ""); err != nil {
			b.Fatal(err)
		}
	}
}
