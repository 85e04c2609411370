package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/store/mem"
)

var authorityDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "control-test-*")
	if err != nil {
		panic(err)
	}
	return dir
})

var testAuthority = sync.OnceValue(func() *registry.Authority {
	a, err := registry.OpenAuthority(authorityDir(), nil)
	if err != nil {
		panic(err)
	}
	return a
})

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(authorityDir())
		os.Exit(code)
	}))
}

// world is a handler with a caller in front.
type world struct {
	t        testing.TB
	registry *registry.Registry
	handler  *Handler
	caller   awsapi.Caller
	log      *strings.Builder
	store    *mem.Store
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s := mem.New()
	r, err := registry.Open(t.Context(), registry.Config{Store: s, Authority: testAuthority(), Now: ticking(), LogEventTypes: []string{"Connect", "Disconnect"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	log := &strings.Builder{}
	h := New(Config{
		Registry: r, Account: "000000000000", Region: "us-east-1", Log: slog.New(slog.NewTextHandler(log, nil)),
		Endpoints: func() map[string]string { return map[string]string{"iot:Jobs": "jobs.example"} },
	})
	return &world{t: t, registry: r, handler: h, caller: awsapi.Root("000000000000"), log: log, store: s}
}

// ticking is a clock that never shows the same time twice, so that what is ordered by age has an order.
func ticking() func() time.Time {
	var ticks atomic.Int64
	return func() time.Time { return time.Now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a *answer) exception() string { return a.header.Get("x-amzn-ErrorType") }

func (a *answer) message() string { s, _ := a.body["message"].(string); return s }

// do asks the handler; headers are name, value, name, value …. Whatever it answers must be what SDKs can read.
func (w *world) do(method, target, body string, headers ...string) *answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(awsapi.WithCaller(w.t.Context(), w.caller), method, target, strings.NewReader(body))
	r.Host = "iot.example:9443"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.serve(r)
}

func (w *world) serve(r *http.Request) *answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := &answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	if err := json.Unmarshal([]byte(a.text), &a.body); err != nil {
		w.t.Fatalf("%s %s answers %q: %v", r.Method, r.URL, a.text, err)
	}
	if len(a.header.Get("x-amzn-RequestId")) != 36 || a.header.Get("Content-Type") != "application/json" {
		w.t.Errorf("%s %s: headers %v", r.Method, r.URL, a.header)
	}
	if failed := a.status != http.StatusOK; failed != (a.exception() != "") || failed && a.message() == "" {
		w.t.Errorf("%s %s: status %d, exception %q, %s", r.Method, r.URL, a.status, a.exception(), a.text)
	}
	if _, numeric := a.body["code"].(float64); numeric {
		w.t.Errorf("%s %s: a numeric code breaks the Go SDK: %s", r.Method, r.URL, a.text)
	}
	return a
}

// ok asks and wants 200.
func (w *world) ok(method, target, body string, headers ...string) *answer {
	w.t.Helper()
	a := w.do(method, target, body, headers...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s: %s", method, target, a.status, a.exception(), a.message())
	}
	return a
}

// refused asks and wants an exception.
func (w *world) refused(status int, exception, method, target, body string, headers ...string) *answer {
	w.t.Helper()
	a := w.do(method, target, body, headers...)
	if a.status != status || a.exception() != exception {
		w.t.Errorf("%s %s: %d %s (%s), want %d %s", method, target, a.status, a.exception(), a.message(), status, exception)
	}
	return a
}

const (
	document = `{"policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":\"*\"}}"}`
	zeros    = "0000000000000000000000000000000000000000000000000000000000000000"
)

func certificateText(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func quoted(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// register registers a certificate and gives its id and ARN.
func (w *world) register(status string) (id, arn string) {
	w.t.Helper()
	a := w.ok("POST", "/certificate/register-no-ca", quoted(w.t, map[string]string{"certificatePem": certificateText(w.t), "status": status}))
	return a.body["certificateId"].(string), a.body["certificateArn"].(string)
}

func TestWithoutACaller(t *testing.T) {
	w := newWorld(t)
	w.handler.Mount("/_thingwire/v1/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached without a caller") }))
	for _, path := range []string{"/things", "/_thingwire/v1/x", "/nothing"} {
		a := w.serve(httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if a.status != http.StatusForbidden || a.exception() != "MissingAuthenticationTokenException" {
			t.Errorf("%s: %d %s", path, a.status, a.exception())
		}
	}
}

func TestMount(t *testing.T) {
	w := newWorld(t)
	w.handler.Mount("/_thingwire/v1/", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if c, ok := awsapi.CallerFrom(r.Context()); !ok || c.ARN != "arn:aws:iam::000000000000:root" {
			t.Errorf("caller %+v", c)
		}
		if r.URL.Path == "/_thingwire/v1/bad" {
			WriteFailure(rw, errors.New("secret"))
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"mounted":true}`)
	}))
	if a := w.ok("GET", "/_thingwire/v1/x", ""); a.body["mounted"] != true {
		t.Errorf("answer %s", a.text)
	}
	w.refused(500, "InternalFailureException", "GET", "/_thingwire/v1/bad", "")
	w.refused(501, "NotImplementedException", "GET", "/_thingwire/v2/x", "")
}

func TestAuthorisation(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/things/lamp", "")
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:DescribeThing","Resource":"arn:aws:iot:us-east-1:000000000000:thing/l*"},
		{"Effect":"Allow","Action":"iot:ListThings","Resource":"*"}]}`), policy.IAM)
	if err != nil {
		t.Fatal(err)
	}
	w.caller = awsapi.Caller{ARN: "arn:aws:iam::000000000000:user/ann", Policies: policy.Compile(policy.Source{Name: "p", Document: doc})}
	w.ok("GET", "/things/lamp", "")
	w.ok("GET", "/things", "")
	a := w.refused(403, "AccessDeniedException", "DELETE", "/things/lamp", "")
	const want = "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iot:DeleteThing on resource: arn:aws:iot:us-east-1:000000000000:thing/lamp"
	if !strings.HasPrefix(a.message(), want) {
		t.Errorf("message %q", a.message())
	}
	w.refused(403, "AccessDeniedException", "GET", "/things/door", "")
	w.refused(403, "AccessDeniedException", "POST", "/keys-and-certificate", "")
	w.caller = awsapi.Caller{ARN: "nobody"}
	w.refused(403, "AccessDeniedException", "GET", "/things", "")
}

// TestStoreFails: a store that cannot write refuses changes with a word that SDKs try again for, and reads go on.
func TestStoreFails(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/things/lamp", "")
	w.store.Fail(errors.New("disk full"))
	w.refused(503, "ServiceUnavailableException", "POST", "/things/door", "")
	w.refused(503, "ServiceUnavailableException", "DELETE", "/things/lamp", "")
	w.ok("GET", "/things/lamp", "")
	w.ok("GET", "/things", "")
	w.store.Fail(nil)
	w.ok("DELETE", "/things/lamp", "")
}

// A panic answers what SDKs can read, and its cause stays in the log.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	w.handler.routes = newRoutes([]operation{{"Boom", "GET", "/boom", "*", func(*call) (any, error) { panic("secret") }}})
	a := w.refused(500, "InternalFailureException", "GET", "/boom", "")
	if strings.Contains(a.text, "secret") || !strings.Contains(w.log.String(), "secret") {
		t.Errorf("answer %s, log %s", a.text, w.log)
	}
	if id := a.header.Get("x-amzn-RequestId"); !strings.Contains(a.message(), id) || !strings.Contains(w.log.String(), id) {
		t.Error("the request id does not lead from the answer to the log")
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.handler.routes = newRoutes([]operation{{"Boom", "GET", "/boom", "*", func(*call) (any, error) { return nil, errors.New("secret") }}})
	a := w.refused(500, "InternalFailureException", "GET", "/boom", "")
	if strings.Contains(a.text, "secret") || !strings.Contains(w.log.String(), "secret") {
		t.Errorf("answer %s, log %s", a.text, w.log)
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/things/a", `{"unknown":[1,{"x":null}]}`)
	for _, body := range []string{"hello", `[]`, `{"attributePayload":1}`, `{"attributePayload":{"attributes":{"a":1}}}`, `{}{}`, `{"a":`} {
		w.refused(400, "InvalidRequestException", "POST", "/things/b", body)
	}
	w.refused(400, "InvalidRequestException", "POST", "/things/b", strings.Repeat(" ", maxBody+1))
}

// FuzzHandler: whatever is asked, the answer is JSON with a request id, an exception where it failed, and never 500.
func FuzzHandler(f *testing.F) {
	for _, op := range operations() {
		f.Add(op.method, strings.NewReplacer("{", "", "}", "").Replace(op.path), "setAsActive=true&pageSize=3", document, "arn:aws:iot:us-east-1:000000000000:cert/"+zeros)
	}
	for _, seed := range []struct{ method, path, query, body string }{
		{"POST", "things/a", "", `{"thingTypeName":"t","attributePayload":{"attributes":{"a":"b"},"merge":true},"billingGroupName":"g"}`},
		{"PATCH", "things/a", "", `{"expectedVersion":1,"removeThingType":true,"attributePayload":null}`},
		{"GET", "things", "attributeName=a&attributeValue=b&usePrefixAttributeValue=true&thingTypeName=t&maxResults=250&nextToken=TGlzdFRoaW5ncwBh", ""},
		{"POST", "thing-groups/g", "", `{"parentGroupName":"h","thingGroupProperties":{"thingGroupDescription":"d","attributePayload":{"attributes":{}}},"tags":[{"Key":"k","Value":"v"}]}`},
		{"PUT", "thing-groups/updateThingGroupsForThing", "", `{"thingName":"a","thingGroupsToAdd":["g"],"thingGroupsToRemove":["h"],"overrideDynamicGroups":true}`},
		{"PUT", "billing-groups/addThingToBillingGroup", "", `{"billingGroupName":"b","billingGroupArn":"arn:aws:iot:us-east-1:000000000000:billinggroup/b","thingName":"a"}`},
		{"POST", "thing-types/t", "", `{"thingTypeProperties":{"thingTypeDescription":"d","searchableAttributes":["a"],"mqtt5Configuration":{}}}`},
		{"POST", "cacertificate", "allowAutoRegistration=true", `{"caCertificate":"-----BEGIN CERTIFICATE-----","certificateMode":"SNI_ONLY","registrationConfig":{"roleArn":"r"}}`},
		{"PATCH", "event-configurations", "", `{"eventConfigurations":{"THING":{"Enabled":true},"JOB":null}}`},
		{"POST", "v2LoggingOptions", "", `{"roleArn":"arn:","defaultLogLevel":"ERROR","eventConfigurations":[{"eventType":"Connect","logLevel":"INFO"}]}`},
		{"POST", "v2LoggingLevel", "", `{"logTarget":{"targetType":"SOURCE_IP","targetName":"::1"},"logLevel":"DEBUG"}`},
		{"POST", "test-authorization", "clientId=a", `{"principal":"p","authInfos":[{"actionType":"PUBLISH","resources":["arn:aws:iot:us-east-1:000000000000:topic/a"]}],"policyNamesToAdd":["p"]}`},
		{"POST", "untag", "", `{"resourceArn":"arn:aws:iot:us-east-1:000000000000:policy/p","tagKeys":["k"]}`},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body, "")
	}
	f.Add("POST", "//attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A000000000000%3Acert%2F"+zeros, "marker=eA==", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, body, header string) {
		if strings.Contains(path, "keys-and-certificate") {
			return // seconds of key making say nothing about bytes
		}
		u, err := url.ParseRequestURI("/" + path + "?" + query)
		if err != nil {
			return
		}
		w := newWorld(t)
		r := httptest.NewRequestWithContext(awsapi.WithCaller(t.Context(), w.caller), "GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		for _, name := range []string{principalHeader, policyPrincipalHeader, policyNameHeader} {
			r.Header.Set(name, header)
		}
		if a := w.serve(r); a.status == http.StatusInternalServerError {
			t.Errorf("%s: %s", a.text, w.log)
		}
	})
}
