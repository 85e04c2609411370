package iam_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	s := w.session(key)
	if !strings.HasPrefix(s.AccessKeyID, "ASIA") || len(s.Secret.Reveal()) != 40 || s.Expires.Unix() != w.clock.Load()+12*3600 {
		t.Errorf("%+v", s)
	}
	for name, d := range map[string]*iam.Directory{"here": w.Directory, "after a restart": w.open(w.key)} {
		id, err := d.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
		w.must(err)
		if id.ARN != w.UserARN("u") || !id.Session() || !id.Expires.Equal(s.Expires) || !may(id, "iot:Publish", "*") {
			t.Errorf("%s: %+v", name, id)
		}
		if got := id.Vars["aws:tokenissuetime"]; len(got) != 1 || got[0] != "2026-11-21T20:00:00Z" {
			t.Errorf("issued %v", got)
		}
		if secret, err := d.Secret(ctx, s.AccessKeyID, s.Token.Reveal()); err != nil || secret != s.Secret.Reveal() {
			t.Errorf("%s: %v", name, err)
		}
		_, err = d.SessionToken(ctx, id, 0)
		want(t, err, fault.Denied, iam.ErrAccessDenied)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	by, err := w.Identify(ctx, key.ID, "")
	w.must(err)
	s, err := w.SessionToken(ctx, by, iam.MinSession)
	w.must(err)
	id, err := w.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
	w.must(err)
	w.pass(iam.MinSession - time.Second)
	w.must(second(w.Again(ctx, id)))
	w.pass(time.Second)
	for _, d := range []*iam.Directory{w.Directory, w.open(w.key)} {
		for _, err := range []error{second(d.Secret(ctx, s.AccessKeyID, s.Token.Reveal())), second(d.Again(ctx, id))} {
			want(t, err, fault.Unauthenticated, iam.ErrExpiredToken)
			if !iam.IsUnknown(err) {
				t.Error("IsUnknown says no")
			}
		}
	}
	for _, duration := range []time.Duration{-1, time.Second, iam.MinSession - 1, iam.MaxSession + 1} {
		_, err := w.SessionToken(ctx, by, duration)
		want(t, err, fault.Invalid, iam.ErrValidation)
	}
	w.must(second(w.SessionToken(ctx, by, iam.MaxSession)))
}

// As on AWS, a session outlives the key that took it, but neither its user nor another user of the same name.
func TestSessionsBelongToTheirUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	by, err := w.Identify(ctx, key.ID, "")
	w.must(err)
	s := w.session(key)
	id, err := w.Identify(ctx, s.AccessKeyID, s.Token.Reveal())
	w.must(err)
	w.must(w.DeleteAccessKey(ctx, "u", key.ID))
	_, err = w.SessionToken(ctx, by, 0)
	wantUnknown(t, err)
	w.must(second(w.Secret(ctx, s.AccessKeyID, s.Token.Reveal())))
	w.must(w.DeleteUserPolicy(ctx, "u", "all"))
	if now, err := w.Again(ctx, id); err != nil || may(now, "iot:Publish", "*") || !now.Session() || now.Vars["aws:tokenissuetime"] == nil {
		t.Errorf("%+v, %v", now, err)
	}
	heard := w.changes()
	w.must(w.DeleteUser(ctx, "u"))
	waitFor(ctx, t, heard, iam.Change{User: "u"})
	for range 2 {
		wantUnknown(t, second(w.Secret(ctx, s.AccessKeyID, s.Token.Reveal())))
		wantUnknown(t, second(w.Again(ctx, id)))
		_, _ = w.CreateUser(ctx, "u") // the second time there is another one
	}
}

func TestTokensAreBoundToTheirID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.user("u")
	a, b := w.session(key), w.session(key)
	other := newWorld(t)
	otherKey, _ := other.user("u")
	foreign := other.session(otherKey)
	for range 2 { // from the seal, then past the cache
		for name, c := range map[string]struct{ id, token string }{
			"another session's token":   {a.AccessKeyID, b.Token.Reveal()},
			"no token":                  {a.AccessKeyID, ""},
			"half a token":              {a.AccessKeyID, a.Token.Reveal()[:40]},
			"a token with a line's end": {a.AccessKeyID, a.Token.Reveal() + "\n"},
			"a token that is no base64": {a.AccessKeyID, "%%%"},
			"another format":            {a.AccessKeyID, "Ag" + a.Token.Reveal()[2:]},
			"a token without an end":    {a.AccessKeyID, strings.Repeat("A", 10000)},
			"a long-term key's":         {key.ID, a.Token.Reveal()},
			"another server's":          {foreign.AccessKeyID, foreign.Token.Reveal()},
		} {
			if _, err := w.Secret(ctx, c.id, c.token); !iam.IsUnknown(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.must(second(w.Secret(ctx, a.AccessKeyID, a.Token.Reveal())))
	}
	sealed, err := base64.StdEncoding.DecodeString(a.Token.Reveal())
	w.must(err)
	for i := range 8 * len(sealed) {
		sealed[i/8] ^= 1 << (i % 8)
		if _, err := w.Secret(ctx, a.AccessKeyID, base64.StdEncoding.EncodeToString(sealed)); !iam.IsUnknown(err) {
			t.Fatalf("bit %d changed: %v", i, err)
		}
		sealed[i/8] ^= 1 << (i % 8)
	}
}

func FuzzToken(f *testing.F) {
	w := newWorld(f)
	key, _ := w.user("u")
	s := w.session(key)
	f.Add(s.Token.Reveal())
	f.Add("AQ==")
	f.Add("Ag" + s.Token.Reveal()[2:])
	f.Fuzz(func(t *testing.T, token string) {
		secret, err := w.Secret(t.Context(), s.AccessKeyID, token)
		if token == s.Token.Reveal() {
			if err != nil {
				t.Error(err)
			}
		} else if secret != "" || !iam.IsUnknown(err) {
			t.Errorf("%q opens: %v", token, err)
		}
	})
}

// The two rooms together: a verifier that asks the directory.
func TestVerifierAsksTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, secret := w.user("u")
	s := w.session(key)
	v := &sigv4.Verifier{Lookup: w.Secret, Now: func() time.Time { return time.Unix(w.clock.Load(), 0) }}
	for _, signer := range []sigv4.Signer{
		{AccessKeyID: key.ID, Secret: secret.Reveal(), Region: "r", Service: "iotdata"},
		{AccessKeyID: s.AccessKeyID, Secret: s.Secret.Reveal(), Token: s.Token.Reveal(), Region: "r", Service: "iotdata"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/retainedMessage", nil)
		w.must(err)
		r.Host = "localhost"
		signer.Sign(r, nil, time.Unix(w.clock.Load(), 0))
		c, err := v.Verify(r, "iotdata")
		w.must(err)
		if id, err := w.Identify(t.Context(), c.AccessKeyID, c.Token); err != nil || id.Name != "u" {
			t.Errorf("%+v, %v", id, err)
		}
	}
}

func TestNamesInBothProtocols(t *testing.T) {
	t.Parallel()
	for n, query := range map[iam.NameError]string{
		iam.ErrUnrecognizedClient: "InvalidClientTokenId", iam.ErrExpiredToken: "ExpiredToken", iam.ErrNoSuchEntity: "NoSuchEntity",
	} {
		if n.Query() != query || n.Error() != string(n) {
			t.Errorf("%s: %s", n, n.Query())
		}
	}
}
