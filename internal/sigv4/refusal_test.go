package sigv4_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigv4"
)

const (
	goodScope = keyID + "/20261121/us-east-1/iotdata/aws4_request"
	goodMAC   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	goodDate  = "X-Amz-Date: 20261121T204932Z\r\n"
)

func authorization(scope, headers, mac string) string {
	return "Authorization: AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=" + headers + ", Signature=" + mac + "\r\n"
}

func TestRefusalsOfHeaders(t *testing.T) {
	t.Parallel()
	good := authorization(goodScope, "host;x-amz-date", goodMAC)
	for _, test := range []struct {
		name, headers string
		reason        sigv4.ReasonError
		words         string
	}{
		{"no signature", goodDate, sigv4.ErrMissing, "Missing Authentication Token"},
		{"another scheme", "Authorization: Bearer abc\r\n", sigv4.ErrMissing, "Missing Authentication Token"},
		{"an old scheme", "Authorization: AWS AKID:sig\r\n", sigv4.ErrMissing, "Missing"},
		{"two headers", goodDate + good + good, sigv4.ErrIncomplete, "2 Authorization headers"},
		{"another algorithm", goodDate + "Authorization: AWS4-ECDSA-P256-SHA256 Credential=x\r\n", sigv4.ErrIncomplete, "AWS4-HMAC-SHA256"},
		{"nothing in it", goodDate + "Authorization: AWS4-HMAC-SHA256 Credential=\r\n", sigv4.ErrIncomplete, "requires 'Credential' parameter. Authorization header requires 'Signature' parameter."},
		{"a parameter twice", goodDate + strings.Replace(good, ", Sig", ", Credential=x, Sig", 1), sigv4.ErrIncomplete, "'Credential' twice"},
		{"an unknown parameter", goodDate + strings.Replace(good, ", Sig", ", Foo=x, Sig", 1), sigv4.ErrIncomplete, "Foo"},
		{"four parts", goodDate + authorization("A/20261121/iotdata/aws4_request", "host;x-amz-date", goodMAC), sigv4.ErrIncomplete, "exactly 5 slash-delimited elements"},
		{"an empty region", goodDate + authorization("A/20261121//iotdata/aws4_request", "host;x-amz-date", goodMAC), sigv4.ErrIncomplete, "empty"},
		{"another terminator", goodDate + authorization("A/20261121/us-east-1/iotdata/aws3_request", "host;x-amz-date", goodMAC), sigv4.ErrIncomplete, "aws4_request"},
		{"host not signed", goodDate + authorization(goodScope, "x-amz-date", goodMAC), sigv4.ErrIncomplete, "'Host' or ':authority'"},
		{"date not signed", goodDate + authorization(goodScope, "host", goodMAC), sigv4.ErrIncomplete, "'x-amz-date' must be a 'SignedHeader'"},
		{"a property not signed", goodDate + "X-Amz-Mqtt5-User-Properties: W10=\r\n" + good, sigv4.ErrIncomplete, "'x-amz-mqtt5-user-properties'"},
		{"a principal not signed", goodDate + "x-amzn-principal: arn\r\n" + good, sigv4.ErrIncomplete, "'x-amzn-principal'"},
		{"names in capitals", goodDate + authorization(goodScope, "Host;x-amz-date", goodMAC), sigv4.ErrIncomplete, "lower case"},
		{"a signed header that is not there", goodDate + authorization(goodScope, "connection;host;x-amz-date", goodMAC), sigv4.ErrDoesNotMatch, `signed the header "connection", which did not arrive`},
		{"a short signature", goodDate + authorization(goodScope, "host;x-amz-date", goodMAC[1:]), sigv4.ErrIncomplete, "64 hexadecimal"},
		{"a long signature", goodDate + authorization(goodScope, "host;x-amz-date", goodMAC+"0"), sigv4.ErrIncomplete, "64 hexadecimal"},
		{"a signature in capitals", goodDate + authorization(goodScope, "host;x-amz-date", strings.ToUpper(goodMAC)), sigv4.ErrIncomplete, "64 hexadecimal"},
		{"no date", authorization(goodScope, "host", goodMAC), sigv4.ErrIncomplete, "either a 'X-Amz-Date' or a 'Date'"},
		{"two dates", goodDate + goodDate + good, sigv4.ErrIncomplete, "2 times"},
		{"a date with a fraction", "X-Amz-Date: 20261121T204932.5Z\r\n" + good, sigv4.ErrIncomplete, "ISO-8601"},
		{"no date at all in it", "X-Amz-Date: today\r\n" + good, sigv4.ErrIncomplete, "ISO-8601"},
		{"another day in the scope", "X-Amz-Date: 20261122T204932Z\r\n" + good, sigv4.ErrIncomplete, "does not match"},
		{"another service", goodDate + authorization(strings.Replace(goodScope, "iotdata", "s3", 1), "host;x-amz-date", goodMAC), sigv4.ErrScope, "Credential should be scoped to correct service: 'iotdata'"},
		{"chunks", goodDate + "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n" + good, sigv4.ErrIncomplete, "S3"},
		{"another body", goodDate + "X-Amz-Content-Sha256: " + goodMAC + "\r\n" + good, sigv4.ErrDoesNotMatch, "x-amz-content-sha256"},
		{"another signature", goodDate + good, sigv4.ErrDoesNotMatch, "does not match the signature you provided"},
		{"the time of HTTP", "Date: Sat, 21 Nov 2026 20:49:32 GMT\r\n" + authorization(goodScope, "date;host", goodMAC), sigv4.ErrDoesNotMatch, "does not match the signature you provided"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := mustArrive(t, []byte("POST /topics/a HTTP/1.1\r\nHost: localhost\r\n"+test.headers+"\r\n"))
			checkRefusal(t, r, test.reason, test.words)
		})
	}
}

