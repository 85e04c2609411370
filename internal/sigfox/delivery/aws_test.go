package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPublishIntoTheCustomersAccount(t *testing.T) {
	a := newAmazon(t)
	out := a.sender.Deliver(t.Context(), uplink())
	if !out.OK || out.Status != 200 || out.Info != "success" {
		t.Fatalf("%+v", out)
	}
	if want := []string{"/topics/sigfox?qos=0 {\n\"device\" : \"4D3091\"\n}"}; !reflect.DeepEqual(a.published, want) {
		t.Errorf("published %q, want %q", a.published, want)
	}
	want := map[string][]string{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {roleARN}, "RoleSessionName": {"sigfox-1"}, "ExternalId": {"extern-1"},
	}
	if len(a.forms) != 1 || !reflect.DeepEqual(map[string][]string(a.forms[0]), want) {
		t.Errorf("asked STS %v, want %v", a.forms, want)
	}
	if s := out.Attempted; s.Method != http.MethodPost || s.URL != a.url+"/topics/sigfox?qos=0" || s.Body != uplink().Body || len(s.Headers) != 0 {
		t.Errorf("shown: %+v", s)
	}
}

// A topic is one segment of the path, whatever is in it; the signature covers it as it is sent.
func TestTopicsOnTheWire(t *testing.T) {
	a := newAmazon(t)
	for topic, want := range map[string]string{
		"sigfox/a": "sigfox%2Fa", "$aws/rules/r/x": "%24aws%2Frules%2Fr%2Fx", "a b": "a%20b", "ü~": "%C3%BC~", "a%2Fb": "a%252Fb", "/x/": "%2Fx%2F", "a=b&c?d;e*(f)'!": "a%3Db%26c%3Fd%3Be%2A%28f%29%27%21",
	} {
		r := uplink()
		r.AWS.Topic = topic
		a.mu.Lock()
		a.published = nil
		a.mu.Unlock()
		if out := a.sender.Deliver(t.Context(), r); !out.OK || !strings.HasPrefix(a.published[0], "/topics/"+want+"?qos=0 ") {
			t.Errorf("%s: %+v, %q", topic, out, a.published)
		}
	}
}

func TestOneSessionForMany(t *testing.T) {
	a := newAmazon(t)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if out := a.sender.Deliver(t.Context(), uplink()); !out.OK {
				t.Errorf("%+v", out)
			}
		})
	}
	all.Wait()
	if assumed, published := a.counts(); assumed != 1 || published != 100 {
		t.Errorf("%d roles assumed for %d messages", assumed, published)
	}
	for i, change := range []func(*AWSTarget){
		func(t *AWSTarget) { t.ExternalID = "extern-2" }, func(t *AWSTarget) { t.SessionName = "sigfox-2" }, func(t *AWSTarget) { t.RoleARN += "x" },
		func(t *AWSTarget) { t.Topic = "else" },
	} {
		r := uplink()
		change(r.AWS)
		a.sender.Deliver(t.Context(), r)
		if assumed, _ := a.counts(); assumed != min(2+i, 4) {
			t.Errorf("change %d: %d roles assumed", i, assumed)
		}
	}
}

// Credentials are made anew five minutes before their end, and nobody waits for that.
func TestSessionIsRenewed(t *testing.T) {
	a := newAmazon(t)
	deliver := func(want int) {
		t.Helper()
		if out := a.sender.Deliver(t.Context(), uplink()); !out.OK {
			t.Errorf("%+v", out)
		}
		settle(a.sender)
		if assumed, _ := a.counts(); assumed != want {
			t.Errorf("%d roles assumed, want %d", assumed, want)
		}
	}
	deliver(1)
	a.advance(54 * time.Minute)
	deliver(1)
	a.advance(time.Minute)
	deliver(2) // 55 minutes: with the old credentials, new ones are made meanwhile
	deliver(2)
	a.advance(55 * time.Minute)
	// STS fails at the renewal: the old ones are good for five minutes more, and STS is not asked for each message.
	a.answers(queryFailure(503, "ServiceUnavailable", "later"), nil)
	deliver(3)
	deliver(3)
	a.advance(11 * time.Second)
	deliver(4)
	a.advance(5 * time.Minute)
	if out := a.sender.Deliver(t.Context(), uplink()); out.OK || out.Status != 503 || out.Info != "ServiceUnavailable: sts:AssumeRole "+roleARN {
		t.Errorf("over, and STS fails: %+v", out)
	}
	a.answers(nil, nil)
	deliver(6)
}

