package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigv4"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	token  = "FwoGZXIvYXdz/EXAMPLE+token=="
)

var signedAt = time.Date(2026, 11, 21, 20, 49, 32, 0, time.UTC)

var errUnknownKey = fault.New(fault.Unauthenticated, "The security token included in the request is invalid.")

// lookup knows one key, with and without the session token.
func lookup(_ context.Context, id, tok string) (string, error) {
	if id == keyID && (tok == "" || tok == token) {
		return secret, nil
	}
	return "", errUnknownKey
}

func verifier(at time.Time) *sigv4.Verifier {
	return &sigv4.Verifier{Lookup: lookup, Now: func() time.Time { return at }}
}

func reason(err error) sigv4.ReasonError {
	r, _ := errors.AsType[sigv4.ReasonError](err)
	return r
}

// call is a request that a client is about to send.
type call struct {
	method, url string
	host        string // the Host header where it is not the address
	header      http.Header
	body        string
	service     string
	token       string
}

func (c call) request(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = c.host
	maps.Copy(r.Header, c.header)
	return r
}

func (c call) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: c.token}
}

// signed is the call as the AWS signer sends it.
func (c call) signed(t testing.TB) *http.Request {
	t.Helper()
	r := c.request(t)
	hash := sha256.Sum256([]byte(c.body))
	err := v4.NewSigner().SignHTTP(t.Context(), c.credentials(), r, hex.EncodeToString(hash[:]), c.service, "us-east-1", signedAt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// presigned is the address that the AWS signer makes of the call.
func (c call) presigned(t testing.TB, options ...func(*v4.SignerOptions)) (*url.URL, http.Header) {
	t.Helper()
	hash := sha256.Sum256([]byte(c.body))
	address, header, err := v4.NewSigner(options...).PresignHTTP(t.Context(), c.credentials(), c.request(t), hex.EncodeToString(hash[:]), c.service, "us-east-1", signedAt)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u, header
}

// wire is what a client writes to its socket.
func wire(t testing.TB, r *http.Request) []byte {
	t.Helper()
	r.Header.Set("User-Agent", "") // nothing that is not ours
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// arrive reads a request as a server does.
func arrive(data []byte) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
}

func mustArrive(t testing.TB, data []byte) *http.Request {
	t.Helper()
	r, err := arrive(data)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return r
}

// sent is a request after its way over the wire.
func sent(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	return mustArrive(t, wire(t, r))
}

// onPort puts the port of the listener into the context, as http.Server does.
func onPort(r *http.Request, port int) *http.Request {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
}

func bodyOf(t testing.TB, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// s3 signs as for S3, which encodes the path once.
func s3(t testing.TB, c call) *http.Request {
	t.Helper()
	r := c.request(t)
	hash := sha256.Sum256([]byte(c.body))
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(t.Context(), c.credentials(), r, hex.EncodeToString(hash[:]), c.service, "us-east-1", signedAt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
