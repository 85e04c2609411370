package control

import (
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
)

// getTemplate gives the text of a template back. Nothing transforms it: what was given is what is processed.
func getTemplate(c *queryCall) (any, error) {
	switch stage := c.form["TemplateStage"]; stage {
	case "", "Original", "Processed":
	default:
		return nil, invalid("templateStage is %q, Original and Processed are allowed", fault.Shortened(stage))
	}
	text, err := c.templateText()
	if err != nil {
		return nil, err
	}
	return struct {
		TemplateBody    string
		StagesAvailable xmlList[string]
	}{text, xmlList[string]{[]string{"Original", "Processed"}}}, nil
}

// templateText is the template of a stack or, if one is named, of a change set.
func (c *queryCall) templateText() (string, error) {
	if set, given := c.form.optional("ChangeSetName"); given {
		cs, err := c.stacks().ChangeSet(c.Context(), c.stack, set)
		if err != nil {
			return "", err
		}
		return cs.Template, nil
	}
	st, err := c.stacks().Find(c.Context(), c.stack)
	if err != nil {
		return "", err
	}
	return st.Template, nil
}

type declarationMember struct {
	ParameterKey         string
	DefaultValue         *string `xml:",omitempty"`
	ParameterType        string  `xml:",omitempty"`
	NoEcho               bool
	Description          string             `xml:",omitempty"`
	ParameterConstraints *constraintsMember `xml:",omitempty"`
}

type constraintsMember struct{ AllowedValues xmlList[string] }

// declarations are the parameters of a template; GetTemplateSummary says more of them than ValidateTemplate.
func declarations(t *cloudformation.Template, more bool) (list xmlList[declarationMember]) {
	for _, p := range t.Parameters {
		m := declarationMember{ParameterKey: p.Name, DefaultValue: p.Default, NoEcho: p.NoEcho, Description: p.Description}
		if more {
			m.ParameterType = p.Type
			if len(p.AllowedValues) > 0 {
				m.ParameterConstraints = &constraintsMember{xmlList[string]{p.AllowedValues}}
			}
		}
		list.Members = append(list.Members, m)
	}
	return list
}

type templateResult struct {
	Parameters         xmlList[declarationMember]
	Description        string `xml:",omitempty"`
	Capabilities       xmlList[string]
	CapabilitiesReason string
	ResourceTypes      *xmlList[string] `xml:",omitempty"`
	Version            string           `xml:",omitempty"`
}

func validateTemplate(c *queryCall) (any, error) {
	_, out, err := templateSummary(c.templateBody, false)
	return out, err
}

func getTemplateSummary(c *queryCall) (any, error) {
	read := c.templateBody
	if _, given := c.form.optional("TemplateBody"); !given && c.stack != "" {
		read = c.templateText
	}
	t, out, err := templateSummary(read, true)
	if err != nil {
		return nil, err
	}
	out.ResourceTypes, out.Version = &xmlList[string]{t.Types()}, t.Version
	return out, nil
}

// templateSummary is what both operations say of a template; more is for its parameters.
func templateSummary(read func() (string, error), more bool) (*cloudformation.Template, *templateResult, error) {
	text, err := read()
	if err != nil {
		return nil, nil, err
	}
	t, err := cloudformation.ParseTemplate(text)
	if err != nil {
		return nil, nil, err
	}
	capability, reason := t.Capability()
	return t, &templateResult{
		Parameters: declarations(t, more), Description: t.Description, Capabilities: xmlList[string]{[]string{capability}}, CapabilitiesReason: reason,
	}, nil
}