// settle waits for roles that are being assumed behind the backs of their callers.
func settle(s *Sender) {
	s.roles.mu.Lock()
	defer s.roles.mu.Unlock()
	for _, r := range s.roles.roles {
		r.mu.Lock()
		f := r.flight
		r.mu.Unlock()
		if f != nil {
			<-f.done
		}
	}
}

// Sessions shorter than the margin are renewed at half their life, not all the time.
func TestShortSessions(t *testing.T) {
	a := newAmazon(t)
	a.life = 4 * time.Minute
	for i, want := range []int{1, 1, 2} {
		a.sender.Deliver(t.Context(), uplink())
		settle(a.sender)
		if assumed, _ := a.counts(); assumed != want {
			t.Errorf("delivery %d: %d roles assumed, want %d", i, assumed, want)
		}
		a.advance(time.Minute)
	}
}

// Credentials that are refused are dropped, and the message is published with new ones: once.
func TestRefusedCredentials(t *testing.T) {
	for _, c := range []struct {
		status  int
		name    string
		age     time.Duration
		assumed int // when only the first session is refused
	}{
		{403, "ExpiredTokenException", 0, 2},
		{403, "UnrecognizedClientException", 0, 2},
		{401, "UnauthorizedException", 0, 2},
		{403, "ForbiddenException", time.Minute, 2},
		{403, "ForbiddenException", 0, 1}, // the policy's: new credentials would not help
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			a := newAmazon(t)
			if out := a.sender.Deliver(t.Context(), uplink()); !out.OK {
				t.Fatalf("%+v", out)
			}
			a.advance(c.age)
			a.answers(nil, func(session int) (int, string) {
				if session == 1 {
					return c.status, c.name
				}
				return 200, ""
			})
			out := a.sender.Deliver(t.Context(), uplink())
			if assumed, _ := a.counts(); assumed != c.assumed || out.OK != (c.assumed == 2) {
				t.Errorf("%d roles assumed: %+v", assumed, out)
			}
			a.answers(nil, func(int) (int, string) { return c.status, c.name })
			before, _ := a.counts()
			out = a.sender.Deliver(t.Context(), uplink())
			if assumed, _ := a.counts(); assumed > before+1 || out.OK || out.Status != 403 {
				t.Errorf("refused for ever: %d roles assumed: %+v", assumed-before, out)
			}
		})
	}
}

// A role that may not publish costs one AssumeRole in a while, not one for each message.
func TestRoleThatMayNotPublish(t *testing.T) {
	a := newAmazon(t)
	a.answers(nil, func(int) (int, string) { return 403, "ForbiddenException" })
	for range 100 {
		out := a.sender.Deliver(t.Context(), uplink())
		if out.OK || out.Status != 403 || out.Info != "UnauthorizedException: iot:Publish "+topicARN || !strings.Contains(out.Remedy, "iot:Publish") {
			t.Fatalf("%+v", out)
		}
		a.advance(100 * time.Millisecond)
	}
	if assumed, _ := a.counts(); assumed > 3 {
		t.Errorf("%d roles assumed for 100 messages in ten seconds", assumed)
	}
}

