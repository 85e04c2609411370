package sigv4_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// drawCall makes any request that an SDK can make: labels and parameters encoded once, headers of any printable text.
func drawCall(t *rapid.T) call {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab/zA0-._~$+%& =?#:;,@!*'()[]ü€😀")), 1, 12, -1)
	var path strings.Builder
	for _, label := range rapid.SliceOfN(text, 0, 4).Draw(t, "labels") {
		path.WriteString("/" + strings.ReplaceAll(url.QueryEscape(label), "+", "%20"))
	}
	query := url.Values{}
	for _, name := range rapid.SliceOfN(text, 0, 4).Draw(t, "names") {
		query.Add(name, text.Draw(t, "value"))
	}
	header := http.Header{}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"X-Amz-Mqtt5-User-Properties", "X-Amz-Mqtt5-Correlation-Data", "X-Amzn-Principal", "Content-Type", "Amz-Sdk-Request", "Connection",
	}), 0, 4).Draw(t, "headers") {
		header.Add(name, rapid.StringOfN(rapid.RuneFrom([]rune("abc 09/+=,;:\"{}[]")), 0, 20, -1).Draw(t, "text"))
	}
	return call{
		method:  rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}).Draw(t, "method"),
		url:     "https://" + rapid.SampledFrom([]string{"localhost", "localhost:9443", "127.0.0.1:18731", "[::1]:9443"}).Draw(t, "host") + path.String() + "?" + query.Encode(),
		header:  header,
		body:    string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")),
		service: rapid.SampledFrom([]string{"iot", "iotdata", "sts", "execute-api"}).Draw(t, "service"),
		token:   rapid.SampledFrom([]string{"", token}).Draw(t, "token"),
	}
}

func TestWhatTheAWSSignerSignsVerifies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCall(rt)
		r := sent(t, c.signed(t))
		got, err := verifier(signedAt).Verify(r, c.service)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		want := sigv4.Credential{AccessKeyID: keyID, Date: "20261121", Region: "us-east-1", Service: c.service, Token: c.token}
		if got != want {
			rt.Fatalf("got %v, want %v", got, want)
		}
		if body := bodyOf(t, r); body != c.body {
			rt.Fatalf("the body reads %q afterwards, want %q", body, c.body)
		}
	})
}

func TestWhatTheAWSSignerPresignsVerifies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCall(rt)
		u, header := c.presigned(t)
		c.url, c.header = u.String(), header
		c.header.Del("Host")
		c.header.Del("Content-Length")
		if got, err := verifier(signedAt).Verify(sent(t, c.request(t)), c.service); err != nil || got.Token != c.token {
			rt.Fatalf("%v, %v", got, err)
		}
	})
}

// same reports whether two requests mean the same to every door.
func same(a, b *http.Request, bodyA, bodyB []byte) bool {
	return a.Method == b.Method && sameTarget(a.URL, b.URL) && a.Host == b.Host && bytes.Equal(bodyA, bodyB) &&
		maps.EqualFunc(read(a.Header), read(b.Header), slices.Equal)
}

// read leaves the headers that a door reads. Others may go unsigned and then say nothing: the length of an empty body,
// which the AWS signer does not sign, under a name that is one bit off. The body itself is compared.
func read(h http.Header) http.Header {
	h = h.Clone()
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return !strings.HasPrefix(name, "X-Amz") && !slices.Contains([]string{"Authorization", "Connection", "Content-Type", "Upgrade"}, name)
	})
	return h
}

// sameTarget compares the paths as they are but for slashes in front, of which some SDKs send two and sign one, and the
// queries as they are read: %2f and %2F are one there.
func sameTarget(a, b *url.URL) bool {
	return strings.TrimLeft(a.EscapedPath(), "/") == strings.TrimLeft(b.EscapedPath(), "/") && maps.EqualFunc(a.Query(), b.Query(), slices.Equal)
}

// whole reads a request with its body; the body can be read again.
func whole(data []byte) (*http.Request, []byte, error) {
	r, err := arrive(data)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r, body, err
}

// A request that differs in one bit from a signed one verifies only where the bit says nothing: the version of HTTP, the
// case of a header's name or of a percent-encoding.
func TestOneFlippedBitNeverVerifies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCall(rt)
		var data []byte
		if rapid.Bool().Draw(rt, "presigned") {
			u, header := c.presigned(t)
			c.url, c.header = u.String(), header
			c.header.Del("Host")
			c.header.Del("Content-Length")
			data = wire(t, c.request(t))
		} else {
			data = wire(t, c.signed(t))
		}
		original, body, err := whole(data)
		if err != nil {
			rt.Fatal(err)
		}
		i := rapid.IntRange(0, len(data)-1).Draw(rt, "byte")
		data[i] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		r, flipped, err := whole(data)
		if err != nil {
			return
		}
		if _, err := verifier(signedAt).Verify(r, c.service); err == nil && !same(original, r, body, flipped) {
			rt.Fatalf("verifies with byte %d changed: %q", i, data)
		}
	})
}

