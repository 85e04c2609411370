package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Admin speaks to the server of a data directory through its admin socket: the AWS-shaped control plane and the
// private API, as root. It is safe for concurrent use.
type Admin struct {
	dir  string
	http *http.Client
}

// NewAdmin makes a client; nothing is dialled before the first request.
func NewAdmin(dir string) *Admin {
	return &Admin{dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialAdminContext(ctx, dir) },
	}}}
}

// Close gives back idle connections.
func (a *Admin) Close() { a.http.CloseIdleConnections() }

// RootCA is the path of the certificate that clients of this server trust.
func (a *Admin) RootCA() string { return filepath.Join(a.dir, RootCAFile) }

// Call is one request of the control plane. Path is escaped and may carry a query.
type Call struct {
	Method, Path string
	Principal    string // of the header x-amzn-principal, where not empty
	In, Out      any    // the JSON bodies; nil is none
}

// Do makes a call. Refusals come back with the kind of the exception that the server named.
func (a *Admin) Do(ctx context.Context, c Call) error {
	var body io.Reader
	if c.In != nil {
		data, err := json.Marshal(c.In)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, "http://localhost"+c.Path, body)
	if err != nil {
		return err
	}
	if c.Principal != "" {
		req.Header["x-amzn-principal"] = []string{c.Principal}
	}
	resp, err := a.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the server broke off its answer")
	}
	if c.Out == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, c.Out)
}

// Stream makes a GET whose answer has no end. The caller closes what it gets.
func (a *Admin) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := a.do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// do answers a response of status 200, or an error.
func (a *Admin) do(req *http.Request) (*http.Response, error) {
	resp, err := a.http.Do(req)
	if err != nil {
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && req.Context().Err() == nil {
			return nil, notServing(a.dir, dial.Err)
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the server does not answer")
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// exceptionKinds turns AWS's exception names back into kinds.
var exceptionKinds = map[string]fault.Kind{
	"InvalidRequestException":             fault.Invalid,
	"MalformedPolicyException":            fault.Invalid,
	"CertificateValidationException":      fault.Invalid,
	"MissingAuthenticationTokenException": fault.Unauthenticated,
	"AccessDeniedException":               fault.Denied,
	"ResourceNotFoundException":           fault.NotFound,
	"ResourceAlreadyExistsException":      fault.Exists,
	"VersionConflictException":            fault.Conflict,
	"ConflictingResourceUpdateException":  fault.Conflict,
	"CertificateStateException":           fault.Conflict,
	"DeleteConflictException":             fault.InUse,
	"LimitExceededException":              fault.Throttled,
	"VersionsLimitExceededException":      fault.Throttled,
	"ThrottlingException":                 fault.Throttled,
	"ServiceUnavailableException":         fault.Unavailable,
	"NotImplementedException":             fault.Unsupported,
}

func refusal(resp *http.Response) error {
	name, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	var body struct{ Message string }
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(data, &body) != nil || body.Message == "" {
		body.Message = "the server answered " + resp.Status
	}
	return fault.New(exceptionKinds[name], "%s", body.Message)
}
