package sigv4_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// publish is a publish of 256 bytes with user properties, as boto3 sends it, ready to be verified again and again.
func publish(tb testing.TB) (r *http.Request, again func()) {
	tb.Helper()
	c := call{
		method: "POST", url: "https://localhost:9443/topics/device%2Fdata?qos=1", service: "iotdata", body: strings.Repeat("x", 256),
		header: http.Header{"X-Amz-Mqtt5-User-Properties": {"W3siZGV2aWNlTmFtZSI6ImFscGhhIn1d"}},
	}
	r = sent(tb, c.signed(tb))
	body := bytes.NewReader(nil)
	return r, func() {
		body.Reset([]byte(c.body))
		r.Body = io.NopCloser(body)
	}
}

func BenchmarkVerifyPublish(b *testing.B) {
	b.ReportAllocs()
	r, again := publish(b)
	v := verifier(signedAt)
	for b.Loop() {
		again()
		if _, err := v.Verify(r, "iotdata"); err != nil {
			b.Fatal(err)
		}
	}
}

// The worst that somebody with a key id can ask for: a presigned address that matches in no reading.
func BenchmarkRefuseUpgrade(b *testing.B) {
	b.ReportAllocs()
	r := mustArrive(b, []byte("GET /mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+keyID+"%2F20261121%2Fus-east-1%2Fiotdata%2Faws4_request&X-Amz-Date=20261121T204932Z&X-Amz-SignedHeaders=host&X-Amz-Security-Token="+
		"&a=/&X-Amz-Signature="+goodMAC+" HTTP/1.1\r\nHost: localhost:443\r\n\r\n"))
	r = onPort(r, 9443)
	v := verifier(signedAt)
	for b.Loop() {
		if _, err := v.Verify(r, "iotdata"); err == nil {
			b.Fatal("verifies")
		}
	}
}

// Verifying allocates a little for what it reads, and no more with time: this many, written down so that a change shows.
func TestAllocationsOfVerify(t *testing.T) {
	r, again := publish(t)
	v := verifier(signedAt)
	const most = 32
	if n := testing.AllocsPerRun(100, func() {
		again()
		if _, err := v.Verify(r, "iotdata"); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("%v allocations, %d expected", n, most)
	}
}
