package dataplane

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// operation is one row of the table.
type operation struct {
	name   string // as AWS spells it
	method string
	event  string // in the journal
	// mayBeUnavailable says that the operation's model has ServiceUnavailableException; of the others a server that cannot
	// do its part is an InternalFailureException.
	mayBeUnavailable bool
	run              func(*Handler, *call) error // nil: not implemented
}

// The operations of each path, by method. What has no run is refused by its name.
var (
	onTopic       = []operation{{name: "Publish", method: http.MethodPost, event: journal.PublishIn, run: (*Handler).publish}}
	onRetained    = []operation{{name: "GetRetainedMessage", method: http.MethodGet, event: journal.GetRetained, mayBeUnavailable: true, run: (*Handler).getRetained}}
	onAllRetained = []operation{{name: "ListRetainedMessages", method: http.MethodGet, event: journal.ListRetained, mayBeUnavailable: true, run: (*Handler).listRetained}}
	onConnection  = []operation{
		{name: "GetConnection", method: http.MethodGet, event: journal.GetConnection, run: (*Handler).getConnection},
		{name: "DeleteConnection", method: http.MethodDelete, event: journal.DeleteConnection, run: (*Handler).deleteConnection},
	}
	onSubscriptions = []operation{{name: "ListSubscriptions", method: http.MethodGet, event: journal.ListSubscriptions, run: (*Handler).listSubscriptions}}
	onMessages      = []operation{{name: "SendDirectMessage", method: http.MethodPost, event: journal.SendDirect, run: (*Handler).sendDirect}}

	onShadow = []operation{
		{name: "GetThingShadow", method: http.MethodGet, event: "GetThingShadow"},
		{name: "UpdateThingShadow", method: http.MethodPost, event: "UpdateThingShadow"},
		{name: "DeleteThingShadow", method: http.MethodDelete, event: "DeleteThingShadow"},
	}
	onNamedShadows = []operation{{name: "ListNamedShadowsForThing", method: http.MethodGet, event: "ListNamedShadowsForThing"}}
	onJobs         = []operation{{name: "GetPendingJobExecutions", method: http.MethodGet, event: "GetPendingJobExecution"}}
	onNextJob      = []operation{
		{name: "StartNextPendingJobExecution", method: http.MethodPut, event: "StartNextPendingJobExecution"},
		{name: "DescribeJobExecution", method: http.MethodGet, event: "DescribeJobExecution"},
	}
	onJob = []operation{
		{name: "DescribeJobExecution", method: http.MethodGet, event: "DescribeJobExecution"},
		{name: "UpdateJobExecution", method: http.MethodPost, event: "UpdateJobExecution"},
	}
	onCredentials = []operation{{name: "AssumeRoleWithCertificate", method: http.MethodGet, event: "GetDeviceCredentials"}}
)

// target is what a request is for: its operation, and the topic or client id that its path names, still escaped.
type target struct {
	op    *operation
	label string
}

func (t *target) name() string {
	if t.op == nil {
		return ""
	}
	return t.op.name
}

// find gives the target of an escaped path. With an error the target has an operation of the same path, if there is one,
// so that the journal can say what was tried.
func find(method, path string) (target, error) {
	ops, label := resolve(path)
	if ops == nil {
		return target{}, fault.New(fault.Unsupported, "the data plane has nothing at %s", fault.Shortened(path)).
			WithRemedy("see docs/compatibility.md")
	}
	i := slices.IndexFunc(ops, func(op operation) bool { return op.method == method })
	if i < 0 {
		return target{&ops[0], label}, wrongMethod(ops, method)
	}
	t := target{&ops[i], label}
	if t.op.run == nil {
		return t, fault.New(fault.Unsupported, "%s is not implemented by Thingwire", t.op.name).
			WithRemedy("see docs/compatibility.md")
	}
	return t, nil
}

