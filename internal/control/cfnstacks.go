package control

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

func (c *queryCall) stacks() *cloudformation.Stacks { return c.cfg.Stacks }

// may asks the caller's policies for what a stack does in its name.
func (c *queryCall) may(action, resource string) error { return c.caller.Authorise(action, resource) }

type parameterMember struct{ ParameterKey, ParameterValue string }

type outputMember struct {
	OutputKey, OutputValue string
	Description            string `xml:",omitempty"`
	ExportName             string `xml:",omitempty"`
}

// driftMember says that nobody looks for drift.
type driftMember struct{ StackDriftStatus string }

var noDrift = driftMember{"NOT_CHECKED"}

type stackMember struct {
	StackID                     string `xml:"StackId"`
	StackName                   string
	ChangeSetID                 string                   `xml:"ChangeSetId,omitempty"`
	Description                 string                   `xml:",omitempty"`
	Parameters                  xmlList[parameterMember] `xml:",omitempty"`
	CreationTime                time.Time
	DeletionTime                *time.Time `xml:",omitempty"`
	LastUpdatedTime             *time.Time `xml:",omitempty"`
	StackStatus                 cloudformation.Status
	StackStatusReason           string `xml:",omitempty"`
	DisableRollback             bool
	NotificationARNs            xmlList[string]
	TimeoutInMinutes            int `xml:",omitempty"`
	Capabilities                xmlList[string]
	Outputs                     xmlList[outputMember]
	Tags                        xmlList[iam.Tag]
	EnableTerminationProtection bool
	DriftInformation            driftMember
}

func stackOf(st *cloudformation.Stack) stackMember {
	m := stackMember{
		StackID: st.ID, StackName: st.Name, ChangeSetID: st.ChangeSetID, Description: st.Description, Parameters: parametersOf(st.Template, st.Parameters),
		CreationTime: st.Created, DeletionTime: timeOrNil(st.Deleted), LastUpdatedTime: timeOrNil(st.Updated), StackStatus: st.Status,
		StackStatusReason: st.Reason, DisableRollback: st.DisableRollback, TimeoutInMinutes: st.Timeout, EnableTerminationProtection: st.Protected,
		Capabilities: xmlList[string]{st.Capabilities}, Tags: xmlList[iam.Tag]{st.Tags}, DriftInformation: noDrift,
	}
	for _, o := range st.Outputs {
		m.Outputs.Members = append(m.Outputs.Members, outputMember{o.Key, o.Value, o.Description, o.Export})
	}
	return m
}