func TestEveryBitOfOneRequest(t *testing.T) {
	t.Parallel()
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original, body, err := whole(data)
			if err != nil {
				t.Fatal(err)
			}
			v := verifier(signedAt)
			if _, err := v.Verify(original, "iotdata", "iotdevicegateway"); err != nil {
				t.Fatal(err)
			}
			for i := range 8 * len(data) {
				changed := bytes.Clone(data)
				changed[i/8] ^= 1 << (i % 8)
				r, flipped, err := whole(changed)
				if err != nil || same(original, r, body, flipped) {
					continue
				}
				if _, err := v.Verify(r, "iotdata", "iotdevicegateway"); err == nil {
					t.Errorf("verifies as %q", changed)
				}
			}
		})
	}
}

// samples are signed requests of each kind. Their token is inside the signature: what stands outside belongs to Lookup.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	publish := call{
		method: "POST", url: "https://127.0.0.1:18731/topics/dev%2F%C3%BC%20x%2F%24a%2B1%2Ft?qos=1&retain=true&contentType=application%2Fjson%3B%20charset%3Dutf-8",
		header: http.Header{"X-Amz-Mqtt5-User-Properties": {"W3siZGV2aWNlTmFtZSI6ImFscGhhIn1d"}},
		body:   "{\"hello\":\"\x00\xff\"}", service: "iotdata", token: token,
	}
	upgrade := call{method: "GET", url: "https://localhost:9443/mqtt", header: http.Header{"Connection": {"Upgrade"}}, service: "iotdevicegateway"}
	u, header := upgrade.presigned(t)
	upgrade.url, upgrade.header = u.String(), http.Header{"Connection": header["Connection"]}
	upgrade.header.Set("Connection", "Upgrade")
	return map[string][]byte{"header": wire(t, publish.signed(t)), "presigned": wire(t, upgrade.request(t))}
}

func TestOwnSignerSignsAsTheAWSSigner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCall(rt)
		c.body = "" // the AWS signer signs the length of a body too
		c.header.Del("Amz-Sdk-Request")
		c.header.Del("Connection")
		own := sigv4.Signer{AccessKeyID: keyID, Secret: secret, Token: c.token, Region: "us-east-1", Service: c.service}
		mine, theirs := c.request(t), c.signed(t)
		own.Sign(mine, nil, signedAt)
		if a, b := mine.Header.Get("Authorization"), theirs.Header.Get("Authorization"); a != b {
			rt.Fatalf("signed\n%s, the AWS signer\n%s", a, b)
		}
	})
}

func TestOwnSignerPresignsAsTheAWSSigner(t *testing.T) {
	t.Parallel()
	for _, tok := range []string{"", token} {
		for _, path := range []string{"/mqtt", "/topics/a%2Fb"} {
			c := call{method: "GET", url: "https://localhost:9443" + path + "?X-Amz-Expires=900", service: "iotdevicegateway", token: tok}
			theirs, _ := c.presigned(t, func(o *v4.SignerOptions) { o.DisableSessionToken = path == "/mqtt" })
			own := sigv4.Signer{AccessKeyID: keyID, Secret: secret, Token: tok, Region: "us-east-1", Service: c.service}
			mine := own.Presign(&url.URL{Scheme: "wss", Host: "localhost:9443", Path: strings.ReplaceAll(path, "%2F", "/"), RawPath: path}, signedAt, 15*time.Minute)
			if a, b := mine.Query().Get("X-Amz-Signature"), theirs.Query().Get("X-Amz-Signature"); a != b {
				t.Errorf("%s with token %q: %s, the AWS signer %s", path, tok, mine, theirs)
			}
			c.url = "https" + strings.TrimPrefix(mine.String(), "wss")
			if got, err := verifier(signedAt).Verify(sent(t, c.request(t)), c.service); err != nil || got.Token != tok {
				t.Errorf("%s: %v, %v", mine, got, err)
			}
		}
	}
}

// The examples of AWS's pages "Create a signed AWS API request" and of its test suite.
func TestExamplesOfAWS(t *testing.T) {
	t.Parallel()
	const example = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	v := &sigv4.Verifier{Now: func() time.Time { return at }, Lookup: secretOf("AKIDEXAMPLE", example)}
	for service, data := range map[string]string{
		"service": "GET / HTTP/1.1\r\nHost:example.amazonaws.com\r\nX-Amz-Date:20150830T123600Z\r\n" +
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31\r\n\r\n",
		"iam": "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nX-Amz-Date: 20150830T123600Z\r\n" +
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\r\n",
	} {
		if _, err := v.Verify(mustArrive(t, []byte(data)), service); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}

var errNoKey = errors.New("no such key")
