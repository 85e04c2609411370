package control

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// QueryConfig is what the Query protocol answers from. Keys and Stacks are required.
type QueryConfig struct {
	Keys    *iam.Directory
	Stacks  *cloudformation.Stacks
	Account string

	Log *slog.Logger // refusals and failures inside, each with its request id; nowhere when nil
}

// Query serves AWS's Query protocol: STS, IAM and CloudFormation as forms in, XML out, all on one path. It needs an
// awsapi.Caller in the request's context; one without an Identity is the root of the admin socket.
type Query struct {
	cfg        QueryConfig
	operations map[queryName]*queryOperation
}

// NewQuery makes the handler.
func NewQuery(cfg QueryConfig) *Query {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Query{cfg: cfg, operations: queryTable()}
}

// ServeHTTP answers one request, whatever its path: which path is this protocol's is the front's to know.
func (q *Query) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := awsapi.Begin(w)
	defer awsapi.Recover(q.cfg.Log, r, id, "the query protocol", func(err error) { WriteQueryFailure(w, err) })
	caller, ok := awsapi.CallerFrom(r.Context())
	if !ok {
		q.refuse(w, r, nil, fault.Wrap(fault.Unauthenticated, errMissingToken, "Request is missing Authentication Token").
			WithRemedy("sign the request with Signature Version 4, or use the admin socket"))
		return
	}
	c, answer, err := q.answer(w, r, caller)
	if err != nil {
		q.refuse(w, r, c, err)
		return
	}
	writeQueryAnswer(w, c.op, answer)
}

// answer is one operation from its form to its result. The call is nil when the request does not come to one.
func (q *Query) answer(w http.ResponseWriter, r *http.Request, caller awsapi.Caller) (*queryCall, any, error) {
	form, err := readQueryForm(w, r)
	if err != nil {
		return nil, nil, err
	}
	op, err := q.find(form, caller.Service)
	if err != nil {
		return nil, nil, err
	}
	c := &queryCall{Request: r, cfg: &q.cfg, op: op, form: form, caller: caller}
	if err := c.checkSession(); err != nil {
		return c, nil, err
	}
	if err := form.lacks(op.absent); err != nil {
		return c, nil, err
	}
	resource, err := c.resource()
	if err != nil {
		return c, nil, err
	}
	if err := c.authorise(resource); err != nil {
		return c, nil, err
	}
	answer, err := op.run(c)
	return c, answer, err
}

// queryCall is one request to one operation.
type queryCall struct {
	*http.Request
	cfg    *QueryConfig
	op     *queryOperation
	form   queryForm
	caller awsapi.Caller
	user   string // whom it is about, where it is about a user
	role   string // the same of a role
	stack  string // the same of a stack: its name or id
}

func (c *queryCall) keys() *iam.Directory { return c.cfg.Keys }

// resource says what the call is about. A user is named as its own document spells it: names are found in any case, but
// policies distinguish it, and a Deny must not be got around by shouting.
func (c *queryCall) resource() (string, error) {
	switch c.op.about {
	case aboutNothing:
		return "", nil
	case aboutUsers:
		return c.keys().UserARN(""), nil
	case aboutRoles:
		return c.keys().RoleARN("/", ""), nil
	case aboutRole:
		return c.findRole()
	case aboutAnything:
		return "*", nil
	case aboutStack, aboutStackIfAny, aboutChangeSet:
		return c.findStack()
	case aboutUser, aboutUserOrCaller:
		if err := c.findUser(); err != nil {
			return "", err
		}
	}
	return c.keys().UserARN(c.user), nil
}

func (c *queryCall) findUser() error {
	name, given := c.form.optional("UserName")
	if !given && c.op.about == aboutUserOrCaller {
		if c.caller.Identity == nil || c.caller.Identity.Name == "" {
			return invalid("Must specify userName when calling with non-User credentials")
		}
		name, given = c.caller.Identity.Name, true
	}
	if !given {
		return missing("UserName")
	}
	c.user = name
	u, err := c.keys().GetUser(c.Context(), name)
	if fault.Is(err, fault.NotFound) {
		return nil // it is told to those who may ask
	}
	if err == nil {
		c.user = u.Name
	}
	return err
}

// findRole gives the ARN of the role that the call is about. One that is not there has the path that it is to get.
func (c *queryCall) findRole() (string, error) {
	name, given := c.form.optional("RoleName")
	if !given {
		return "", missing("RoleName")
	}
	c.role = name
	r, err := c.keys().GetRole(c.Context(), name)
	if fault.Is(err, fault.NotFound) {
		path, given := c.form.optional("Path")
		if !given || c.op.name != "CreateRole" {
			path = rootPath
		}
		return c.keys().RoleARN(path, name), nil // it is told to those who may ask
	}
	if err != nil {
		return "", err
	}
	c.role = r.Name
	return r.ARN, nil
}

// findStack gives the ARN of the stack that the call is about, "*" for one about all stacks.
func (c *queryCall) findStack() (string, error) {
	name, given := c.form.optional("StackName")
	set := c.form["ChangeSetName"]
	switch {
	case given && name == "":
		return "", invalid("1 validation error detected: Value '' at 'stackName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case !given && c.op.about == aboutStack:
		return "", missing("StackName")
	case !given && c.op.about == aboutChangeSet && set != "":
		s, err := c.stacks().ChangeSet(c.Context(), "", set)
		if fault.Is(err, fault.NotFound) {
			return set, nil // it is told to those who may ask
		}
		if err != nil {
			return "", err
		}
		return s.StackID, nil
	case !given:
		return "*", nil
	}
	if err := cloudformation.CheckStack(name); err != nil {
		return "", err
	}
	c.stack = name
	return c.stacks().ARN(c.Context(), name)
}

// checkSession keeps sessions of GetSessionToken away from IAM, as AWS does with those that were taken without a second
// factor (STS API reference, GetSessionToken): who finds one cannot make a key of it that lasts. A role's sessions may
// what the role may.
func (c *queryCall) checkSession() error {
	if id := c.caller.Identity; c.op.service != iamService || id == nil || !id.Session() || id.Role != "" {
		return nil
	}
	return fault.Wrap(fault.Unauthenticated, iam.ErrUnrecognizedClient, "The security token included in the request is invalid").
		WithRemedy("a session of GetSessionToken cannot call IAM; sign with an access key")
}

// authorise asks the caller's policies. Who the caller is, and a session of its own, need no permission (STS API
// reference, GetCallerIdentity and GetSessionToken).
func (c *queryCall) authorise(resource string) error {
	if c.op.about == aboutNothing {
		return nil
	}
	err := c.caller.Authorise(c.op.service.name+":"+c.op.name, resource)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		e.Err = iam.ErrAccessDenied // its name in this protocol
	}
	return err
}

func (q *Query) refuse(w http.ResponseWriter, r *http.Request, c *queryCall, err error) {
	namespace, operation := faultNamespace, ""
	if c != nil {
		namespace, operation = c.op.service.namespace, c.op.service.name+":"+c.op.name
	}
	id := awsapi.Begin(w)
	awsapi.LogRefusal(q.cfg.Log, r, id, queryFailureOf(err, id).Name, operation, err)
	writeQueryFailure(w, namespace, err)
}

var _ http.Handler = (*Query)(nil)