func TestFailuresOfAWS(t *testing.T) {
	text := func(status int, body string) func() (int, string) {
		return func() (int, string) { return status, body }
	}
	plane := func(status int, name string) func(int) (int, string) {
		return func(int) (int, string) { return status, name }
	}
	role := "sts:AssumeRole " + roleARN
	for _, c := range []struct {
		name         string
		assume       func() (int, string)
		publish      func(int) (int, string)
		status       int
		info, remedy string
	}{
		{"role, trust or external id", queryFailure(403, "AccessDenied", "User: arn:aws:iam::999999999999:root is not authorized to perform: sts:AssumeRole"), nil, 403, "AccessDenied: " + role, "STS says: User: arn:aws:iam::999999999999:root is not authorized"},
		{"an older form", text(403, `<?xml version="1.0"?><ErrorResponse><Errors><Error><Code>AccessDenied</Code><Message>not you</Message></Error></Errors></ErrorResponse>`), nil, 403, "AccessDenied: " + role, "STS says: not you"},
		{"our own key", queryFailure(403, "InvalidClientTokenId", "The security token included in the request is invalid."), nil, 403, "InvalidClientTokenId: " + role, "Sigfox's own account"},
		{"our own secret", queryFailure(403, "SignatureDoesNotMatch", "no"), nil, 403, "SignatureDoesNotMatch: " + role, "Sigfox's own account"},
		{"our own session", queryFailure(403, "ExpiredToken", "over"), nil, 403, "ExpiredToken: " + role, "Sigfox's own account"},
		{"STS throttles", queryFailure(400, "Throttling", "Rate exceeded"), nil, 429, "ThrottlingException", "tried again; STS says: Rate exceeded"},
		{"STS throttles by status", text(429, ""), nil, 429, "ThrottlingException", "tried again"},
		{"region", queryFailure(403, "RegionDisabledException", "not here"), nil, 403, "RegionDisabledException: " + role, "eu-west-1"},
		{"a parameter", queryFailure(400, "ValidationError", "1 validation error detected"), nil, 400, "ValidationError: " + role, "1 validation error detected"},
		{"STS fails", queryFailure(500, "InternalFailure", ""), nil, 500, "InternalFailure: " + role, "STS failed"},
		{"a proxy fails", text(502, "<html>Bad Gateway</html>"), nil, 502, "Bad Gateway: " + role, "STS failed"},
		{"STS redirects", text(301, ""), nil, 301, "Moved Permanently: " + role, "STS does not take"},
		{"the role's policy", nil, plane(403, "ForbiddenException"), 403, "UnauthorizedException: iot:Publish " + topicARN, "the role's policy has to allow iot:Publish"},
		{"the data plane throttles", nil, plane(429, "ThrottlingException"), 429, "ThrottlingException", "too fast"},
		{"throttles with another status", nil, plane(400, "ThrottlingException"), 429, "ThrottlingException", "too fast"},
		{"too large", nil, plane(413, "RequestEntityTooLargeException"), 413, "RequestEntityTooLargeException", "128 KiB"},
		{"the topic", nil, plane(400, "InvalidRequestException"), 400, "InvalidRequestException", "topic"},
		{"the data plane fails", nil, plane(503, "ServiceUnavailableException"), 503, "ServiceUnavailableException", "tried again"},
		{"no data plane", nil, plane(302, ""), 302, "Found", "no data plane"},
		{"without a name", nil, plane(404, ""), 404, "Not Found", "topic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAmazon(t)
			a.answers(c.assume, c.publish)
			out := a.sender.Deliver(t.Context(), uplink())
			if out.OK || out.Status != c.status || out.Info != c.info || !strings.Contains(out.Remedy, c.remedy) {
				t.Errorf("%+v", out)
			}
			if text := fmt.Sprintf("%+v", out); strings.Contains(text, "extern-1") || strings.Contains(text, "secret") || strings.Contains(text, "token+/=") {
				t.Errorf("a secret is shown: %s", text)
			}
			if c.assume != nil && (!strings.Contains(out.Attempted.Body, "Action=AssumeRole") || !strings.Contains(out.Attempted.Body, "ExternalId="+masked)) {
				t.Errorf("shown: %+v", out.Attempted)
			}
		})
	}
}

