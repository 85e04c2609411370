package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Client speaks to a server: AWS's APIs and the private one. One of NewAdmin is root through the admin socket of a data
// directory, one of NewRemote signs each request with an access key. It is safe for concurrent use.
type Client struct {
	base string // the endpoint without a slash at its end
	http *http.Client
	sign func(req *http.Request, body []byte, service string) // nil on the admin socket
	root func() ([]byte, error)                               // the certificate that devices of this server trust

	notReached func(req *http.Request, err error) error // puts into words that no answer came
}

// NewAdmin makes a client of the server on a data directory; nothing is dialled before the first request.
func NewAdmin(dir string) *Client {
	return &Client{
		base: "http://localhost",
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialAdminContext(ctx, dir) },
		}},
		root: func() ([]byte, error) {
			pem, err := os.ReadFile(filepath.Join(dir, RootCAFile))
			if err != nil {
				return nil, notServing(dir, err)
			}
			return pem, nil
		},
		notReached: func(req *http.Request, err error) error {
			if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && req.Context().Err() == nil {
				return notServing(dir, dial.Err)
			}
			return fault.Wrap(fault.Unavailable, err, "the server does not answer")
		},
	}
}

// Close gives back idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// The services that requests are signed for.
const (
	serviceControl = "iot" // the private API too
	serviceData    = "iotdata"
	serviceIAM     = "iam"

	serviceCloudFormation = "cloudformation"
)

// answerTime bounds a request whose answer ends: what the AWS CLI waits for one.
const answerTime = 60 * time.Second

// Call is one request of the control plane. Path is escaped and may carry a query.
type Call struct {
	Method, Path string
	Principal    string // of the header x-amzn-principal, where not empty
	In, Out      any    // the JSON bodies; nil is none
}

// Do makes a call. Refusals come back with the kind of the exception that the server named.
func (c *Client) Do(ctx context.Context, call Call) error {
	var body []byte
	if call.In != nil {
		var err error
		if body, err = json.Marshal(call.In); err != nil {
			return err
		}
	}
	header := http.Header{}
	if call.Principal != "" {
		header.Set("X-Amzn-Principal", call.Principal)
	}
	data, err := c.ask(ctx, request{call.Method, call.Path, header, body, serviceControl})
	if err != nil || call.Out == nil || len(data) == 0 {
		return err
	}
	if err := json.Unmarshal(data, call.Out); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the answer of the server cannot be read")
	}
	return nil
}

// Stream makes a GET whose answer has no end. The caller closes what it gets.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{http.MethodGet, path, http.Header{}, nil, serviceControl})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// request is one request before it is signed.
type request struct {
	method, path string // the path is escaped and may carry a query
	header       http.Header
	body         []byte
	service      string
}

// ask sends a request and reads its answer.
func (c *Client) ask(ctx context.Context, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the server broke off its answer")
	}
	return data, nil
}

// send answers a response of status 200, or an error.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header = r.header
	if c.sign != nil {
		c.sign(req, r.body, r.service)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.notReached(req, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// exceptionKinds turns AWS's exception names back into kinds. Those of the Query protocol stand behind the others.
var exceptionKinds = map[string]fault.Kind{
	"InvalidRequestException":             fault.Invalid,
	"MalformedPolicyException":            fault.Invalid,
	"CertificateValidationException":      fault.Invalid,
	"RequestEntityTooLargeException":      fault.TooLarge,
	"MissingAuthenticationTokenException": fault.Unauthenticated,
	"UnrecognizedClientException":         fault.Unauthenticated,
	"InvalidSignatureException":           fault.Unauthenticated,
	"IncompleteSignatureException":        fault.Unauthenticated,
	"ExpiredTokenException":               fault.Unauthenticated,
	"UnauthorizedException":               fault.Unauthenticated,
	"AccessDeniedException":               fault.Denied,
	"ForbiddenException":                  fault.Denied,
	"ResourceNotFoundException":           fault.NotFound,
	"ResourceAlreadyExistsException":      fault.Exists,
	"VersionConflictException":            fault.Conflict,
	"ConflictingResourceUpdateException":  fault.Conflict,
	"ConflictException":                   fault.Conflict,
	"CertificateStateException":           fault.Conflict,
	"DeleteConflictException":             fault.InUse,
	"LimitExceededException":              fault.Throttled,
	"VersionsLimitExceededException":      fault.Throttled,
	"ThrottlingException":                 fault.Throttled,
	"ServiceUnavailableException":         fault.Unavailable,
	"NotImplementedException":             fault.Unsupported,

	"ValidationError":            fault.Invalid,
	"AlreadyExistsException":     fault.Exists,
	"MalformedPolicyDocument":    fault.Invalid,
	"MissingAuthenticationToken": fault.Unauthenticated,
	"InvalidClientTokenId":       fault.Unauthenticated,
	"SignatureDoesNotMatch":      fault.Unauthenticated,
	"IncompleteSignature":        fault.Unauthenticated,
	"ExpiredToken":               fault.Unauthenticated,
	"AccessDenied":               fault.Denied,
	"NoSuchEntity":               fault.NotFound,
	"EntityAlreadyExists":        fault.Exists,
	"ConcurrentModification":     fault.Conflict,
	"DeleteConflict":             fault.InUse,
	"LimitExceeded":              fault.Throttled,
	"Throttling":                 fault.Throttled,
	"ServiceUnavailable":         fault.Unavailable,
	"NotImplemented":             fault.Unsupported,
}

// refusal reads an error in AWS's shape, as JSON or as XML.
func refusal(resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	name, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	var body struct{ Message string }
	if err == nil && name == "" {
		name, body.Message = queryRefusal(data)
	}
	if err == nil && body.Message == "" {
		_ = json.Unmarshal(data, &body) // what is no JSON says nothing
	}
	if body.Message == "" {
		body.Message = "the server answered " + resp.Status
	}
	refused := fault.New(exceptionKinds[name], "%s", body.Message)
	if refused.Kind == fault.Unauthenticated && !strings.Contains(body.Message, "; ") {
		return refused.WithRemedy("check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
	}
	return refused
}

// tlsRemedy says what to do about a certificate that is not trusted.
func tlsRemedy(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "set AWS_CA_BUNDLE to the ca.pem of the server's data directory, and use a host name of its certificate"
	}
	return "check the endpoint, and that the server runs"
}
