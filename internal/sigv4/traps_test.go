package sigv4_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/thingwire/thingwire/internal/sigv4"
)

func secretOf(id, secret string) func(context.Context, string, string) (string, error) {
	return func(_ context.Context, asked, _ string) (string, error) {
		if asked != id {
			return "", errNoKey
		}
		return secret, nil
	}
}

// upgrade is the address of a WebSocket as an SDK signs it for a host: without a token.
func upgrade(t *testing.T, host, service string, connection bool, expires string) string {
	t.Helper()
	c := call{method: "GET", url: "https://name/mqtt" + expires, host: host, service: service}
	if connection {
		c.header = http.Header{"Connection": {"Upgrade"}}
	}
	u, _ := c.presigned(t)
	return u.RawQuery
}

// The upgrade requests of the device SDKs, as captured.
func TestUpgradesOfDeviceSDKs(t *testing.T) {
	t.Parallel()
	escaped := url.QueryEscape(token)
	crt := upgrade(t, "localhost", "iotdevicegateway", true, "")
	before, signature, _ := strings.Cut(crt, "&X-Amz-Signature=")
	python := upgrade(t, "abc123-ats.iot.us-east-1.amazonaws.com", "iotdata", false, "?X-Amz-Expires=86400")
	js := upgrade(t, "localhost:9443", "iotdevicegateway", false, "")
	inside, _ := call{method: "GET", url: "https://localhost/mqtt", service: "iotdevicegateway", token: token}.presigned(t)
	for _, test := range []struct{ name, query, host, headers, token string }{
		{"SDK v2", crt, "localhost", "Connection: Upgrade", ""},
		{"SDK v2, token before the signature", before + "&X-Amz-Security-Token=" + escaped + "&X-Amz-Signature=" + signature, "localhost", "Connection: Upgrade", token},
		{"SDK v1 Python", python, "abc123-ats.iot.us-east-1.amazonaws.com", "Connection: Upgrade", ""},
		{"SDK v1 Python, token with a bare slash", python + "&X-Amz-Security-Token=" + strings.ReplaceAll(escaped, "%2F", "/"), "abc123-ats.iot.us-east-1.amazonaws.com", "Connection: Upgrade", token},
		{"SDK v1 JavaScript, empty token", js + "&X-Amz-Security-Token=", "localhost:9443", "Connection: Upgrade", ""},
		{"SDK v1 JavaScript, token behind", js + "&X-Amz-Security-Token=" + escaped, "localhost:9443", "Connection: Upgrade", token},
		{"token first", "X-Amz-Security-Token=" + escaped + "&" + js, "localhost:9443", "Connection: Upgrade", token},
		{"token signed, as generic signers do", inside.RawQuery, "localhost", "Connection: Upgrade", token},
		{"signed without the port that is sent", crt, "localhost:9443", "Connection: Upgrade", ""},
		{"signed with the port that is not sent", js, "localhost", "Connection: Upgrade", ""},
		{"another parameter of the client's own", js + "&X-Amz-Security-Token=", "localhost:9443", "Connection: keep-alive, Upgrade", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := "GET /mqtt?" + test.query + " HTTP/1.1\r\nHost: " + test.host + "\r\nUpgrade: websocket\r\n" + test.headers + "\r\n\r\n"
			r := onPort(mustArrive(t, []byte(data)), 9443)
			got, err := verifier(signedAt).Verify(r, "iotdevicegateway", "iotdata")
			if err != nil {
				t.Fatal(err)
			}
			if got.Token != test.token {
				t.Errorf("token %q, want %q", got.Token, test.token)
			}
		})
	}
}

// Only /mqtt has the token outside; elsewhere a token that somebody adds makes another request.
func TestTokenOutsideTheSignatureOnlyForMQTT(t *testing.T) {
	t.Parallel()
	c := call{method: "GET", url: "https://localhost/retainedMessage", service: "iotdata", token: token}
	u, _ := c.presigned(t, func(o *v4.SignerOptions) { o.DisableSessionToken = true })
	c.url = u.String() + "&X-Amz-Security-Token=" + url.QueryEscape(token)
	_, err := verifier(signedAt).Verify(sent(t, c.request(t)), "iotdata")
	if reason(err) != sigv4.ErrDoesNotMatch || !strings.Contains(err.Error(), "without X-Amz-Security-Token") {
		t.Errorf("got %v", err)
	}
}

