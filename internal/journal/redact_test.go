package journal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// secret is a part of every secret in the tests: it must not be anywhere.
const secret = "s3cr3t"

var secrets = []struct{ name, text, want string }{
	{"user name with a query", "alice?x-amz-customauthorizer-name=a&key=s3cr3t", "alice?[redacted]"},
	{"presigned URL", "GET wss://h/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=s3cr3t HTTP/1.1", "GET wss://h/mqtt?[redacted] HTTP/1.1"},
	{"signature of a header", "AWS4-HMAC-SHA256 Credential=s3cr3t/2025, SignedHeaders=host, Signature=s3cr3t", "AWS4-HMAC-SHA256 Credential=[redacted], SignedHeaders=host, Signature=[redacted]"},
	{"authorization header", "Authorization: Bearer s3cr3t and s3cr3t", "Authorization: [redacted]"},
	{"session token", "x-amz-security-token: s3cr3t", "x-amz-security-token: [redacted]"},
	{"environment", "AWS_SECRET_ACCESS_KEY=s3cr3t AWS_REGION=eu", "AWS_SECRET_ACCESS_KEY=[redacted] AWS_REGION=eu"},
	{"JSON", `{"SecretAccessKey": "s3cr3t", "Region": "eu"}`, `{"SecretAccessKey": "[redacted]", "Region": "eu"}`},
	{"JSON in JSON", `{\"password\": \"s3cr3t\"}`, `{\"password\": \"[redacted]"}`},
	{"password in words", "the password: s3cr3t is wrong", "the password: [redacted] is wrong"},
	{"escaped separator", "a%26X-Amz-Signature%3Ds3cr3t", "a%26X-Amz-Signature%3D[redacted]"},
	{"cookie", "Cookie: a=s3cr3t; b=s3cr3t", "Cookie: [redacted]"},
	{"token of JSON", "the token eyJhbGciOiJIUzI1NiJ9.s3cr3t.abcdefgh is over", "the token [redacted] is over"},
	{"private key", "key -----BEGIN EC PRIVATE KEY-----\ns3cr3t\n-----END EC PRIVATE KEY-----", "key [redacted]"},
	{"in the name of a refusal", `not allowed to publish to "a?token=s3cr3t": no policy allows it`, `not allowed to publish to "a?[redacted]": no policy allows it`},
	{"name and value in the name of a refusal", `not allowed to subscribe to "{\"password\": \"s3cr3t\"}": no policy`, `not allowed to subscribe to "{\"password\": \"[redacted]"}": no policy`},
	{"behind a refusal", `not allowed to publish to "secret": no policy has token=s3cr3t`, `not allowed to publish to "secret": no policy has token=[redacted]`},
	{"not quite a refusal", `may not publish to "secret": s3cr3t`, `may not publish to "secret": [redacted]`},
	{"invalid UTF-8", "\xffpassword=s3cr3t", "\uFFFDpassword=[redacted]"},
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tc := range secrets {
		if got := cleanText(tc.text, maxWords); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// What is no secret stays as it is: it is what people need.
func TestRedactLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "lamp", "bme680/+", "why?", "a/b?", "x=1", "2001:db8::1", "TLS handshake failed: remote error: tls: unknown certificate",
		`not allowed to publish "a/b": no policy allows iot:Publish on topic/a/b; nearest is policy p, statement 1: allowed on topic/a, asked for topic/a/b`,
		`not allowed to publish to "secret": no policy allows iot:Publish on topic/secret; nearest is policy "p", statement 1: allowed on topic/a, asked for topic/secret`,
		`not allowed to publish the will to "token": denied by policy "p" version 1, statement 0`,
		`not allowed to connect as "My-Api-Key": no policy allows iot:Connect on client/My-Api-Key`,
		`not allowed to subscribe to "a.password": the certificate has no policy`,
		`not allowed to publish to "home/secret": denied by policy "p" version 1, statement 0`,
		"arn:aws:iot:us-east-1:000000000000:client/lamp", "${iot:ClientId} has no value: the request came without a client id",
		"its condition StringEquals does not hold: iot:DomainName is \"a\", the policy has \"b\"", "$share/group/a/#",
		"SECURITY_TOKEN_EXPIRED", "DISCONNECT: normal disconnection", "eyJust a word",
	} {
		if got := cleanText(s, maxWords); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// NoSecretInLogs (DESIGN, invariant 10): whatever field a secret is put into, it is neither in memory nor on disk.
func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, Options{Dir: dir})
	for _, tc := range secrets {
		s := tc.text
		j.Record(Entry{
			LogLevel: s, TraceID: s, AccountID: s, Status: s, EventType: s, Protocol: s, ClientID: s, PrincipalID: s,
			SourceIP: s, TopicName: s, Subscriptions: []Subscription{{TopicName: s}}, QoS: s, Retain: s, Reason: s, Details: s,
			DisconnectReason: s, CleanSession: s, ThingName: s, AuthType: s, ServerName: s, Packet: s, Policy: s,
			Statement: s, Cause: s, Remedy: s, Listener: s,
		})
	}
	for _, line := range told(j.Query(Query{})) {
		if strings.Contains(line, secret) {
			t.Errorf("in memory: %s", line)
		}
	}
	if len(j.Query(Query{})) != len(secrets) {
		t.Error("an entry is missing")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, all := segments(t, dir)
	if len(all) == 0 || strings.Contains(string(all), secret) {
		t.Errorf("on disk:\n%s", all)
	}
	// A client whose id looks like a secret is still found by it.
	j = open(t, Options{Dir: dir})
	if n := len(j.Query(Query{ClientID: "x-amz-security-token: " + secret})); n != 1 {
		t.Errorf("%d entries are found by a client id that was redacted", n)
	}
}

func TestLongTextIsCut(t *testing.T) {
	t.Parallel()
	for most := 10; most < 20; most++ {
		got := cleanText(strings.Repeat("ä", 100), most)
		if len(got) > most || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("cut to %d: %q", most, got)
		}
	}
	e := Entry{Subscriptions: make([]Subscription, 1000)}
	if e.clean(); len(e.Subscriptions) != maxSubscriptions {
		t.Errorf("%d subscriptions", len(e.Subscriptions))
	}
}

func FuzzClean(f *testing.F) {
	for _, tc := range secrets {
		f.Add(tc.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := cleanText(s, maxText)
		if len(once) > maxText || !utf8.ValidString(once) {
			t.Errorf("cleanText(%q) = %q", s, once)
		}
		if twice := cleanText(once, maxText); twice != once {
			t.Errorf("cleaned twice: %q, then %q", once, twice)
		}
		if got := cleanText("password="+secret+" "+s, maxWords); strings.Contains(got, secret) && !strings.Contains(s, secret) {
			t.Errorf("cleanText(%q) = %q", s, got)
		}
	})
}