// parametersOf shows parameters in the order of the template, and of those that are not to be shown only that they are
// there.
func parametersOf(template string, values map[string]string) (list xmlList[parameterMember]) {
	t, err := cloudformation.ParseTemplate(template)
	if err != nil {
		return list
	}
	for _, p := range t.Parameters {
		value := values[p.Name]
		if p.NoEcho {
			value = "****"
		}
		list.Members = append(list.Members, parameterMember{p.Name, value})
	}
	return list
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// inputs are the members Parameters.member.N.
func (c *queryCall) inputs() ([]cloudformation.Input, error) {
	groups, err := c.form.structures("Parameters", "ParameterKey", "ParameterValue", "UsePreviousValue")
	list := make([]cloudformation.Input, len(groups))
	for i, g := range groups {
		key, given := g["ParameterKey"]
		if !given {
			return nil, missing("Parameters." + strconv.Itoa(i+1) + ".ParameterKey")
		}
		list[i] = cloudformation.Input{Key: key, Value: g["ParameterValue"], UsePrevious: g["UsePreviousValue"] == "true"}
	}
	return list, err
}

// requestToken is the member ClientRequestToken, "" if there is none (API reference, CreateStack).
func (c *queryCall) requestToken() (string, error) {
	token, given := c.form.optional("ClientRequestToken")
	if given && !requestToken.MatchString(token) {
		return "", invalid("clientRequestToken %q is none: 1 to 128 letters, digits and hyphens, no hyphen first", fault.Shortened(token))
	}
	return token, nil
}

var requestToken = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]{0,127}$`)

// flag is a member that is true or false.
func (f queryForm) flag(name string) (bool, error) {
	switch v, given := f.optional(name); {
	case !given, v == "false":
		return false, nil
	case v == "true":
		return true, nil
	default:
		return false, invalid("%s is %q, true and false are allowed", lowerFirst(name), fault.Shortened(v))
	}
}

// templateBody is the text of a template. An address is refused: nothing is fetched.
func (c *queryCall) templateBody() (string, error) {
	body, given := c.form.optional("TemplateBody")
	if !given {
		return "", invalid("Either Template URL or Template Body must be specified.")
	}
	return body, nil
}

// previousOr is the text of a template, "" where the one of before is asked for.
func (c *queryCall) previousOr() (string, error) {
	previous, err := c.form.flag("UsePreviousTemplate")
	if err != nil || !previous {
		if err != nil {
			return "", err
		}
		return c.templateBody()
	}
	if _, given := c.form.optional("TemplateBody"); given {
		return "", invalid("TemplateBody and UsePreviousTemplate cannot both be given")
	}
	return "", nil
}

// tagsOrNil are the tags of a stack, nil when the request does not speak of them.
func (c *queryCall) tagsOrNil() (*[]iam.Tag, error) {
	tags, err := c.form.tags()
	if err != nil {
		return nil, err
	}
	if _, given := c.form.optional("Tags"); !given && len(tags) == 0 {
		return nil, nil //nolint:nilnil // no tags are no error
	}
	return &tags, nil
}

func createStack(c *queryCall) (_ any, err error) {
	n := cloudformation.NewStack{Name: c.stack}
	if n.Token, err = c.requestToken(); err != nil {
		return nil, err
	}
	if n.Template, err = c.templateBody(); err != nil {
		return nil, err
	}
	if n.Parameters, err = c.inputs(); err != nil {
		return nil, err
	}
	if n.Capabilities, err = c.form.list("Capabilities"); err != nil {
		return nil, err
	}
	if n.Tags, err = c.form.tags(); err != nil {
		return nil, err
	}
	if n.Timeout, err = c.form.number("TimeoutInMinutes", 1, 1<<30, 0); err != nil {
		return nil, err
	}
	if n.Protected, err = c.form.flag("EnableTerminationProtection"); err != nil {
		return nil, err
	}
	if n.OnFailure, err = c.onFailure(); err != nil {
		return nil, err
	}
	id, err := c.stacks().Create(c.Context(), c.may, n)
	if err != nil {
		return nil, err
	}
	return stackIDResult{id}, nil
}

type stackIDResult struct {
	StackID string `xml:"StackId"`
}

// onFailure reads OnFailure and DisableRollback, of which one may be given.
func (c *queryCall) onFailure() (cloudformation.OnFailure, error) {
	disabled, err := c.form.flag("DisableRollback")
	if err != nil {
		return "", err
	}
	text, given := c.form.optional("OnFailure")
	choice := cloudformation.OnFailure(text)
	switch {
	case given && disabled:
		return "", invalid("You can specify either DisableRollback or OnFailure, but not both.")
	case disabled:
		return cloudformation.OnFailureNothing, nil
	case !given:
		return cloudformation.OnFailureRollback, nil
	case choice == cloudformation.OnFailureRollback, choice == cloudformation.OnFailureNothing, choice == cloudformation.OnFailureDeleteAll:
		return choice, nil
	}
	return "", invalid("onFailure is %q, DO_NOTHING, ROLLBACK and DELETE are allowed", fault.Shortened(text))
}

func updateStack(c *queryCall) (_ any, err error) {
	u := cloudformation.Update{Stack: c.stack}
	if u.Token, err = c.requestToken(); err != nil {
		return nil, err
	}
	if u.Template, err = c.previousOr(); err != nil {
		return nil, err
	}
	if u.Parameters, err = c.inputs(); err != nil {
		return nil, err
	}
	if u.Capabilities, err = c.form.list("Capabilities"); err != nil {
		return nil, err
	}
	if u.Tags, err = c.tagsOrNil(); err != nil {
		return nil, err
	}
	id, err := c.stacks().Update(c.Context(), c.may, u)
	if err != nil {
		return nil, err
	}
	return stackIDResult{id}, nil
}

func deleteStack(c *queryCall) (any, error) {
	retain, err := c.form.list("RetainResources")
	if err != nil {
		return nil, err
	}
	token, err := c.requestToken()
	if err != nil {
		return nil, err
	}
	switch mode := c.form["DeletionMode"]; mode {
	case "", "STANDARD":
	default:
		if mode != "FORCE_DELETE_STACK" {
			return nil, invalid("deletionMode is %q, STANDARD and FORCE_DELETE_STACK are allowed", fault.Shortened(mode))
		}
		return nil, fault.New(fault.Unsupported, "the DeletionMode %s is not implemented by Thingwire", fault.Shortened(mode)).WithRemedy("leave it out")
	}
	return nil, c.stacks().Delete(c.Context(), c.may, c.stack, token, retain)
}

func updateTerminationProtection(c *queryCall) (any, error) {
	if _, given := c.form.optional("EnableTerminationProtection"); !given {
		return nil, missing("EnableTerminationProtection")
	}
	protected, err := c.form.flag("EnableTerminationProtection")
	if err != nil {
		return nil, err
	}
	id, err := c.stacks().Protect(c.Context(), c.stack, protected)
	if err != nil {
		return nil, err
	}
	return stackIDResult{id}, nil
}

// stacksPage is how many entries a page of stacks or events has.
const stacksPage = 100

func describeStacks(c *queryCall) (any, error) {
	var found []*cloudformation.Stack
	if c.stack != "" {
		st, err := c.stacks().Find(c.Context(), c.stack)
		if err != nil {
			return nil, err
		}
		found = []*cloudformation.Stack{st}
	} else {
		var err error
		if found, err = c.stacks().List(c.Context(), false); err != nil {
			return nil, err
		}
	}
	found, next, err := cutTokens(c, found, func(st *cloudformation.Stack) string { return st.ID })
	if err != nil {
		return nil, err
	}
	out := struct {
		Stacks    xmlList[stackMember]
		NextToken string `xml:",omitempty"`
	}{NextToken: next}
	for _, st := range found {
		out.Stacks.Members = append(out.Stacks.Members, stackOf(st))
	}
	return out, nil
}

func listStacks(c *queryCall) (any, error) {
	statuses, err := c.form.list("StackStatusFilter")
	if err != nil {
		return nil, err
	}
	all, err := c.stacks().List(c.Context(), true)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(st *cloudformation.Stack) bool {
		return len(statuses) > 0 && !slices.Contains(statuses, string(st.Status))
	})
	page, next, err := cutTokens(c, all, func(st *cloudformation.Stack) string { return st.ID })
	if err != nil {
		return nil, err
	}
	type summary struct {
		StackID             string `xml:"StackId"`
		StackName           string
		TemplateDescription string `xml:",omitempty"`
		CreationTime        time.Time
		LastUpdatedTime     *time.Time `xml:",omitempty"`
		DeletionTime        *time.Time `xml:",omitempty"`
		StackStatus         cloudformation.Status
		StackStatusReason   string `xml:",omitempty"`
		DriftInformation    driftMember
	}
	out := struct {
		StackSummaries xmlList[summary]
		NextToken      string `xml:",omitempty"`
	}{NextToken: next}
	for _, st := range page {
		out.StackSummaries.Members = append(out.StackSummaries.Members, summary{
			st.ID, st.Name, st.Description, st.Created, timeOrNil(st.Updated), timeOrNil(st.Deleted), st.Status, st.Reason, noDrift,
		})
	}
	return out, nil
}