// What clients send and sign in ways of their own; all of it is right.
func TestTrapsOfHTTP(t *testing.T) {
	t.Parallel()
	v := verifier(signedAt)
	own := sigv4.Signer{AccessKeyID: keyID, Secret: secret, Region: "eu-nowhere-7", Service: "iotdata"}
	header := func(target string) string {
		r := call{method: "POST", url: "https://localhost:9443" + target}.request(t)
		own.Sign(r, nil, signedAt)
		return fmt.Sprintf("Host: localhost:9443\r\nX-Amz-Date: 20261121T204932Z\r\nAuthorization: %s\r\nContent-Length: 0\r\n\r\n", r.Header.Get("Authorization"))
	}
	for _, test := range []struct{ name, signed, sent string }{
		{"a topic with empty segments", "/topics/a//b", "/topics/a//b"},
		{"dots are kept", "/topics/a/../b", "/topics/a/../b"},
		{"an encoded dot", "/topics/%2E%2E", "/topics/%2E%2E"},
		{"an encoded slash", "/topics/a%2Fb%20c", "/topics/a%2Fb%20c"},
		{"lower-case encoding", "/topics/a%2fb", "/topics/a%2fb"},
		{"the bare dollar of boto3", "/things/t1/jobs/$next", "/things/t1/jobs/$next"},
		{"NUL", "/topics/a%00", "/topics/a%00"},
		{"an endpoint with a slash at its end", "/topics/a", "//topics/a"},
		{"absolute form", "/topics/a?qos=1", "http://localhost:9443/topics/a?qos=1"},
		{"absolute form without a path", "/", "http://localhost:9443"},
		{"no value", "/topics/a?x=&y=", "/topics/a?x&y="},
		{"in any order", "/topics/a?a=1&a-b=2&b=", "/topics/a?b=&a-b=2&a=1"},
		{"values in any order", "/topics/a?a=2&a=1", "/topics/a?a=1&a=2"},
		{"typed by hand", "/topics/a?responseTopic=r%2Ft&contentType=a%20b", "/topics/a?responseTopic=r/t&contentType=a+b"},
		{"empty parameters", "/topics/a?a=1&b=2", "/topics/a?&a=1&&b=2&"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := mustArrive(t, []byte("POST "+test.sent+" HTTP/1.1\r\n"+header(test.signed)))
			got, err := v.Verify(r, "iotdata")
			if err != nil || got.Region != "eu-nowhere-7" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestEmptySegmentsAreNotJoinedInsideAPath(t *testing.T) {
	t.Parallel()
	for signed, other := range map[string]string{
		"/topics/a/b":   "/topics/a//b",
		"/topics//a":    "/topics/a",
		"/topics/a%2Fb": "/topics/a/b",
		"/topics/a":     "/topics/./a",
	} {
		data := string(wire(t, call{method: "POST", url: "https://localhost" + signed, service: "iotdata"}.signed(t)))
		r := mustArrive(t, []byte(strings.Replace(data, " "+signed+" ", " "+other+" ", 1)))
		if _, err := verifier(signedAt).Verify(r, "iotdata"); reason(err) != sigv4.ErrDoesNotMatch {
			t.Errorf("signed %s, sent %s: %v", signed, other, err)
		}
	}
}

func TestUnsignedPayload(t *testing.T) {
	t.Parallel()
	own := sigv4.Signer{AccessKeyID: keyID, Secret: secret, Region: "us-east-1", Service: "iotdata"}
	c := call{method: "POST", url: "https://localhost/topics/a", header: http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, body: "one"}
	r := c.request(t)
	own.Sign(r, nil, signedAt)
	arrived := sent(t, r)
	if _, err := verifier(signedAt).Verify(arrived, "iotdata"); err != nil || bodyOf(t, arrived) != "one" {
		t.Error(err)
	}
	// What the signer signed cannot be made unsigned afterwards.
	c.header = nil
	r = c.request(t)
	own.Sign(r, []byte("one"), signedAt)
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if _, err := verifier(signedAt).Verify(sent(t, r), "iotdata"); reason(err) != sigv4.ErrDoesNotMatch {
		t.Errorf("got %v", err)
	}
}
