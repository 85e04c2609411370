package delivery

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/sigv4"
)

const (
	roleARN  = "arn:aws:iam::123456789012:role/path/stack-crossAccountRole-1"
	topicARN = "arn:aws:iot:eu-west-1:123456789012:topic/sigfox"
)

func uplink() *Request {
	return &Request{Channel: AWSIoT, Body: "{\n\"device\" : \"4D3091\"\n}", AWS: &AWSTarget{
		RoleARN: roleARN, ExternalID: "extern-1", Region: "eu-west-1", Topic: "sigfox", SessionName: "sigfox-1",
	}}
}

// amazon is STS and the data plane as far as a callback sees them. Signatures are verified; what is answered is a
// test's to change.
type amazon struct {
	t      testing.TB
	url    string
	sender *Sender

	mu        sync.Mutex
	now       time.Time
	life      time.Duration // of sessions
	assumed   int
	published []string // topic as it came, and body
	forms     []url.Values
	assume    func() (status int, body string)            // nil is yes
	publish   func(session int) (status int, name string) // nil is yes
	secrets   map[string]string
	tokens    map[string]int // token to the number of the session
}

func newAmazon(t testing.TB) *amazon {
	t.Helper()
	a := &amazon{
		t: t, now: time.Now(), life: time.Hour, secrets: map[string]string{"AKIASIGFOX": "sigfox's secret"}, tokens: map[string]int{},
	}
	a.url = receiver(t, a.ServeHTTP).URL
	a.sender = open(t, Config{
		Endpoints: func(string) Endpoints { return Endpoints{STS: a.url + "/", Data: a.url} },
		Key:       func(context.Context) (Key, error) { return Key{ID: "AKIASIGFOX", Secret: "sigfox's secret"}, nil },
		Now:       a.clock,
	})
	return a
}

func (a *amazon) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *amazon) advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = a.now.Add(d)
}

func (a *amazon) counts() (assumed, published int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.assumed, len(a.published)
}

func (a *amazon) answers(assume func() (int, string), publish func(int) (int, string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.assume, a.publish = assume, publish
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := sigv4.Verifier{Lookup: func(_ context.Context, id, token string) (string, error) {
		if token != "" && a.tokens[token] == 0 {
			return "", fmt.Errorf("no token %q", token)
		}
		return a.secrets[id], nil
	}, Now: func() time.Time { return a.now }}
	c, err := v.Verify(r, "sts", "iotdata")
	if err != nil {
		a.t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
	}
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/" && c.Service == "sts" && c.Region == "eu-west-1" && c.AccessKeyID == "AKIASIGFOX" {
		a.serveAssume(w, string(body))
		return
	}
	if c.Service != "iotdata" || r.Method != http.MethodPost {
		a.t.Errorf("%s %s signed for %s in %s", r.Method, r.RequestURI, c.Service, c.Region)
	}
	if a.publish != nil {
		if status, name := a.publish(a.tokens[c.Token]); status != http.StatusOK {
			w.Header().Set("x-amzn-ErrorType", name+":http://internal.amazon.com/")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"message":"Forbidden","traceId":"1"}`)
			return
		}
	}
	a.published = append(a.published, r.RequestURI+" "+string(body))
	_, _ = io.WriteString(w, `{"message":"OK","traceId":"1"}`)
}

func (a *amazon) serveAssume(w http.ResponseWriter, body string) {
	form, err := url.ParseQuery(body)
	if err != nil {
		a.t.Error(err)
	}
	a.assumed++
	a.forms = append(a.forms, form)
	if a.assume != nil {
		if status, body := a.assume(); status != http.StatusOK {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	id, token := fmt.Sprintf("ASIA%d", a.assumed), fmt.Sprintf("token+/=%d", a.assumed)
	a.secrets[id], a.tokens[token] = "secret-of-"+id, a.assumed
	_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROA123:s1</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r1/s1</Arn></AssumedRoleUser><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret-of-%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize></AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`,
		id, id, token, a.now.Add(a.life).UTC().Format(time.RFC3339Nano))
}

func queryFailure(status int, code, message string) func() (int, string) {
	return func() (int, string) {
		return status, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code + `</Code><Message>` + message + `</Message></Error><RequestId>1</RequestId></ErrorResponse>`
	}
}
