package control

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	cfnForm     = "&Version=2010-05-15"
	cfnTemplate = `{"Parameters":{"P":{"Type":"String","NoEcho":true,"Default":"secret","AllowedValues":["secret","other"]},"D":{"Type":"String","Default":"0"}},
		"Resources":{"A":{"Type":"AWS::IAM::Role","Properties":{"Description":{"Ref":"D"},"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}}}}}`
)

var cfnBody = "&Capabilities.member.1=CAPABILITY_IAM&TemplateBody=" + url.QueryEscape(cfnTemplate)

// cfn calls an operation that has to succeed, and reads what it answers.
func (w *queryWorld) cfn(form string, out any) {
	w.t.Helper()
	answer := w.root(http.MethodPost, formType, form+cfnForm)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", form, answer.Code, answer.Body)
	}
	if out == nil {
		return
	}
	if err := xml.Unmarshal(answer.Body.Bytes(), out); err != nil {
		w.t.Fatal(err)
	}
}

func TestStackOperationsRefused(t *testing.T) {
	w := newQueryWorld(t)
	w.cfn("Action=CreateStack&StackName=st"+cfnBody, nil)
	for _, c := range []struct {
		name, form string
		status     int
		code       string
		words      string
	}{
		{"no name", "Action=CreateStack" + cfnBody, 400, "ValidationError", "'stackName'"},
		{"an empty name", "Action=DescribeStacks&StackName=", 400, "ValidationError", "'stackName'"},
		{"a bad name", "Action=CreateStack&StackName=a_b" + cfnBody, 400, "ValidationError", "[a-zA-Z][-a-zA-Z0-9]*"},
		{"no template", "Action=CreateStack&StackName=x", 400, "ValidationError", "Template Body must be specified"},
		{"an address", "Action=CreateStack&StackName=x&TemplateURL=https://a", 501, "NotImplemented", "TemplateURL"},
		{"a role", "Action=CreateStack&StackName=x&RoleARN=arn" + cfnBody, 501, "NotImplemented", "RoleARN"},
		{"topics to tell", "Action=CreateStack&StackName=x&NotificationARNs.member.1=arn" + cfnBody, 501, "NotImplemented", "NotificationARNs"},
		{"two ways to fail", "Action=CreateStack&StackName=x&OnFailure=DELETE&DisableRollback=true" + cfnBody, 400, "ValidationError", "but not both"},
		{"a strange way to fail", "Action=CreateStack&StackName=x&OnFailure=CRY" + cfnBody, 400, "ValidationError", "onFailure"},
		{"a flag that is none", "Action=CreateStack&StackName=x&DisableRollback=1" + cfnBody, 400, "ValidationError", "disableRollback"},
		{"no time", "Action=CreateStack&StackName=x&TimeoutInMinutes=0" + cfnBody, 400, "ValidationError", "timeoutInMinutes"},
		{"a parameter without a key", "Action=CreateStack&StackName=x&Parameters.member.1.ParameterValue=a" + cfnBody, 400, "ValidationError", "ParameterKey"},
		{"a wrong parameter", "Action=CreateStack&StackName=x&Parameters.member.1.ParameterKey=P&Parameters.member.1.ParameterValue=a" + cfnBody, 400, "ValidationError", "AllowedValues"},
		{"no capability", "Action=CreateStack&StackName=x&TemplateBody=" + url.QueryEscape(cfnTemplate), 400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"},
		{"once more", "Action=CreateStack&StackName=st" + cfnBody, 400, "AlreadyExistsException", "Stack [st] already exists"},
		{"an update of nothing", "Action=UpdateStack&StackName=x" + cfnBody, 400, "ValidationError", "Stack [x] does not exist"},
		{"an update to the same", "Action=UpdateStack&StackName=st" + cfnBody, 400, "ValidationError", "No updates are to be performed."},
		{"two templates", "Action=UpdateStack&StackName=st&UsePreviousTemplate=true" + cfnBody, 400, "ValidationError", "cannot both be given"},
		{"force", "Action=DeleteStack&StackName=st&DeletionMode=FORCE_DELETE_STACK", 501, "NotImplemented", "DeletionMode"},
		{"protection from what", "Action=UpdateTerminationProtection&StackName=st", 400, "ValidationError", "'enableTerminationProtection'"},
		{"no such stack", "Action=DescribeStacks&StackName=x", 400, "ValidationError", "Stack with id x does not exist"},
		{"events of nothing", "Action=DescribeStackEvents&StackName=x", 400, "ValidationError", "does not exist"},
		{"resources of nothing", "Action=DescribeStackResources", 400, "ValidationError", "either StackName or PhysicalResourceId"},
		{"the stack of nothing", "Action=DescribeStackResources&PhysicalResourceId=x", 400, "ValidationError", "Stack for x does not exist"},
		{"no such resource", "Action=DescribeStackResource&StackName=st&LogicalResourceId=x", 400, "ValidationError", "Resource x does not exist"},
		{"a stage that is none", "Action=GetTemplate&StackName=st&TemplateStage=Raw", 400, "ValidationError", "templateStage"},
		{"no template to look at", "Action=ValidateTemplate", 400, "ValidationError", "Template Body must be specified"},
		{"a foreign token", "Action=DescribeStackEvents&StackName=st&NextToken=QUJD", 400, "ValidationError", "nextToken"},
		{"imports", "Action=CreateChangeSet&StackName=st&ChangeSetName=c&ChangeSetType=IMPORT" + cfnBody, 400, "ValidationError", "changeSetType"},
		{"no change set", "Action=DescribeChangeSet&StackName=st&ChangeSetName=c", 404, "ChangeSetNotFound", "ChangeSet [c] does not exist"},
		{"a change set of no stack", "Action=ExecuteChangeSet&ChangeSetName=c", 400, "ValidationError", "StackName must be specified"},
		{"drift", "Action=DetectStackDrift&StackName=st", 501, "NotImplemented", "cloudformation:DetectStackDrift"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.root(http.MethodPost, formType, c.form+cfnForm)
			if f := readFailure(t, answer); answer.Code != c.status || f.Error.Code != c.code || !strings.Contains(f.Error.Message, c.words) {
				t.Errorf("%d %+v, want %d %s %q", answer.Code, f.Error, c.status, c.code, c.words)
			}
		})
	}
}