// resolve gives the operations of an escaped path, nil if there are none. An endpoint URL that ends with a slash makes the
// JavaScript SDK begin with two.
func resolve(path string) (ops []operation, label string) {
	root, rest, deeper := strings.Cut(strings.TrimLeft(path, "/"), "/")
	switch root {
	case "topics":
		return onTopic, rest
	case "retainedMessage":
		if !deeper {
			return onAllRetained, ""
		}
		return onRetained, rest
	case "connections":
		return resolveConnection(rest)
	case "things":
		return resolveThing(rest)
	case "api":
		if name, ok := strings.CutPrefix(rest, "things/shadow/ListNamedShadowsForThing/"); ok {
			return onNamedShadows, name
		}
	case "role-aliases":
		if alias, ok := strings.CutSuffix(rest, "/credentials"); ok && !strings.Contains(alias, "/") {
			return onCredentials, alias
		}
	}
	return nil, ""
}

func resolveConnection(rest string) ([]operation, string) {
	id, of, deeper := strings.Cut(rest, "/")
	switch {
	case !deeper:
		return onConnection, id
	case of == "subscriptions":
		return onSubscriptions, id
	case of == "messages":
		return onMessages, id
	}
	return nil, ""
}

func resolveThing(rest string) ([]operation, string) {
	name, of, _ := strings.Cut(rest, "/")
	job, isJob := strings.CutPrefix(of, "jobs/")
	switch {
	case of == "shadow":
		return onShadow, name
	case of == "jobs":
		return onJobs, name
	case isJob && (job == "$next" || strings.EqualFold(job, "%24next")):
		return onNextJob, name
	case isJob && job != "" && !strings.Contains(job, "/"):
		return onJob, name
	}
	return nil, ""
}

// Owns reports whether a request is for the data plane, by its path. Jobs have paths that the control plane has too: they
// are the data plane's with a client certificate or a signature for one of its services (API reference, "Routing on one
// port").
func Owns(r *http.Request) bool {
	ops, _ := resolve(rawPath(r))
	if ops == nil {
		return strings.HasPrefix(strings.TrimLeft(r.URL.Path, "/"), "connections/")
	}
	if &ops[0] != &onJobs[0] && &ops[0] != &onJob[0] || r.Method == http.MethodPost {
		return true
	}
	scope := r.Header.Get("Authorization") + r.URL.RawQuery
	return !strings.Contains(scope, "aws4_request") || strings.Contains(scope, "/iot-jobs-data/") ||
		strings.Contains(scope, "%2Fiot-jobs-data%2F") || strings.Contains(scope, "/iotdata/")
}

// rawPath is the path as it stood on the request line: net/url's own forms lose what was escaped and what was not.
func rawPath(r *http.Request) string {
	if uri := r.RequestURI; uri != "" && uri[0] == '/' {
		path, _, _ := strings.Cut(uri, "?")
		return path
	}
	return r.URL.EscapedPath()
}

// text decodes the label once.
func (t *target) text(what string) (string, error) {
	if strings.IndexByte(t.label, '%') < 0 {
		return t.label, nil
	}
	s, err := url.PathUnescape(t.label)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the %s in the path cannot be read", what).
			WithRemedy("escape it once, each byte as %% and two hexadecimal digits")
	}
	return s, nil
}

// methodError is the refusal of a method that a path does not have.
type methodError struct {
	fault   *fault.Error
	allowed string
}

func (m *methodError) Error() string { return m.fault.Error() }

// Unwrap makes the kind known.
func (m *methodError) Unwrap() error { return m.fault }

func wrongMethod(ops []operation, method string) error {
	var allowed []string
	for _, op := range ops {
		allowed = append(allowed, op.method)
	}
	m := &methodError{allowed: strings.Join(allowed, ", ")}
	m.fault = fault.New(fault.Invalid, "%s is not a method of %s", fault.Shortened(method), ops[0].name).WithRemedy("use %s", m.allowed)
	return m
}
