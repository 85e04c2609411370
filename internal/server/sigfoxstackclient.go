package server

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// SigfoxStack is a stack that lets the Sigfox cloud publish: what a callback is filled in with.
type SigfoxStack struct {
	Name    string `json:"stackName"`
	ID      string `json:"stackId"`
	Status  string `json:"stackStatus"`
	Reason  string `json:"stackStatusReason,omitempty"`
	ARNRole string `json:"arnRole,omitempty"`
	Topic   string `json:"topic,omitempty"`
	Region  string `json:"region,omitempty"`
	// Role is the name of the role, crossAccountRole among the stack's resources.
	Role string `json:"crossAccountRole,omitempty"`
}

// NewSigfoxStack is what a stack is made of. Empty fields are the server's own.
type NewSigfoxStack struct {
	Name, ExternalID, Topic string
	Region, Account         string
}

// SigfoxTemplate gives the template of such a stack, with the account of the Sigfox cloud filled in.
func (c *Client) SigfoxTemplate(ctx context.Context) (*SigfoxTemplate, error) {
	t := &SigfoxTemplate{}
	return t, c.Do(ctx, Call{Method: http.MethodGet, Path: privatePrefix + "sigfox/template", Out: t})
}

// CreateSigfoxStack makes a stack of the built-in template and gives its outputs. A stack that was rolled back is an
// error that says why.
func (c *Client) CreateSigfoxStack(ctx context.Context, n NewSigfoxStack) (*SigfoxStack, error) {
	t, err := c.SigfoxTemplate(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"StackName": {n.Name}, "TemplateBody": {t.Template}, "Capabilities.member.1": {"CAPABILITY_IAM"}}
	parameters := []struct{ key, value string }{
		{"AWSAccountId", orDefault(n.Account, t.Account)},
		{"ExternalId", n.ExternalID},
		{"Region", orDefault(n.Region, t.Region)},
		{"TopicName", n.Topic},
	}
	for i, p := range parameters {
		at := "Parameters.member." + strconv.Itoa(i+1)
		form.Set(at+".ParameterKey", p.key)
		form.Set(at+".ParameterValue", p.value)
	}
	if err := c.cloudFormation(ctx, "CreateStack", form, nil); err != nil {
		return nil, err
	}
	s, err := c.SigfoxStack(ctx, n.Name)
	if err == nil && s.Status != "CREATE_COMPLETE" {
		why, whyErr := c.stackFailure(ctx, s)
		if whyErr != nil {
			return nil, whyErr
		}
		err = fault.New(fault.Denied, "stack %s is %s: %s", s.Name, s.Status, why).
			WithRemedy("thingwire sigfox stack delete %s, then try again", s.Name)
	}
	return s, err
}

// SigfoxStack shows a stack.
func (c *Client) SigfoxStack(ctx context.Context, name string) (*SigfoxStack, error) {
	var out struct {
		Stacks []struct {
			StackName, StackStatus, StackStatusReason string
			StackID                                   string                                    `xml:"StackId"`
			Outputs                                   []struct{ OutputKey, OutputValue string } `xml:"Outputs>member"`
		} `xml:"Stacks>member"`
	}
	if err := c.cloudFormation(ctx, "DescribeStacks", url.Values{"StackName": {name}}, &out); err != nil {
		if strings.HasSuffix(err.Error(), "does not exist") {
			return nil, fault.New(fault.NotFound, "there is no stack %s", name).WithRemedy("see: thingwire sigfox stack create --help")
		}
		return nil, err
	}
	if len(out.Stacks) != 1 {
		return nil, fault.New(fault.Unavailable, "the answer of the server names %d stacks", len(out.Stacks))
	}
	found := out.Stacks[0]
	s := &SigfoxStack{Name: found.StackName, ID: found.StackID, Status: found.StackStatus, Reason: found.StackStatusReason}
	for _, o := range found.Outputs {
		switch o.OutputKey {
		case "ARNRole":
			s.ARNRole = o.OutputValue
			s.Role = o.OutputValue[strings.LastIndexByte(o.OutputValue, '/')+1:]
		case "Topic":
			s.Topic = o.OutputValue
		case "Region":
			s.Region = o.OutputValue
		}
	}
	return s, nil
}

// stackFailure is why the first resource of a stack could not be made.
func (c *Client) stackFailure(ctx context.Context, s *SigfoxStack) (string, error) {
	var out struct {
		Events []struct{ LogicalResourceId, ResourceStatus, ResourceStatusReason string } `xml:"StackEvents>member"`
	}
	if err := c.cloudFormation(ctx, "DescribeStackEvents", url.Values{"StackName": {s.ID}}, &out); err != nil {
		return "", err
	}
	for _, e := range out.Events {
		if strings.HasSuffix(e.ResourceStatus, "_FAILED") {
			return e.LogicalResourceId + ": " + e.ResourceStatusReason, nil
		}
	}
	return s.Reason, nil
}

// DeleteSigfoxStack deletes a stack with its role.
func (c *Client) DeleteSigfoxStack(ctx context.Context, name string) error {
	s, err := c.SigfoxStack(ctx, name)
	if err != nil {
		return err
	}
	if err := c.cloudFormation(ctx, "DeleteStack", url.Values{"StackName": {name}}, nil); err != nil {
		return err
	}
	after, err := c.SigfoxStack(ctx, s.ID)
	if err != nil {
		return err
	}
	if after.Status == "DELETE_COMPLETE" {
		return nil
	}
	why, err := c.stackFailure(ctx, after)
	if err != nil {
		return err
	}
	return fault.New(fault.InUse, "stack %s is %s: %s", name, after.Status, why)
}