func checkRefusal(t *testing.T, r *http.Request, want sigv4.ReasonError, words string) {
	t.Helper()
	got, err := verifier(signedAt).Verify(r, "iotdata")
	if reason(err) != want || !strings.Contains(fmt.Sprint(err), words) || !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v (%v), want %v: %s", err, reason(err), want, words)
	}
	if got != (sigv4.Credential{}) {
		t.Errorf("got %v with an error", got)
	}
}

func TestRefusalsOfQueries(t *testing.T) {
	t.Parallel()
	const good = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + keyID + "%2F20261121%2Fus-east-1%2Fiotdata%2Faws4_request&X-Amz-Date=20261121T204932Z&X-Amz-SignedHeaders=host&X-Amz-Signature=" + goodMAC
	for _, test := range []struct {
		name, query string
		reason      sigv4.ReasonError
		words       string
	}{
		{"as it is", good, sigv4.ErrDoesNotMatch, "does not match the signature you provided"},
		{"no signature", strings.Replace(good, "&X-Amz-Signature="+goodMAC, "", 1), sigv4.ErrIncomplete, "must include 'X-Amz-Signature'"},
		{"no credential", strings.Replace(good, "X-Amz-Credential", "X-Amz-C", 1), sigv4.ErrIncomplete, "must include 'X-Amz-Credential'"},
		{"no algorithm", strings.Replace(good, "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", 1), sigv4.ErrIncomplete, "X-Amz-Algorithm must be"},
		{"a parameter twice", good + "&X-Amz-Date=20261121T204932Z", sigv4.ErrIncomplete, `"X-Amz-Date" twice`},
		{"a parameter twice, the second in disguise", good + "&X-Amz-%53ignature=" + goodMAC, sigv4.ErrIncomplete, `"X-Amz-Signature" twice`},
		{"no seconds", good + "&X-Amz-Expires=0", sigv4.ErrIncomplete, "from 1 to 604800"},
		{"more than a week", good + "&X-Amz-Expires=604801", sigv4.ErrIncomplete, "from 1 to 604800"},
		{"no number", good + "&X-Amz-Expires=1e3", sigv4.ErrIncomplete, "from 1 to 604800"},
		{"a broken escape", good + "&X-Amz-Security-Token=%zz", sigv4.ErrIncomplete, "not percent-encoded"},
		{"a line in a header's name", strings.Replace(good, "SignedHeaders=host", "SignedHeaders=host%3Ba%0Ab", 1), sigv4.ErrIncomplete, "not a list of names"},
		{"a line in the region", strings.Replace(good, "us-east-1", "us%0Aeast", 1), sigv4.ErrIncomplete, "not printable"},
		{"a line in the date", strings.Replace(good, "X-Amz-Date=20261121T204932Z", "X-Amz-Date=20261121T204932Z%0A", 1), sigv4.ErrIncomplete, "ISO-8601"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, mustArrive(t, []byte("GET /mqtt?"+test.query+" HTTP/1.1\r\nHost: localhost\r\n\r\n")), test.reason, test.words)
		})
	}
	both := mustArrive(t, []byte("GET /mqtt?"+good+" HTTP/1.1\r\nHost: localhost\r\n"+goodDate+authorization(goodScope, "host;x-amz-date", goodMAC)+"\r\n"))
	checkRefusal(t, both, sigv4.ErrIncomplete, "signed twice")
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		"GET /mqtt HTTP/1.1\r\n":                                        false,
		"GET /mqtt?x-amz-customauthorizer-name=a HTTP/1.1\r\n":          false,
		"GET /mqtt HTTP/1.1\r\nAuthorization: Bearer x\r\n":             false,
		"GET /mqtt?X-Amz-Signature= HTTP/1.1\r\n":                       true,
		"GET /mqtt HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 \r\n":    true,
		"GET /mqtt?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256 HTTP/1.1\r\n": true,
	} {
		if got := sigv4.Signed(mustArrive(t, []byte(head+"Host: a\r\n\r\n"))); got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	plain := call{method: "GET", url: "https://localhost/retainedMessage", service: "iotdata"}
	address := func(expires string) []byte {
		c := plain
		c.url += "?" + expires
		u, _ := c.presigned(t)
		c.url = u.String()
		return wire(t, c.request(t))
	}
	header, short, day, week := wire(t, plain.signed(t)), address("X-Amz-Expires=90"), address(""), address("X-Amz-Expires=604800")
	for _, test := range []struct {
		name   string
		data   []byte
		after  time.Duration
		reason sigv4.ReasonError
		words  string
	}{
		{"a header at the last moment", header, 5 * time.Minute, 0, ""},
		{"a header too old", header, 5*time.Minute + time.Second, sigv4.ErrExpired, "Signature expired: 20261121T204932Z is now earlier than 20261121T204933Z (20261121T205433Z - 5 min.)"},
		{"a header at the first moment", header, -5 * time.Minute, 0, ""},
		{"a header too new", header, -5*time.Minute - time.Second, sigv4.ErrNotYetCurrent, "Signature not yet current: 20261121T204932Z is still later than 20261121T204931Z (20261121T204431Z + 5 min.)"},
		{"an address in its time", short, 90 * time.Second, 0, ""},
		{"an address out of its time", short, 91 * time.Second, sigv4.ErrExpired, "(20261121T205103Z - 90 s.)"},
		{"an address from the future", short, -301 * time.Second, sigv4.ErrNotYetCurrent, "not yet current"},
		{"an address without a limit", day, 24 * time.Hour, 0, ""},
		{"an address without a limit, too old", day, 24*time.Hour + time.Second, sigv4.ErrExpired, "expired"},
		{"a week is a day here", week, 24*time.Hour + time.Second, sigv4.ErrExpired, "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier(signedAt.Add(test.after)).Verify(mustArrive(t, test.data), "iotdata")
			if reason(err) != test.reason || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %v %s", err, test.reason, test.words)
			}
		})
	}
}