// Values that are not to be shown are not shown, and long lists come in pages.
func TestStacksInPages(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	w.cfn("Action=CreateStack&StackName=st"+cfnBody, nil)
	var described struct {
		Values []string `xml:"DescribeStacksResult>Stacks>member>Parameters>member>ParameterValue"`
	}
	w.cfn("Action=DescribeStacks", &described)
	if fmt.Sprint(described.Values) != "[**** 0]" {
		t.Errorf("shown %q", described.Values)
	}
	const updates = 30
	for n := range updates {
		w.cfn(fmt.Sprintf("Action=UpdateStack&StackName=st&UsePreviousTemplate=true&Capabilities.member.1=CAPABILITY_IAM"+
			"&Parameters.member.1.ParameterKey=D&Parameters.member.1.ParameterValue=%d&Parameters.member.2.ParameterKey=P&Parameters.member.2.UsePreviousValue=true", n+1), nil)
	}
	seen := map[string]bool{}
	var pages []int
	for token := ""; ; {
		var page struct {
			IDs  []string `xml:"DescribeStackEventsResult>StackEvents>member>EventId"`
			Next string   `xml:"DescribeStackEventsResult>NextToken"`
		}
		form := "Action=DescribeStackEvents&StackName=st"
		if token != "" {
			form += "&NextToken=" + url.QueryEscape(token)
		}
		w.cfn(form, &page)
		for _, id := range page.IDs {
			seen[id] = true
		}
		pages = append(pages, len(page.IDs))
		if token = page.Next; token == "" {
			break
		}
	}
	if want := 5 + 5*updates; len(seen) != want || fmt.Sprint(pages) != fmt.Sprint([]int{100, want - 100}) {
		t.Errorf("%d events in pages of %v, want %d", len(seen), pages, want)
	}
}
