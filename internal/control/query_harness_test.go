package control

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store/mem"
)

const queryAccount = "123456789012"

// queryWorld is the Query protocol behind verified signatures, as a front has it.
type queryWorld struct {
	t      testing.TB
	keys   *iam.Directory
	stacks *cloudformation.Stacks
	url    string
	log    *bytes.Buffer
}

func newQueryWorld(t testing.TB) *queryWorld {
	t.Helper()
	s := mem.New()
	keys, err := iam.Open(t.Context(), iam.Config{Account: queryAccount, Store: s, Key: iam.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		keys.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	stacks, err := cloudformation.Open(t.Context(), cloudformation.Config{Account: queryAccount, Region: "us-east-1", Store: s, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	w := &queryWorld{t: t, keys: keys, stacks: stacks, log: new(bytes.Buffer)}
	guard := awsapi.NewGuard(keys)
	door := NewQuery(QueryConfig{Keys: keys, Stacks: stacks, Account: queryAccount, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, credential, err := guard.Verify(r, awsapi.QueryServices...)
		if err != nil {
			WriteQueryFailure(rw, err)
			return
		}
		caller := guard.Caller(id, credential.Service, netip.Addr{}, "")
		door.ServeHTTP(rw, r.WithContext(awsapi.WithCaller(r.Context(), caller)))
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// user makes a user with a policy and a key.
func (w *queryWorld) user(name, document string) aws.Credentials {
	w.t.Helper()
	w.create(name, document)
	key, secret, err := w.keys.CreateAccessKey(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: secret.Reveal()}
}

func (w *queryWorld) create(name, document string) {
	w.t.Helper()
	if _, err := w.keys.CreateUser(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
	if document == "" {
		return
	}
	if err := w.keys.PutUserPolicy(w.t.Context(), name, "p", document); err != nil {
		w.t.Fatal(err)
	}
}

func credentials(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

func (w *queryWorld) iam(c aws.Credentials) *awsiam.Client {
	return awsiam.New(awsiam.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: credentials(c), RetryMaxAttempts: 1})
}

func (w *queryWorld) sts(c aws.Credentials) *sts.Client {
	return sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &w.url, Credentials: credentials(c), RetryMaxAttempts: 1})
}

// root asks as the admin socket does, with a form as it stands.
func (w *queryWorld) root(method, contentType, form string) *httptest.ResponseRecorder {
	w.t.Helper()
	target := "/"
	if method == http.MethodGet {
		target, form = "/?"+form, ""
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, io.NopCloser(bytes.NewReader([]byte(form))))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return w.as(awsapi.Root(queryAccount), r)
}

func (w *queryWorld) as(caller awsapi.Caller, r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	door := NewQuery(QueryConfig{Keys: w.keys, Stacks: w.stacks, Account: queryAccount})
	answer := httptest.NewRecorder()
	door.ServeHTTP(answer, r.WithContext(awsapi.WithCaller(r.Context(), caller)))
	return answer
}

// formOf is a request with a form.
func formOf(t testing.TB, form string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", formType)
	return r
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// near says that a time is that of this test.
func near(at *time.Time) bool {
	return at != nil && time.Since(*at).Abs() < time.Minute
}