// A refusal names the mistake where it can be told.
func TestMismatchesSayWhatDiffers(t *testing.T) {
	t.Parallel()
	c := call{method: "POST", url: "https://localhost:9443/topics/a%2Fb?qos=1", service: "iotdata", body: "one"}
	once := c
	once.url = "https://localhost:9443/topics/a/b?qos=1"
	good := string(wire(t, c.signed(t)))
	for _, test := range []struct{ name, data, words string }{
		{"the path encoded once", string(wire(t, s3(t, c))), "encode each segment once more"},
		{"the decoded path", strings.Replace(string(wire(t, once.signed(t))), "/topics/a/b", "/topics/a%2Fb", 1), "signed the decoded path"},
		{"the host", strings.Replace(good, "Host: localhost:9443", "Host: localhost", 1), `signed the host "localhost:9443", but "localhost" arrived`},
		{"the query", strings.Replace(good, "qos=1", "qos=0", 1), "the secret of"},
		{"the method", strings.Replace(good, "POST", "PUT", 1), `received were "PUT"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier(signedAt).Verify(onPort(mustArrive(t, []byte(test.data)), 9443), "iotdata")
			if reason(err) != sigv4.ErrDoesNotMatch || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %s", err, test.words)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	v := verifier(signedAt)
	v.MaxBody = 8
	verify := func(body string, change func(r *http.Request)) error {
		c := call{method: "POST", url: "https://localhost/topics/a", service: "iotdata", body: body}
		r := sent(t, c.signed(t))
		change(r)
		_, err := v.Verify(r, "iotdata")
		return err
	}
	chunked := func(r *http.Request) {
		r.Header.Set("Content-Length", fmt.Sprint(r.ContentLength))
		r.ContentLength = -1
	}
	limited := func(r *http.Request) { r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 3) }
	broken := func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("12"), errReader{}))
	}
	for _, test := range []struct {
		name, body string
		change     func(r *http.Request)
		refused    bool
		kind       fault.Kind
	}{
		{"at the limit", "12345678", func(*http.Request) {}, false, 0},
		{"over the limit", "123456789", func(*http.Request) {}, true, fault.TooLarge},
		{"without a length", "12345678", chunked, false, 0},
		{"without a length, over the limit", "123456789", chunked, true, fault.TooLarge},
		{"over the door's limit", "1234", limited, true, fault.TooLarge},
		{"cut off", "1234", broken, true, fault.Invalid},
	} {
		err := verify(test.body, test.change)
		if (err != nil) != test.refused || err != nil && !fault.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestErrorsOfLookupAreTheAnswer(t *testing.T) {
	t.Parallel()
	c := call{method: "GET", url: "https://localhost/", service: "iotdata"}
	v := &sigv4.Verifier{Now: func() time.Time { return signedAt }, Lookup: func(context.Context, string, string) (string, error) { return "", errNoKey }}
	if _, err := v.Verify(sent(t, c.signed(t)), "iotdata"); !errors.Is(err, errNoKey) {
		t.Errorf("got %v", err)
	}
	if _, err := verifier(signedAt).Verify(sent(t, c.signed(t))); !fault.Is(err, fault.Internal) {
		t.Errorf("no service: %v", err)
	}
}

// Invariant NoSecretInLogs: no printed form has the token.
func TestNoTokenInPrintedForms(t *testing.T) {
	t.Parallel()
	c := sigv4.Credential{AccessKeyID: keyID, Date: "20261121", Region: "r", Service: "s", Token: token}
	s := sigv4.Signature{Credential: c}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), fmt.Sprintf("%v %+v %#v", s, s, s), c.LogValue().String(),
		fmt.Sprintf("%v %+v %#v", &c, &c, &c),
	} {
		if strings.Contains(text, token) {
			t.Errorf("the token is in %s", text)
		}
	}
}

func TestNamesOfReasons(t *testing.T) {
	t.Parallel()
	for r := sigv4.ErrMissing; r <= sigv4.ErrDoesNotMatch; r++ {
		if !strings.HasSuffix(r.JSON(), "Exception") || strings.Contains(r.Query(), "(") || r.Error() != r.Query() {
			t.Errorf("%d: %s, %s", r, r.JSON(), r.Query())
		}
	}
	if got := sigv4.ReasonError(99).JSON() + sigv4.ReasonError(99).Query(); got != "reason(99)reason(99)" {
		t.Error(got)
	}
}