func TestAnswersOfSTSThatAreNone(t *testing.T) {
	credentials := func(id, secret, token, expires string) string {
		return "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" + id + "</AccessKeyId><SecretAccessKey>" + secret + "</SecretAccessKey><SessionToken>" + token + "</SessionToken><Expiration>" + expires + "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
	}
	for _, body := range []string{
		"", "{}", "<html></html>", "<AssumeRoleResponse/>", credentials("", "s", "t", "2099-01-01T00:00:00Z"), credentials("i", "s", "t\r\nX: y", "2099-01-01T00:00:00Z"),
		credentials("i", "s", "t", "2001-01-01T00:00:00Z"), credentials("i", "s", "t", "tomorrow"), credentials("i", "s", "t", ""), strings.Repeat("<a>", 100_000),
	} {
		server := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		s := open(t, Config{
			Endpoints: func(string) Endpoints { return Endpoints{STS: server.URL, Data: server.URL} },
			Key:       func(context.Context) (Key, error) { return Key{ID: "AKIA", Secret: "x"}, nil },
		})
		if out := s.Deliver(t.Context(), uplink()); out.OK || out.Status != 200 || out.Info != "STS: answer cannot be read" || out.Remedy == "" {
			t.Errorf("%.100q: %+v", body, out)
		}
	}
}

func TestServicesThatCannotBeReached(t *testing.T) {
	gone := receiver(t, nil)
	gone.Close()
	a := newAmazon(t)
	endpoints := Endpoints{STS: a.url, Data: gone.URL}
	a.sender.cfg.Endpoints = func(string) Endpoints { return endpoints }
	if out := a.sender.Deliver(t.Context(), uplink()); out.Status != 0 || out.Info != "Connection refused" || !strings.Contains(out.Remedy, gone.URL) {
		t.Errorf("%+v", out)
	}
	endpoints = Endpoints{STS: gone.URL, Data: a.url}
	r := uplink()
	r.AWS.ExternalID = "extern-3"
	if out := a.sender.Deliver(t.Context(), r); out.Status != 0 || out.Info != "STS: Connection refused" || !strings.Contains(out.Remedy, gone.URL) {
		t.Errorf("%+v", out)
	}
}

func TestWithoutCredentialsOfSigfox(t *testing.T) {
	s := open(t, Config{})
	if out := s.Deliver(t.Context(), uplink()); out.OK || out.Info != "No credentials of Sigfox's account" {
		t.Errorf("%+v", out)
	}
	s = open(t, Config{Key: func(context.Context) (Key, error) { return Key{}, errors.New("the vault is shut") }})
	if out := s.Deliver(t.Context(), uplink()); out.OK || !strings.HasPrefix(out.Info, "STS: ") {
		t.Errorf("%+v", out)
	}
}

// Many callbacks that wait for one role are told of its failure together: none writes into what the others read.
func TestFailureIsSharedByMany(t *testing.T) {
	s := open(t, Config{})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := uplink()
			r.Body = strconv.Itoa(i)
			if out := s.Deliver(t.Context(), r); out.OK || out.Attempted.Body != r.Body {
				t.Errorf("delivery %d: %+v", i, out)
			}
		})
	}
	all.Wait()
}

