package control

import (
	"time"

	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

func (c *queryCall) changeSetName() (string, error) {
	return c.form.required("ChangeSetName", 1600)
}

func createChangeSet(c *queryCall) (_ any, err error) {
	n := cloudformation.NewChangeSet{Stack: c.stack, Description: c.form["Description"]}
	if n.Name, err = c.changeSetName(); err != nil {
		return nil, err
	}
	switch kind := c.form["ChangeSetType"]; kind {
	case "CREATE":
		n.OfNew = true
	case "", "UPDATE":
	default:
		return nil, invalid("changeSetType is %q, CREATE and UPDATE are allowed here", fault.Shortened(kind))
	}
	if n.Template, err = c.previousOr(); err != nil {
		return nil, err
	}
	if n.Parameters, err = c.inputs(); err != nil {
		return nil, err
	}
	if n.Capabilities, err = c.form.list("Capabilities"); err != nil {
		return nil, err
	}
	if n.Tags, err = c.tagsOrNil(); err != nil {
		return nil, err
	}
	if n.OnFailure, err = c.onFailure(); err != nil {
		return nil, err
	}
	made, err := c.stacks().CreateChangeSet(c.Context(), n)
	if err != nil {
		return nil, err
	}
	return struct {
		ID      string `xml:"Id"`
		StackID string `xml:"StackId"`
	}{made.ID, made.StackID}, nil
}

// setStatus is what a change set is, and whether it can be executed.
func setStatus(s *cloudformation.ChangeSet) (status, execution string) {
	if s.Failed {
		return "FAILED", "UNAVAILABLE"
	}
	return "CREATE_COMPLETE", "AVAILABLE"
}

type changeMember struct {
	Type           string
	ResourceChange resourceChangeMember
}

type resourceChangeMember struct {
	Action             string
	LogicalResourceID  string `xml:"LogicalResourceId"`
	PhysicalResourceID string `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string
	Replacement        string          `xml:",omitempty"` // of what is modified
	Scope              xmlList[string] // of what is modified
	Details            xmlList[string]
}

func changesOf(changes []cloudformation.ResourceChange) (list xmlList[changeMember]) {
	for _, rc := range changes {
		m := resourceChangeMember{
			Action: rc.Action, LogicalResourceID: rc.LogicalID, PhysicalResourceID: rc.PhysicalID, ResourceType: rc.Type,
		}
		if rc.Action == "Modify" {
			m.Replacement, m.Scope.Members = "False", []string{"Properties"}
			if rc.Replacement {
				m.Replacement = "True"
			}
		}
		list.Members = append(list.Members, changeMember{"Resource", m})
	}
	return list
}

func describeChangeSet(c *queryCall) (any, error) {
	name, err := c.changeSetName()
	if err != nil {
		return nil, err
	}
	s, err := c.stacks().ChangeSet(c.Context(), c.stack, name)
	if err != nil {
		return nil, err
	}
	changes, next, err := cutTokens(c, s.Changes, func(rc cloudformation.ResourceChange) string { return rc.LogicalID })
	if err != nil {
		return nil, err
	}
	status, execution := setStatus(s)
	return struct {
		ChangeSetName           string
		ChangeSetID             string `xml:"ChangeSetId"`
		StackName               string
		StackID                 string `xml:"StackId"`
		Description             string `xml:",omitempty"`
		Parameters              xmlList[parameterMember]
		CreationTime            time.Time
		ExecutionStatus, Status string
		StatusReason            string `xml:",omitempty"`
		NotificationARNs        xmlList[string]
		Capabilities            xmlList[string]
		Tags                    xmlList[iam.Tag]
		Changes                 xmlList[changeMember]
		NextToken               string `xml:",omitempty"`
		IncludeNestedStacks     bool
	}{
		ChangeSetName: s.Name, ChangeSetID: s.ID, StackName: s.StackName, StackID: s.StackID, Description: s.Description,
		Parameters: parametersOf(s.Template, s.Parameters), CreationTime: s.Created, ExecutionStatus: execution, Status: status,
		StatusReason: s.Reason, Capabilities: xmlList[string]{s.Capabilities}, Tags: xmlList[iam.Tag]{s.Tags}, Changes: changesOf(changes), NextToken: next,
	}, nil
}

func listChangeSets(c *queryCall) (any, error) {
	st, err := c.stacks().Find(c.Context(), c.stack)
	if err != nil {
		return nil, err
	}
	sets, err := c.stacks().ChangeSets(c.Context(), st)
	if err != nil {
		return nil, err
	}
	sets, next, err := cutTokens(c, sets, func(s *cloudformation.ChangeSet) string { return s.ID })
	if err != nil {
		return nil, err
	}
	type summary struct {
		StackID                 string `xml:"StackId"`
		StackName               string
		ChangeSetID             string `xml:"ChangeSetId"`
		ChangeSetName           string
		ExecutionStatus, Status string
		StatusReason            string `xml:",omitempty"`
		CreationTime            time.Time
		Description             string `xml:",omitempty"`
	}
	out := struct {
		Summaries xmlList[summary]
		NextToken string `xml:",omitempty"`
	}{NextToken: next}
	for _, s := range sets {
		status, execution := setStatus(s)
		out.Summaries.Members = append(out.Summaries.Members, summary{
			s.StackID, s.StackName, s.ID, s.Name, execution, status, s.Reason, s.Created, s.Description,
		})
	}
	return out, nil
}

func executeChangeSet(c *queryCall) (any, error) {
	name, err := c.changeSetName()
	if err != nil {
		return nil, err
	}
	disabled, err := c.form.flag("DisableRollback")
	if err != nil {
		return nil, err
	}
	token, err := c.requestToken()
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.stacks().ExecuteChangeSet(c.Context(), c.may, c.stack, name, token, disabled)
}

func deleteChangeSet(c *queryCall) (any, error) {
	name, err := c.changeSetName()
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.stacks().DeleteChangeSet(c.Context(), c.stack, name)
}