// Nothing in a callback leads its credentials to another host.
func TestTargets(t *testing.T) {
	s := open(t, Config{})
	for _, c := range []struct {
		change    func(*AWSTarget)
		info      string
		sts, data string
	}{
		{func(*AWSTarget) {}, "", "https://sts.eu-west-1.amazonaws.com", "https://data-ats.iot.eu-west-1.amazonaws.com"},
		{func(t *AWSTarget) { t.Region, t.RoleARN = "cn-north-1", "arn:aws-cn:iam::123456789012:role/r" }, "", "https://sts.cn-north-1.amazonaws.com.cn", "https://data.ats.iot.cn-north-1.amazonaws.com.cn"},
		{func(t *AWSTarget) { t.Region = "evil.example/?-1" }, `Region "evil.example/?-1" is not the name of a region`, "", ""},
		{func(t *AWSTarget) { t.Region = "" }, `Region "" is not the name of a region`, "", ""},
		{func(t *AWSTarget) { t.RoleARN = "arn:aws:iam::12:role/r" }, `ARN Role "arn:aws:iam::12:role/r" is not the ARN of a role`, "", ""},
		{func(t *AWSTarget) { t.RoleARN = "arn:aws:iam::123456789012:user/u" }, `ARN Role "arn:aws:iam::123456789012:user/u" is not the ARN of a role`, "", ""},
		{func(t *AWSTarget) { t.Topic = "" }, "Topic is missing", "", ""},
		{func(t *AWSTarget) { t.SessionName = "a b" }, `Session name "a b" is none`, "", ""},
	} {
		r := uplink()
		c.change(r.AWS)
		got, err := s.target(r.AWS)
		if c.info != "" {
			if out := s.Deliver(t.Context(), r); out.OK || out.Status != 0 || out.Info != c.info || out.Remedy == "" {
				t.Errorf("%+v", out)
			}
			continue
		}
		if err != nil || got.endpoints != (Endpoints{c.sts, c.data}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Closing ends a role that is being assumed, and whoever waits for it.
func TestCloseWhileARoleIsAssumed(t *testing.T) {
	arrived := make(chan struct{})
	server := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server hears of the end of a connection when it has read the body
		close(arrived)
		<-r.Context().Done()
	})
	s := open(t, Config{
		Endpoints: func(string) Endpoints { return Endpoints{STS: server.URL, Data: server.URL} },
		Key:       func(context.Context) (Key, error) { return Key{ID: "AKIA", Secret: "x"}, nil },
	})
	done := make(chan Outcome)
	go func() { done <- s.Deliver(t.Context(), uplink()) }()
	<-arrived
	s.Close()
	if out := <-done; !out.Interrupted {
		t.Errorf("%+v", out)
	}
}

// Who goes away does not end the role for others who wait for it.
func TestCallerWhoGoesAway(t *testing.T) {
	a := newAmazon(t)
	release := make(chan struct{})
	arrived := make(chan struct{})
	slow := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		a.ServeHTTP(w, r)
	})
	a.sender.cfg.Endpoints = func(string) Endpoints { return Endpoints{STS: slow.URL, Data: a.url} }
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan Outcome), make(chan Outcome)
	go func() { first <- a.sender.Deliver(ctx, uplink()) }()
	<-arrived
	go func() { second <- a.sender.Deliver(t.Context(), uplink()) }()
	cancel()
	if out := <-first; !out.Interrupted {
		t.Errorf("%+v", out)
	}
	close(release)
	if out := <-second; !out.OK {
		t.Errorf("%+v", out)
	}
	if assumed, _ := a.counts(); assumed != 1 {
		t.Errorf("%d roles assumed", assumed)
	}
}

func FuzzReadSession(f *testing.F) {
	f.Add([]byte(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>B</SecretAccessKey><SessionToken>C</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`))
	f.Add([]byte(`<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		if c, err := readSession(body, now); err == nil {
			if !c.good(now) || c.renew.After(c.expires) || c.renew.Before(now) || !plain(c.key.ID) || !plain(c.key.Secret) || !plain(c.key.Token) {
				t.Errorf("credentials that cannot be used: %+v", c)
			}
		}
		code, message := readQueryError(body)
		if len(code) > 90 || len(message) > 410 || strings.ContainsAny(code+message, "\r\n\x00") {
			t.Errorf("%q, %q", code, message)
		}
	})
}
